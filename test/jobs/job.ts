/**
 * `embedgate embed` as a separate process, with a provider that counts what it was paid for. For what only a process can show: SIGKILL,
 * exit codes, files beside the output. A new member of a run is one of `Run`.
 */
import { join } from "node:path";
import { vectorOf } from "../serving";

const MAIN = join(import.meta.dir, "../../src/main.ts");

export interface Run {
  readonly code: number | null;
  readonly errors: string;
}

export interface Job {
  readonly ended: Promise<Run>;
  signal(name: NodeJS.Signals): void;
}

export function startJob(folder: string, args: readonly string[], stdin = ""): Job {
  const child = Bun.spawn([process.execPath, MAIN, "embed", ...args], {
    cwd: folder,
    env: {},
    stdin: new Blob([stdin]),
    stdout: "ignore",
    stderr: "pipe",
  });
  const ended = (async () => {
    const errors = await new Response(child.stderr).text();
    await child.exited;
    return { code: child.exitCode, errors };
  })();
  return { ended, signal: (name) => child.kill(name) };
}

export const runJob = (folder: string, args: readonly string[], stdin?: string): Promise<Run> =>
  startJob(folder, args, stdin).ended;

export interface Provider extends Disposable {
  readonly url: string;
  /** Every text of every call that came, in order. */
  readonly paid: readonly string[];
  readonly calls: number;
}

/** @param refuse returns the reason if a text is refused */
export function startProvider(
  onCall: (calls: number) => void = () => {},
  refuse: (text: string) => string | undefined = () => undefined,
): Provider {
  const paid: string[] = [];
  let calls = 0;
  const server = Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    async fetch(request) {
      const { input }: { input: string[] } = await request.json();
      calls += 1;
      onCall(calls);
      const fault = input.findIndex((text) => refuse(text) !== undefined);
      if (fault !== -1) {
        const message = refuse(input[fault] ?? "");
        return Response.json({ error: { message, type: "invalid_request_error" } }, { status: 400 });
      }
      paid.push(...input);
      return Response.json({
        data: input.map((text, index) => ({ index, embedding: vectorOf(text) })),
        usage: { prompt_tokens: input.length },
      });
    },
  });
  return {
    url: `http://127.0.0.1:${server.port}/v1`,
    paid,
    get calls() {
      return calls;
    },
    [Symbol.dispose]: () => {
      server.stop(true);
    },
  };
}

/** A routing file with the model `m` at the provider, 16 texts per call, a dollar per million tokens. */
export const routingFile = ({ url }: Provider) => `
space_probe: false
providers: { wire: { plugin: openai, base_url: "${url}", retries: 0, concurrency: 64 } }
models: { m: { routes: [ { provider: wire } ], max_inputs: 16, price: 1 } }
`;

export interface Vectors {
  readonly header: string;
  readonly rows: readonly (readonly number[])[];
}

/** Reads a .npy file of NumPy's format 1.0. */
export async function readNpy(path: string): Promise<Vectors> {
  const bytes = await Bun.file(path).bytes();
  const headerBytes = new DataView(bytes.buffer).getUint16(8, true);
  const header = new TextDecoder().decode(bytes.subarray(10, 10 + headerBytes)).trim();
  const data = bytes.slice(10 + headerBytes);
  const values = header.includes("<f2") ? new Float16Array(data.buffer) : new Float32Array(data.buffer);
  const [, count = "0", size = "0"] = /'shape': \((\d+), (\d+)\)/.exec(header) ?? [];
  const dimensions = Number(size);
  return {
    header,
    rows: Array.from({ length: Number(count) }, (_, row) => [
      ...values.subarray(row * dimensions, (row + 1) * dimensions),
    ]),
  };
}

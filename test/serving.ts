/**
 * Runs a gateway as a separate process, from source: for what only a process can show, such as signals, SIGKILL and the server's own limits.
 * A new way to start one is a member of `Start`; nothing here waits for a fixed time, only for observable events.
 */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { leaveFolder, routingFileIn } from "./stores/on-postgres";

const MAIN = join(import.meta.dir, "../src/main.ts");

export interface Child extends AsyncDisposable {
  readonly url: string;
  readonly port: number;
  readonly pid: number;
  signal(name: NodeJS.Signals): void;
  /** The exit code, or null if a signal ended the process. */
  ended(): Promise<number | null>;
  /** Resolves once the log contains these words. */
  logged(words: string): Promise<void>;
  /** Resolves once nobody is left who could log: neither the process nor its child processes. */
  silent(): Promise<void>;
}

export interface TemporaryFolder extends Disposable {
  readonly path: string;
  /** A routing file, `*.yaml`, gets the database that the tests run on, unless it names one. */
  write(name: string, text: string): void;
}

export function temporaryFolder(files: Readonly<Record<string, string>> = {}): TemporaryFolder {
  const path = mkdtempSync(join(tmpdir(), "embedgate-serving-"));
  const write = (name: string, text: string) =>
    writeFileSync(join(path, name), name.endsWith(".yaml") ? routingFileIn(path, text) : text);
  for (const [name, text] of Object.entries(files)) write(name, text);
  return {
    path,
    write,
    [Symbol.dispose]() {
      rmSync(path, { recursive: true, force: true });
      void leaveFolder(path);
    },
  };
}

/**
 * @param prefix what starts the command, such as a shell that sets a limit first
 * @param listenAt 0 is replaced by a free port
 */
export async function startServing(
  folder: string,
  prefix: readonly string[] = [],
  listenAt = 0,
): Promise<Child> {
  const child = Bun.spawn([...prefix, process.execPath, MAIN, "serve", "--port", String(listenAt)], {
    cwd: folder,
    env: {},
    stdin: "ignore",
    stdout: "pipe",
    stderr: "pipe",
  });
  const decoder = new TextDecoder();
  let log = "";
  const listeners = new Set<() => void>();
  const logRead = (async () => {
    for await (const chunk of child.stderr) {
      log += decoder.decode(chunk, { stream: true });
      for (const tell of listeners) tell();
    }
  })();
  let greeting = "";
  for await (const chunk of child.stdout) {
    greeting += decoder.decode(chunk);
    if (greeting.includes("curl")) break;
  }
  const url = /https?:\/\/[\w.:]+/.exec(greeting)?.[0];
  if (url === undefined) {
    await logRead;
    throw new Error(`it did not start: ${greeting}${log}`);
  }
  const ended = async () => {
    await child.exited;
    return child.exitCode;
  };
  return {
    url,
    port: Number(new URL(url).port),
    pid: child.pid,
    signal: (name) => child.kill(name),
    ended,
    logged: (words) =>
      new Promise((resolve, reject) => {
        const look = () => {
          if (!log.includes(words)) return;
          listeners.delete(look);
          resolve();
        };
        listeners.add(look);
        logRead.then(() => reject(new Error(`it ended without a word of "${words}": ${log}`)));
        look();
      }),
    silent: () => logRead,
    async [Symbol.asyncDispose]() {
      child.kill("SIGKILL");
      await child.exited;
      // Includes the processes that it started.
      await logRead;
    },
  };
}

export interface Upstream extends Disposable {
  readonly url: string;
  /** Resolves once this many calls have arrived in total. */
  reached(count: number): Promise<void>;
  /** Answers the calls that are held back, and from now on every call at once. */
  release(): void;
}

/** A provider on loopback with OpenAI's API and a different vector for each text; it can hold back its answers. */
export function startUpstream({ holds = false, onCall = () => {}, vector = vectorOf } = {}): Upstream {
  const released = Promise.withResolvers<void>();
  if (!holds) released.resolve();
  let calls = 0;
  const waiting: { readonly count: number; readonly resolve: () => void }[] = [];
  const server = Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    idleTimeout: 0,
    async fetch(request) {
      const { input }: { input: string[] } = await request.json();
      calls += 1;
      onCall();
      for (const { count, resolve } of waiting) if (calls >= count) resolve();
      await released.promise;
      return Response.json({
        data: input.map((text, index) => ({ index, embedding: vector(text) })),
        usage: { prompt_tokens: input.length },
      });
    },
  });
  return {
    url: `http://127.0.0.1:${server.port}/v1`,
    reached: (count) =>
      new Promise((resolve) => {
        if (calls >= count) resolve();
        else waiting.push({ count, resolve });
      }),
    release: () => released.resolve(),
    [Symbol.dispose]() {
      released.resolve();
      server.stop(true);
    },
  };
}

/** Different for all texts that the tests send. */
export function vectorOf(text: string): number[] {
  return [1, ...new Uint8Array(new Bun.CryptoHasher("sha256").update(text).digest()).slice(0, 7)];
}

export function postTo(url: string, body: object, headers: Readonly<Record<string, string>> = {}) {
  return fetch(`${url}/v1/embeddings`, {
    method: "POST",
    headers: { "content-type": "application/json", ...headers },
    body: JSON.stringify(body),
  });
}

/** A routing file with the model `m` at an upstream. It does not drain unless the test says so. */
export const wireTo = (upstream: Upstream, server = "drain_ms: 0") => `
server: { deadline_ms: 20000, ${server.includes("drain_ms") ? "" : "drain_ms: 0, "}${server} }
space_probe: false
providers: { wire: { plugin: openai, base_url: "${upstream.url}", retries: 0, concurrency: 10000 } }
models: { m: { routes: [ { provider: wire } ] } }
`;

/**
 * Debian's redis-server as a separate process, on its own port, with nothing on disk: killed, stopped and started as a test wants.
 * A test that needs another setting passes it to `startServer` as the server's own argument.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** If it is not installed, its tests are skipped; .ci/run installs it. */
export const HAS_SERVER = Bun.which("redis-server") !== null;

export interface Server extends AsyncDisposable {
  readonly port: number;
  readonly url: string;
  /** Asks it directly, without any of our code. */
  ask(...command: string[]): Promise<string>;
  /** How often a command came. */
  calls(command: string): Promise<number>;
  /** SIGKILL: everything that it held is lost. */
  kill(): Promise<void>;
  /** On the same port. */
  start(): Promise<void>;
  /** Accepts connections and answers nobody. */
  freeze(): void;
  thaw(): void;
}

export async function startServer(...settings: readonly string[]): Promise<Server> {
  const port = freePort();
  const folder = mkdtempSync(join(tmpdir(), "embedgate-redis-"));
  let child: Bun.Subprocess<"ignore", "pipe", "inherit"> | undefined;
  const ask = async (...command: string[]) =>
    (await new Response(Bun.spawn(["redis-cli", "-p", String(port), ...command]).stdout).text()).trim();

  async function start(): Promise<void> {
    child = Bun.spawn(
      [
        "redis-server",
        "--port",
        String(port),
        "--bind",
        "127.0.0.1",
        "--save",
        "",
        "--dir",
        folder,
        ...settings,
      ],
      { stdin: "ignore", stdout: "pipe", stderr: "inherit" },
    );
    let said = "";
    for await (const chunk of child.stdout.pipeThrough(new TextDecoderStream())) {
      said += chunk;
      if (said.includes("Ready to accept connections")) return;
    }
    throw new Error(`redis-server did not start: ${said}`);
  }

  async function kill(): Promise<void> {
    child?.kill("SIGKILL");
    await child?.exited;
  }

  await start();
  return {
    port,
    url: `redis://127.0.0.1:${port}`,
    ask,
    async calls(command) {
      const stats = await ask("INFO", "commandstats");
      const line = stats.split("\n").find((one) => one.startsWith(`cmdstat_${command}:`)) ?? "";
      return Number.parseInt(line.split("calls=")[1] ?? "0", 10);
    },
    kill,
    start,
    freeze: () => child?.kill("SIGSTOP"),
    thaw: () => child?.kill("SIGCONT"),
    async [Symbol.asyncDispose]() {
      await kill();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** A cluster uses the port ten thousand above, too. */
function freePort(): number {
  const listener = Bun.listen({ hostname: "127.0.0.1", port: 0, socket: { data() {} } });
  const { port } = listener;
  listener.stop(true);
  return port < 55_000 ? port : freePort();
}

/** Waits for what must come: a server that another process runs sends no notification. */
export async function eventually<Value>(
  look: () => Value | undefined | false | Promise<Value | undefined | false>,
): Promise<Value> {
  for (let round = 0; round < 1_000; round++) {
    const seen = await look();
    if (seen !== undefined && seen !== false) return seen;
    await Bun.sleep(10);
  }
  throw new Error(`it never came: ${look}`);
}

/**
 * A second baseline, from another project: a gateway that passes OpenAI's API through, without keys, rows or checks.
 * noveum-ai-gateway, from crates.io: `cargo install noveum-ai-gateway --root DIR`, then `bun run bench --second DIR/bin/noveum-ai-gateway`.
 */
import { ENVIRONMENT, type Started } from "./processes";

const START_MS_MAX = 10_000;

/** @param upstream the provider's address, without /v1 */
export async function startSecond(executable: string, upstream: string): Promise<Started> {
  // Below the ephemeral ports, where a client might connect to itself.
  const port = 20_000 + Math.floor(Math.random() * 10_000);
  const child = Bun.spawn([executable], {
    env: {
      ...ENVIRONMENT,
      PORT: String(port),
      HOST: "127.0.0.1",
      OPENAI_BASE_URL: upstream,
      RUST_LOG: "error",
    },
    stdin: "ignore",
    stdout: "ignore",
    stderr: "ignore",
  });
  const endsAt = performance.now() + START_MS_MAX;
  const answers = () =>
    fetch(`http://127.0.0.1:${port}/health`).then(
      () => true,
      () => false,
    );
  while (!(await answers())) {
    if (performance.now() > endsAt) throw new Error(`${executable} did not start`);
    await Bun.sleep(50);
  }
  return {
    pid: child.pid,
    port,
    async [Symbol.asyncDispose]() {
      child.kill("SIGINT");
      await child.exited;
    },
  };
}

/**
 * `bun .ci/record-order.ts`: writes bytecode.order, the order in which build.ts lays out the bytecode. It builds and starts the executable,
 * requests one embedding, and records the names (hashes) of the functions that ran. An outdated file is harmless: other functions follow last.
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { build, ORDER_FILE } from "./build";

/** Strings and constants differ from run to run. Leaving them out made no measurable difference. */
const LEFT_OUT = /^[KS] .*\n/gm;

const folder = mkdtempSync(join(tmpdir(), "embedgate-order-"));
try {
  const executable = await build(join(folder, "embedgate"));
  const recorded = join(folder, "recorded");
  const child = Bun.spawn([executable, "serve", "--port", "0"], {
    cwd: folder,
    env: { BUN_BYTECODE_ORDER_OUT: recorded },
    stdout: "pipe",
  });
  let said = "";
  for await (const bytes of child.stdout) {
    said += new TextDecoder().decode(bytes);
    const [address] = /http:\/\/127\.0\.0\.1:\d+/.exec(said) ?? [];
    if (address === undefined || !said.includes("curl")) continue;
    await fetch(`${address}/healthz`);
    const body = JSON.stringify({ model: "all-MiniLM-L6-v2", input: "hello" });
    await fetch(`${address}/v1/embeddings`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body,
    });
    child.kill("SIGINT");
  }
  await child.exited;
  const order = readFileSync(recorded, "utf8").replace(LEFT_OUT, "");
  writeFileSync(join(import.meta.dir, "..", ORDER_FILE), order);
  console.log(`${ORDER_FILE}: ${order.split("\n").length} lines`);
} finally {
  rmSync(folder, { recursive: true });
}

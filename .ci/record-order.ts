/**
 * `bun .ci/record-order.ts`: writes bytecode.order anew, by which build.ts lays out the bytecode. It builds, starts the executable, asks for
 * one embedding, and keeps the names (hashes) of the functions that ran. An old file is no fault: what it does not know lies behind the rest.
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { build, ORDER_FILE } from "./build";

/** Strings and constants differ from run to run, and leaving them out costs nothing that was seen. */
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

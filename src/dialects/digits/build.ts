/**
 * Compiles kernel.ts to kernel.wasm and notes its sha256: `bun src/dialects/digits/build.ts`.
 * The same source and compiler give the same bytes; a test holds the committed file to that.
 */
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import asc from "assemblyscript/asc";

const OPTIONS = ["-O3", "--converge", "--noAssert", "--runtime", "stub", "--use", "abort="];

/** kernel.wasm's bytes from kernel.ts. Throws with the compiler's words when it does not compile. */
export async function buildKernel(): Promise<Uint8Array> {
  const stderr = asc.createMemoryStream();
  let wasm: Uint8Array | undefined;
  const { error } = await asc.main(["kernel.ts", "--outFile", "kernel.wasm", ...OPTIONS], {
    stderr,
    readFile: (name) => (name === "kernel.ts" ? readFileSync(join(import.meta.dir, name), "utf8") : null),
    writeFile: (_name, contents) => {
      if (typeof contents !== "string") wasm = contents;
    },
    listFiles: () => [],
  });
  if (error !== null || wasm === undefined)
    throw new Error(`kernel.ts does not compile.\n${stderr.toString()}`, { cause: error });
  return wasm;
}

async function main(): Promise<void> {
  const wasm = await buildKernel();
  await Bun.write(join(import.meta.dir, "kernel.wasm"), wasm);
  const sha256 = createHash("sha256").update(wasm).digest("hex");
  await Bun.write(join(import.meta.dir, "SHA256SUMS"), `${sha256}  kernel.wasm\n`);
  console.log(`${sha256}  kernel.wasm (${wasm.length} bytes)`);
}

if (import.meta.main) await main();

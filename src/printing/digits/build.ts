/**
 * Compiles kernel.ts to kernel.wasm and notes its sha256: `bun src/printing/digits/build.ts`.
 * The same source and compiler give the same bytes: a test compares them with the committed file.
 */
import { createHash } from "node:crypto";
import { join } from "node:path";
import { compile } from "../../../.ci/assemblyscript";

/** kernel.wasm's bytes from kernel.ts. @throws Error with the compiler's message if it does not compile */
export const buildKernel = () => compile([import.meta.dir], "kernel.ts");

async function main(): Promise<void> {
  const wasm = await buildKernel();
  await Bun.write(join(import.meta.dir, "kernel.wasm"), wasm);
  const sha256 = createHash("sha256").update(wasm).digest("hex");
  await Bun.write(join(import.meta.dir, "SHA256SUMS"), `${sha256}  kernel.wasm\n`);
  console.log(`${sha256}  kernel.wasm (${wasm.length} bytes)`);
}

if (import.meta.main) await main();

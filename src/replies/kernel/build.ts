/**
 * Compiles numbers.ts to numbers.wasm: `bun src/replies/kernel/build.ts`.
 * The same source and compiler give the same bytes; a test holds the committed file to that.
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import asc from "assemblyscript/asc";

const OPTIONS = [
  "-O3",
  "--converge",
  "--noAssert",
  "--runtime",
  "stub",
  "--enable",
  "simd",
  "--use",
  "abort=",
];

/** numbers.wasm's bytes from numbers.ts. Throws with the compiler's words when it does not compile. */
export async function buildKernel(): Promise<Uint8Array> {
  const stderr = asc.createMemoryStream();
  let wasm: Uint8Array | undefined;
  const { error } = await asc.main(["numbers.ts", "--outFile", "numbers.wasm", ...OPTIONS], {
    stderr,
    readFile: (name) => (name === "numbers.ts" ? readFileSync(join(import.meta.dir, name), "utf8") : null),
    writeFile: (_name, contents) => {
      if (typeof contents !== "string") wasm = contents;
    },
    listFiles: () => [],
  });
  if (error !== null || wasm === undefined)
    throw new Error(`numbers.ts does not compile.\n${stderr.toString()}`, { cause: error });
  return wasm;
}

if (import.meta.main) await Bun.write(join(import.meta.dir, "numbers.wasm"), await buildKernel());

/**
 * Compiles a kernel, in AssemblyScript, to WebAssembly. The same source and compiler give the same bytes, which tests hold the committed
 * files to. Each kernel's own build.ts says where it lies and what it needs.
 */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import asc from "assemblyscript/asc";

const OPTIONS = ["-O3", "--converge", "--noAssert", "--runtime", "stub", "--use", "abort="];

/**
 * @param source its file's name in the folder; what it imports lies there too
 * @param further options beside those that all have
 * @throws Error with the compiler's words when it does not compile
 */
export async function compile(
  folder: string,
  source: string,
  further: readonly string[] = [],
): Promise<Uint8Array> {
  const stderr = asc.createMemoryStream();
  let wasm: Uint8Array | undefined;
  const { error } = await asc.main([source, "--outFile", "kernel.wasm", ...OPTIONS, ...further], {
    stderr,
    // The compiler also asks for what there is not: its own configuration, and every import as a folder's index.
    readFile: (name) =>
      /^[a-z]+\.ts$/.test(name) && existsSync(join(folder, name))
        ? readFileSync(join(folder, name), "utf8")
        : null,
    writeFile: (_name, contents) => {
      if (typeof contents !== "string") wasm = contents;
    },
    listFiles: () => [],
  });
  if (error !== null || wasm === undefined)
    throw new Error(`${source} does not compile.\n${stderr.toString()}`, { cause: error });
  return wasm;
}

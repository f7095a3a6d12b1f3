/**
 * Compiles a kernel from AssemblyScript to WebAssembly. The same source and compiler give the same bytes: tests compare them with the committed
 * files. Each kernel's own build.ts names its folder and its further options.
 */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import asc from "assemblyscript/asc";

const OPTIONS = ["-O3", "--converge", "--noAssert", "--runtime", "stub", "--use", "abort="];

/**
 * @param source the name of a file in the folder; its imports must be there too
 * @param further options in addition to OPTIONS
 * @throws Error with the compiler's message if it does not compile
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
    // The compiler also asks for files that do not exist: its own configuration, and each import as the index of a folder.
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

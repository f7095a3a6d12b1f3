/**
 * Compiles a kernel from AssemblyScript to WebAssembly. The same source and compiler give the same bytes: tests compare them with the committed
 * files. Each kernel's own build.ts names its folder and its further options.
 */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import asc from "assemblyscript/asc";

const OPTIONS = ["-O3", "--converge", "--noAssert", "--runtime", "stub", "--use", "abort="];

/**
 * @param folders where the source and its imports are, as if all were one folder
 * @param source its file name
 * @param further options in addition to OPTIONS
 * @throws Error with the compiler's message if it does not compile
 */
export async function compile(
  folders: readonly string[],
  source: string,
  further: readonly string[] = [],
): Promise<Uint8Array> {
  const stderr = asc.createMemoryStream();
  let wasm: Uint8Array | undefined;
  const { error } = await asc.main([source, "--outFile", "kernel.wasm", ...OPTIONS, ...further], {
    stderr,
    // The compiler also asks for files that do not exist: its own configuration, and each import as the index of a folder.
    readFile(name) {
      const folder = folders.find((one) => existsSync(join(one, name)));
      return /^[a-z]+\.ts$/.test(name) && folder ? readFileSync(join(folder, name), "utf8") : null;
    },
    writeFile: (_name, contents) => {
      if (typeof contents !== "string") wasm = contents;
    },
    listFiles: () => [],
  });
  if (error !== null || wasm === undefined)
    throw new Error(`${source} does not compile.\n${stderr.toString()}`, { cause: error });
  return wasm;
}

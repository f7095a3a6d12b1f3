/**
 * Compiles C to a shared library for x86-64 Linux that works with glibc and musl. The same source and compiler give the same bytes: tests
 * compare them with the committed files. Each library's own build.ts names its folder and its source files.
 */
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** No C library, so that one file works with glibc and musl; no optimization that may change a bit of a result. */
const OPTIONS = [
  "-O3",
  "-fPIC",
  "-ffreestanding",
  "-ffp-contract=off",
  "-fno-strict-aliasing",
  "-fvisibility=hidden",
  "-fno-stack-protector",
  "-fno-asynchronous-unwind-tables",
  "-Wall",
  "-Wextra",
  "-Werror",
];

/** `-z defs`: calls of the C library, which the compiler may insert, are link errors. */
const LINK = ["-shared", "-nostdlib", "-s", "-Wl,-z,defs,-z,noexecstack,--build-id=none,--hash-style=both"];

/** One object file: its name without a folder, its source file, and options in addition to OPTIONS. */
export interface ObjectFile {
  readonly name: string;
  readonly source: string;
  readonly options: readonly string[];
}

/** The compiler's version, as gcc writes it into object files: "GCC: (Debian 12.2.0-14) 12.2.0"; undefined without gcc for x86-64. */
export function compiler(): string | undefined {
  if (process.arch !== "x64" || Bun.which("gcc") === null) return undefined;
  const [line = ""] = gcc(["--version"]).split("\n");
  return line.replace(/^gcc /, "GCC: ");
}

/**
 * @param folder the folder of the sources
 * @param libraries linker options for further libraries, such as `-lgcc`
 * @throws Error with gcc's message if they do not compile
 */
export function compile(
  folder: string,
  objects: readonly ObjectFile[],
  libraries: readonly string[] = [],
): Uint8Array {
  const scratch = mkdtempSync(join(tmpdir(), "embedgate-kernel-"));
  const at = (name: string) => join(scratch, name);
  try {
    for (const { name, source, options } of objects)
      gcc(["-c", ...OPTIONS, ...options, source, "-o", at(name)], folder);
    gcc([...LINK, "-o", at("native.so"), ...objects.map(({ name }) => at(name)), ...libraries]);
    return readFileSync(at("native.so"));
  } finally {
    rmSync(scratch, { recursive: true });
  }
}

function gcc(args: readonly string[], folder = tmpdir()): string {
  const { exitCode, stdout, stderr } = Bun.spawnSync(["gcc", ...args], { cwd: folder });
  if (exitCode !== 0) throw new Error(`gcc ${args.join(" ")}\n${stderr.toString()}`);
  return stdout.toString();
}

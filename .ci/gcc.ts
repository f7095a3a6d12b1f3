/**
 * Compiles C to a library for x86-64 Linux, which any C library loads. The same source and compiler give the same bytes, which tests hold
 * the committed files to. Each library's own build.ts says where it lies and what it is made of.
 */
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** Nothing of C's library, so that one file serves glibc and musl; nothing that lets the compiler change a bit of a result. */
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

/** `-z defs`: a function of C's library that the compiler would like to call is an error, not a wish. */
const LINK = ["-shared", "-nostdlib", "-s", "-Wl,-z,defs,-z,noexecstack,--build-id=none,--hash-style=both"];

/** One object file: its name, without a folder, and its source with what is asked for beside what all are. */
export interface ObjectFile {
  readonly name: string;
  readonly source: string;
  readonly options: readonly string[];
}

/** Whose bytes a build would give, in the words that gcc writes into them: "GCC: (Debian 12.2.0-14) 12.2.0". */
export function compiler(): string | undefined {
  if (process.arch !== "x64" || Bun.which("gcc") === null) return undefined;
  const [line = ""] = gcc(["--version"]).split("\n");
  return line.replace(/^gcc /, "GCC: ");
}

/**
 * @param folder that the sources lie in
 * @param libraries what is linked beside, as `-lgcc`
 * @throws Error with gcc's words where they do not compile
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

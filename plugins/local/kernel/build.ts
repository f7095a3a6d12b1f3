/**
 * Compiles portable/ to kernel.wasm and native/ to native-linux-x64.so, and notes their sha256: `bun plugins/local/kernel/build.ts`.
 * The C of native/ needs gcc on an x86-64 machine; without it the committed file stays.
 * The same source and compiler give the same bytes; tests hold the committed files to that.
 */
import { createHash } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { compile } from "../../../.ci/assemblyscript";

const FURTHER_OPTIONS = [
  "--enable",
  "simd",
  // One memory for all threads, which ../wasm.ts makes; a module has to say how large it may grow.
  "--enable",
  "threads",
  "--importMemory",
  "--sharedMemory",
  "--initialMemory",
  "1",
  "--maximumMemory",
  "65536",
];

/** Nothing of C's library, so that one file serves glibc and musl; nothing that lets the compiler change a bit of a result. */
const C_OPTIONS = [
  "-O3",
  "-fPIC",
  "-ffreestanding",
  "-ffp-contract=off",
  "-fno-strict-aliasing",
  "-fvisibility=hidden",
  "-fno-stack-protector",
  "-fno-asynchronous-unwind-tables",
  // With it gcc keeps the innermost loop's sums twice, in registers and in memory: half the speed.
  "-fno-tree-coalesce-vars",
  "-Wall",
  "-Wextra",
  "-Werror",
];

/** One object file each; the instructions that a variant may use are its own, as `can_run` of native/loader.c asks for them. */
const OBJECTS = [
  { name: "loader.o", source: "loader.c", options: [] },
  { name: "sse2.o", source: "kernel.c", options: ['-DLANES="lanes-sse2.h"'] },
  { name: "avx2.o", source: "kernel.c", options: ["-mavx2", '-DLANES="lanes-avx2.h"'] },
  {
    name: "avx512.o",
    source: "kernel.c",
    options: [
      "-mavx512f",
      "-mavx512dq",
      "-mavx512bw",
      "-mavx512vl",
      "-mavx512vnni",
      '-DLANES="lanes-avx512.h"',
    ],
  },
] as const;

/** kernel.wasm's bytes from portable/kernel.ts. @throws Error with the compiler's words when it does not compile */
export const buildKernel = () => compile(join(import.meta.dir, "portable"), "kernel.ts", FURTHER_OPTIONS);

/** Whose bytes a build would give, in the words that gcc writes into them: "GCC: (Debian 12.2.0-14) 12.2.0". */
export function compiler(): string | undefined {
  if (process.arch !== "x64" || Bun.which("gcc") === null) return undefined;
  const [line = ""] = gcc(["--version"]).split("\n");
  return line.replace(/^gcc /, "GCC: ");
}

/** native-linux-x64.so's bytes from native/kernel.c and native/loader.c. Throws with gcc's words when they do not compile. */
export function buildNative(): Uint8Array {
  const folder = mkdtempSync(join(tmpdir(), "embedgate-kernel-"));
  const at = (name: string) => join(folder, name);
  try {
    for (const { name, source, options } of OBJECTS)
      gcc(["-c", ...C_OPTIONS, ...options, source, "-o", at(name)]);
    // `-z defs`: a function of C's library that the compiler would like to call is an error, not a wish.
    const link = [
      "-shared",
      "-nostdlib",
      "-s",
      "-Wl,-z,defs,-z,noexecstack,--build-id=none,--hash-style=both",
    ];
    gcc([...link, "-o", at("native.so"), ...OBJECTS.map(({ name }) => at(name))]);
    return readFileSync(at("native.so"));
  } finally {
    rmSync(folder, { recursive: true });
  }
}

function gcc(args: readonly string[]): string {
  const { exitCode, stdout, stderr } = Bun.spawnSync(["gcc", ...args], {
    cwd: join(import.meta.dir, "native"),
  });
  if (exitCode !== 0) throw new Error(`gcc ${args.join(" ")}\n${stderr.toString()}`);
  return stdout.toString();
}

async function write(name: string, bytes: Uint8Array): Promise<void> {
  await Bun.write(join(import.meta.dir, name), bytes);
  const sums = Bun.file(join(import.meta.dir, "../SHA256SUMS"));
  const sha256 = createHash("sha256").update(bytes).digest("hex");
  const others = (await sums.text()).split("\n").filter((line) => line && !line.endsWith(` kernel/${name}`));
  await Bun.write(sums, `${[...others, `${sha256}  kernel/${name}`].join("\n")}\n`);
  console.log(`${sha256}  kernel/${name} (${bytes.length} bytes)`);
}

async function main(): Promise<void> {
  await write("kernel.wasm", await buildKernel());
  if (compiler() === undefined)
    console.log("native-linux-x64.so stays as it is: there is no gcc for x86-64.");
  else await write("native-linux-x64.so", buildNative());
}

if (import.meta.main) await main();

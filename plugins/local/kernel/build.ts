/**
 * Compiles portable/ to kernel.wasm and kernel-plain.wasm, and native/ to native-linux-x64.so, and writes their sha256:
 * `bun plugins/local/kernel/build.ts`.
 * native/ needs gcc on an x86-64 machine; without it the committed file is kept.
 * The same source and compiler give the same bytes: tests compare them with the committed files.
 */
import { createHash } from "node:crypto";
import { join } from "node:path";
import { compile } from "../../../.ci/assemblyscript";
import { compile as compileC, compiler } from "../../../.ci/gcc";

const FURTHER_OPTIONS = [
  // One memory for all threads, made by ../wasm.ts; a shared memory must declare its maximum.
  "--enable",
  "threads",
  "--importMemory",
  "--sharedMemory",
  "--initialMemory",
  "1",
  "--maximumMemory",
  "65536",
];

/** Without this option gcc keeps the innermost loop's sums both in registers and in memory, at half the speed. */
const INNERMOST = "-fno-tree-coalesce-vars";

/** One object file each; each variant has its own instruction set, which `can_run` of native/loader.c checks for. */
const OBJECTS = [
  { name: "loader.o", source: "loader.c", options: [INNERMOST] },
  { name: "sse2.o", source: "kernel.c", options: [INNERMOST, '-DLANES="lanes-sse2.h"'] },
  { name: "avx2.o", source: "kernel.c", options: [INNERMOST, "-mavx2", '-DLANES="lanes-avx2.h"'] },
  {
    name: "avx512.o",
    source: "kernel.c",
    options: [
      INNERMOST,
      "-mavx512f",
      "-mavx512dq",
      "-mavx512bw",
      "-mavx512vl",
      "-mavx512vnni",
      '-DLANES="lanes-avx512.h"',
    ],
  },
] as const;

const foldersOf = (stages: string) => [
  join(import.meta.dir, "portable"),
  join(import.meta.dir, "portable", stages),
];

/** kernel.wasm's bytes from portable/kernel.ts. @throws Error with the compiler's message if it does not compile */
export const buildKernel = () =>
  compile(foldersOf("simd"), "kernel.ts", ["--enable", "simd", ...FURTHER_OPTIONS]);

/** The same for kernel-plain.wasm: the module without SIMD. */
export const buildPlainKernel = () =>
  compile(foldersOf("plain"), "kernel.ts", ["--disable", "simd", ...FURTHER_OPTIONS]);

/** native-linux-x64.so's bytes from native/kernel.c and native/loader.c. @throws Error with gcc's message if they do not compile */
export const buildNative = () => compileC(join(import.meta.dir, "native"), OBJECTS);

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
  await write("kernel-plain.wasm", await buildPlainKernel());
  if (compiler() === undefined)
    console.log("native-linux-x64.so stays as it is: there is no gcc for x86-64.");
  else await write("native-linux-x64.so", buildNative());
}

if (import.meta.main) await main();

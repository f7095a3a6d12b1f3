/**
 * Compiles portable/ to kernel.wasm and native/ to native-linux-x64.so, and notes their sha256: `bun plugins/local/kernel/build.ts`.
 * The C of native/ needs gcc on an x86-64 machine; without it the committed file stays.
 * The same source and compiler give the same bytes; tests hold the committed files to that.
 */
import { createHash } from "node:crypto";
import { join } from "node:path";
import { compile } from "../../../.ci/assemblyscript";
import { compile as compileC, compiler } from "../../../.ci/gcc";

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

/** With it gcc keeps the innermost loop's sums twice, in registers and in memory: half the speed. */
const INNERMOST = "-fno-tree-coalesce-vars";

/** One object file each; the instructions that a variant may use are its own, as `can_run` of native/loader.c asks for them. */
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

/** kernel.wasm's bytes from portable/kernel.ts. @throws Error with the compiler's words when it does not compile */
export const buildKernel = () => compile(join(import.meta.dir, "portable"), "kernel.ts", FURTHER_OPTIONS);

/** native-linux-x64.so's bytes from native/kernel.c and native/loader.c. Throws with gcc's words when they do not compile. */
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
  if (compiler() === undefined)
    console.log("native-linux-x64.so stays as it is: there is no gcc for x86-64.");
  else await write("native-linux-x64.so", buildNative());
}

if (import.meta.main) await main();

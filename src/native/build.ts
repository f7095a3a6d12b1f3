/**
 * Compiles kernel/ to native-linux-x64.so: `bun src/native/build.ts`, with gcc on an x86-64 machine.
 * The same source and compiler give the same bytes: a test compares them with the committed file.
 */
import { join } from "node:path";
import { compile } from "../../.ci/gcc";

/** One object file each; each variant has its own instruction set, which `can_run` of kernel/loader.c checks for. */
const OBJECTS = [
  { name: "loader.o", source: "loader.c", options: [] },
  {
    name: "avx2.o",
    source: "kernel.c",
    options: ["-mavx2", "-mlzcnt", '-DLANES_OF="lanes-avx2.h"'],
  },
  {
    name: "avx512.o",
    source: "kernel.c",
    options: [
      "-mavx512f",
      "-mavx512dq",
      "-mavx512bw",
      "-mavx512vl",
      "-mavx512vbmi",
      "-mlzcnt",
      '-DLANES_OF="lanes-avx512.h"',
    ],
  },
] as const;

/** native-linux-x64.so's bytes. libgcc detects a processor's instructions. @throws Error with gcc's message if it does not compile */
export const buildNative = () => compile(join(import.meta.dir, "kernel"), OBJECTS, ["-lgcc"]);

if (import.meta.main) await Bun.write(join(import.meta.dir, "native-linux-x64.so"), buildNative());

/**
 * Compiles numbers.ts to numbers.wasm: `bun src/replies/kernel/build.ts`.
 * The same source and compiler give the same bytes: a test compares them with the committed file.
 */
import { join } from "node:path";
import { compile } from "../../../.ci/assemblyscript";

/** numbers.wasm's bytes from numbers.ts. @throws Error with the compiler's message if it does not compile */
export const buildKernel = () => compile([import.meta.dir], "numbers.ts", ["--enable", "simd"]);

if (import.meta.main) await Bun.write(join(import.meta.dir, "numbers.wasm"), await buildKernel());

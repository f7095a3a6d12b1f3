/**
 * The WebAssembly module that this machine can run, and its memory, one for all Workers of a pool: it holds the weights once, and each Worker
 * takes its own part. The layout of a part is in kernel/portable/memory.ts.
 */
import simdPath from "./kernel/kernel.wasm" with { type: "file" };
import plainPath from "./kernel/kernel-plain.wasm" with { type: "file" };
import weightsPath from "./weights/weights.bin" with { type: "file" };

export interface Wasm {
  readonly kernel: "wasm";
  readonly modulePath: string;
  readonly memory: WebAssembly.Memory;
  readonly parametersAt: number;
}

const PAGE = 65_536;
/** 2 GB of addresses, not of memory. A Worker takes 5 MB, which are not freed if the Worker dies. */
const MAX_PAGES = 32_768;
/** The module's own few bytes are in the first page. */
const PARAMETERS_AT = PAGE;
/** The smallest module with a SIMD instruction: a function that creates a v128 and drops it. */
const SIMD_MODULE = Uint8Array.from([
  ...[0, 97, 115, 109, 1, 0, 0, 0, 1, 4, 1, 96, 0, 0, 3, 2, 1, 0, 10, 9, 1, 7, 0, 65, 0, 253, 15, 26, 11],
]);
/** Copied piece by piece, because one large copy would block the event loop for 20 ms. */
const PIECE = 1024 * 1024;

/** JavaScriptCore has no SIMD on x86-64 processors without AVX. */
export const hasSimd = () => WebAssembly.validate(SIMD_MODULE);

/** @param isSimd false: the module that needs no SIMD, which gives the same bits and takes about six times as long */
export async function loadWasm(isSimd = hasSimd()): Promise<Wasm> {
  const weights = Bun.file(weightsPath);
  const initial = Math.ceil((PARAMETERS_AT + weights.size) / PAGE);
  const memory = new WebAssembly.Memory({ initial, maximum: MAX_PAGES, shared: true });
  const target = new Uint8Array(memory.buffer, PARAMETERS_AT, weights.size);
  for (let from = 0; from < weights.size; from += PIECE) {
    const piece = weights.slice(from, Math.min(from + PIECE, weights.size));
    target.set(new Uint8Array(await piece.arrayBuffer()), from);
  }
  return { kernel: "wasm", modulePath: isSimd ? simdPath : plainPath, memory, parametersAt: PARAMETERS_AT };
}

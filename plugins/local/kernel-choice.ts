/**
 * Chooses the kernel: the one that the options name, else the fastest that this machine supports. All kernels give bit-identical vectors.
 * `wasm` works on every machine: where WebAssembly has no SIMD, wasm.ts takes the module that needs none.
 */
import type { Setup } from "./messages";
import { loadNative, type Machine, NATIVE_KERNELS } from "./native";
import { loadWasm } from "./wasm";

export const KERNELS = ["wasm", ...NATIVE_KERNELS] as const;
export type KernelName = (typeof KERNELS)[number];

/**
 * @param wanted undefined: the fastest. The reason why a faster kernel cannot be used is reported only if it was named, since the vectors are
 * the same without it. Throws the reason when the wanted kernel is not available.
 */
export async function chooseKernel(
  wanted: KernelName | undefined,
  machine: Machine = process,
): Promise<Setup> {
  if (wanted === "wasm") return loadWasm();
  if (wanted !== undefined) return loadNative(wanted, machine);
  for (const kernel of NATIVE_KERNELS.toReversed()) {
    const native = await loadNative(kernel, machine).catch(() => undefined);
    if (native !== undefined) return native;
  }
  return loadWasm();
}

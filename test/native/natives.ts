/**
 * Each kind of machine code that this machine can run. If it can run none, its tests have nothing to compare.
 */
import { type NativeBytes, openNative, VARIANTS } from "../../src/native/native";

export const NATIVES: readonly NativeBytes[] = VARIANTS.flatMap((variant) => {
  try {
    return [openNative(variant)];
  } catch {
    return [];
  }
});

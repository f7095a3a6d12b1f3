/**
 * Each kind of machine code that this machine can run. Where it can run none, tests of them have nothing to compare.
 */
import { type NativeBytes, openNative, VARIANTS } from "../../src/native/native";

export const NATIVES: readonly NativeBytes[] = VARIANTS.flatMap((variant) => {
  try {
    return [openNative(variant)];
  } catch {
    return [];
  }
});

/**
 * A vector's numbers as an answer's JSON has them: short decimals that read back to the same float32, and not its doubles.
 * That they do is for dialects/float-digits.test.ts.
 */
import { printPage } from "../../src/printing/print";

export const printed = (values: Iterable<number>): number[] => {
  const vectors = [Float32Array.from(values)];
  return JSON.parse(new TextDecoder().decode(printPage({ encoding: "float", vectors, words: ["", ""] })));
};

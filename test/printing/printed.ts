/**
 * A vector's numbers as in an answer's JSON: short decimals that read back to the same float32, not the digits of its doubles.
 * float-digits.test.ts tests that they do.
 */
import { printPage } from "../../src/printing/print";

export const printed = (values: Iterable<number>): number[] => {
  const vectors = [Float32Array.from(values)];
  return JSON.parse(new TextDecoder().decode(printPage({ encoding: "float", vectors, words: ["", ""] })));
};

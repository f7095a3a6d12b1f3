/**
 * Learned input limits: how much of a text each target was seen to read. Learned here, remembered in its health and in the database, and what follows for a part.
 * How a cut is seen is cut-test.ts's (two texts, one vector) and src/tokens/belief.ts's (too small a count); a further sign calls `learn`.
 */
import { GatewayError } from "../domain/errors";
import type { LimitSeen } from "../domain/health";
import type { Part, Piece, Plan, Target } from "../domain/request";
import { healthOf } from "./choose";
import type { Work } from "./work";

/** No server is known to take less. */
const TOKENS_MIN = 16;

/** @param tokens that the target looks at in one text */
export function learn(
  { route, outside }: Work,
  target: Target,
  tokens: number,
  learnedBy: LimitSeen["learnedBy"],
): void {
  const health = healthOf(target);
  const { tokens: known = Number.POSITIVE_INFINITY, wholeTo } = health.limit;
  if (tokens >= known || tokens < TOKENS_MIN) return;
  health.limit = { tokens, learnedBy, wholeTo: Math.min(wholeTo, tokens) };
  target.provider.keepLimit?.(target.model, route.space);
  const { provider, model } = target;
  const about = { provider: provider.name, model, max_input_tokens: tokens };
  if (learnedBy === "words") outside.log("info", "input limit learned from the provider's error", about);
  else
    outside.log("warn", "provider truncates long texts silently: longer texts are no longer sent whole", {
      ...about,
      mend: "set max_input_tokens of the model in the routing file",
    });
}

/** Texts of so many tokens were seen to be looked at whole. */
export function noteWhole({ route }: Work, target: Target, tokens: number, isLasting = true): void {
  const health = healthOf(target);
  if (tokens <= health.limit.wholeTo) return;
  health.limit = { ...health.limit, wholeTo: tokens };
  if (isLasting) target.provider.keepLimit?.(target.model, route.space);
}

/** Whether texts may be longer than the target looks at. */
export function isKnownToCut(target: Target): boolean {
  const { tokens, learnedBy } = healthOf(target).limit;
  return tokens !== undefined && learnedBy !== "words";
}

/** Where no vocabulary is known: no model in use needs more tokens than one for every two bytes of a text of many words. */
const BYTES_A_TOKEN = 2;
/** A token is a byte at least, beside a few that mark a text's ends. */
const MARKS_MAX = 8;

/** @throws GatewayError cut_silently for texts that are longer than the target was seen to look at, or may be */
export async function refuseLonger(
  { pieces }: Part,
  target: Target,
  { outside, signal }: Work,
): Promise<void> {
  const { limit } = healthOf(target);
  const { tokens: tokensMax, learnedBy } = limit;
  if (tokensMax === undefined || learnedBy === "words") return;
  const { tokenizer, max_input_tokens } = target.facts;
  // By then the texts were made to fit.
  if (tokenizer && max_input_tokens !== undefined && max_input_tokens <= tokensMax) return;
  // Usage tells of each text whether it was cut; of a server whose usage proves nothing, every text that may be too long is.
  let index =
    learnedBy === "usage" ? -1 : pieces.findIndex(({ input }) => sizeOf(input) > tokensMax * BYTES_A_TOKEN);
  if (tokenizer && outside.tokens) {
    const texts = pieces.map(({ input }) => (typeof input === "string" ? input : ""));
    const isShort = texts.every((text) => Buffer.byteLength(text) + MARKS_MAX <= tokensMax);
    const counts = isShort ? [] : await outside.tokens.count(tokenizer, texts, tokensMax, signal);
    index = counts.findIndex((count) => count > tokensMax);
  }
  if (index === -1) return;
  const what = tokenizer ? "and this one has more" : "and this one may have more";
  const tokenizerToo = tokenizer ? "" : "tokenizer, where it is a known one, and ";
  throw new GatewayError(
    "cut_silently",
    `The provider silently truncates texts to ${tokensMax} tokens, ${what}. Send it in shorter pieces, or set ${tokenizerToo}long_input: truncate or average for the model '${target.model}' in the routing file.`,
    { tokensMax, input: index },
  );
}

/**
 * Of a server that was seen to cut, by its count, where no vocabulary says how long a text is: what may be longer goes alone, so that the
 * count is its own. Undefined: no text need go alone.
 */
export function sharedBytesMax(target: Target): number | undefined {
  const { tokens, learnedBy } = healthOf(target).limit;
  const isDecided = tokens === undefined || learnedBy !== "usage" || target.facts.tokenizer !== undefined;
  return isDecided ? undefined : Math.max(0, tokens - MARKS_MAX);
}

/** @throws GatewayError of a call in which no count tells what became of a text; it is made anew in parts that limitsOf allows */
export function refuseUndecided(
  { pieces }: Part,
  target: Target,
  { indivisible }: Pick<Plan, "indivisible">,
): void {
  const bytesMax = sharedBytesMax(target);
  if (bytesMax === undefined || pieces.length === 1 || !pieces.some(({ input }) => sizeOf(input) > bytesMax))
    return;
  throw new GatewayError(
    indivisible ? "cut_silently" : "too_many_tokens",
    `The provider looks at the first ${healthOf(target).limit.tokens} tokens of a text and says nothing of the rest, and its count for several texts does not tell whether one is longer. Send them one by one.`,
  );
}

/**
 * Whether a text that went alone was cut, or may have been: its count is all that the server looks at. One of just so many tokens is taken
 * for a longer one.
 */
export function fillsLimit(
  { pieces: [only, ...others] }: Part,
  target: Target,
  counted: number | undefined,
): boolean {
  const bytesMax = sharedBytesMax(target);
  if (bytesMax === undefined || only === undefined || others.length > 0 || counted === undefined)
    return false;
  return sizeOf(only.input) > bytesMax && counted >= (healthOf(target).limit.tokens ?? counted + 1);
}

export const sizeOf = (input: Piece["input"]) =>
  typeof input === "string" ? Buffer.byteLength(input) : input.length * BYTES_A_TOKEN;

/**
 * How many tokens a call used: the provider's count, or an estimate that is marked as one.
 * The count of each input is exact if the plugin gives it; otherwise src/cache/apportion.ts divides the sum.
 */
import type { TokensSource } from "../domain/request";
import type { EmbedReply, Input } from "../plugin";

export interface Count {
  readonly tokens: number;
  readonly tokensSource: TokensSource;
  /** The tokens of each input, if known: they add up to `tokens`. */
  readonly tokensByInput: readonly number[] | undefined;
}

/** A reply, with our own count of its inputs if the provider's is unusable and the model's vocabulary is known. */
export interface CountedReply extends EmbedReply {
  readonly ownCount?: readonly number[];
}

export function countOf(reply: CountedReply, inputs: readonly Input[]): Count {
  const { tokens, tokensSource, tokensByInput, ownCount } = reply;
  if (!isCount(tokens) && ownCount?.length === inputs.length) {
    const own = ownCount.reduce((sum, one) => sum + one, 0);
    return { tokens: own, tokensSource: "estimated", tokensByInput: ownCount };
  }
  if (!isCount(tokens)) {
    return estimateOf(inputs);
  }
  if (inputs.length === 1) return { tokens, tokensSource, tokensByInput: [tokens] };
  const isExact = tokensByInput !== undefined && addsUp(tokensByInput, tokens, inputs);
  return { tokens, tokensSource, tokensByInput: isExact ? tokensByInput : undefined };
}

/** Used if no count is given. */
export const estimateOf = (inputs: readonly Input[]): Count => ({
  tokens: estimatedTokens(inputs),
  tokensSource: "estimated",
  tokensByInput: undefined,
});

/** Whether a plugin's counts of the inputs agree with its count of the whole call. */
export function addsUp(
  byInput: unknown,
  tokens: number | undefined,
  { length }: { readonly length: number },
): boolean {
  if (!Array.isArray(byInput) || byInput.length !== length) return false;
  const counts: readonly unknown[] = byInput;
  return counts.every(isCount) && counts.reduce((sum, one) => sum + one, 0) === tokens;
}

const isCount = (tokens: unknown): tokens is number => Number.isSafeInteger(tokens) && Number(tokens) >= 0;

/** The estimate: four bytes per token, as in English text; at least one token for a text that is not empty. */
export function estimatedTokens(inputs: readonly Input[]): number {
  let tokens = 0;
  for (const input of inputs) {
    tokens += typeof input === "string" ? Math.ceil(Buffer.byteLength(input) / 4) : input.length;
  }
  return tokens;
}

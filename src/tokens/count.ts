/**
 * How many tokens a call came to: what the provider says, else an estimate that says of itself that it is one.
 */
import type { TokensSource } from "../domain";
import type { EmbedReply, Input } from "../plugin";

export function countOf(
  reply: EmbedReply,
  inputs: readonly Input[],
): { readonly tokens: number; readonly tokensSource: TokensSource } {
  const { tokens, tokensSource } = reply;
  if (tokens !== undefined && Number.isSafeInteger(tokens) && tokens >= 0) return { tokens, tokensSource };
  return { tokens: estimatedTokens(inputs), tokensSource: "estimated" };
}

/** Where nobody counted: four bytes a token, as English text has it; never nothing for something. */
export function estimatedTokens(inputs: readonly Input[]): number {
  let tokens = 0;
  for (const input of inputs) {
    tokens += typeof input === "string" ? Math.ceil(Buffer.byteLength(input) / 4) : input.length;
  }
  return tokens;
}

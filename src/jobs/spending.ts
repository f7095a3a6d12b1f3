/** What a job has cost and what its calls in flight may cost, in whole pico-USD, compared with its spending limit. */
import { picoUsdPerToken } from "../books/money";
import type { ModelFacts } from "./sender";

/** Marks that a model puts around each text, such as [CLS] and [SEP]. */
const TOKENS_AROUND = 8;

export interface Spending {
  /** Whether the chunk may be sent: `wait` until calls in flight have reported their cost, `never` if it would exceed the limit. */
  mayHold(texts: readonly string[]): "now" | "wait" | "never";
  /** @returns a function that ends the hold */
  hold(texts: readonly string[]): () => void;
  add(tokens: number, tokensBilled: number): bigint | null;
  /** What an earlier run has paid. */
  carryOver(tokens: number, cost: bigint): void;
  readonly tokens: number;
  /** undefined if the price is unknown. */
  readonly cost: bigint | undefined;
}

/**
 * @param most the limit in pico-USD
 */
export function createSpending(
  { price, prompt_bytes }: Pick<ModelFacts, "price" | "prompt_bytes">,
  most: bigint | undefined,
): Spending {
  const perToken = price === undefined ? undefined : picoUsdPerToken(price);
  let tokens = 0;
  let cost = 0n;
  let held = 0n;
  // A token is at least one byte of text.
  const boundOf = (texts: readonly string[]) =>
    BigInt(texts.reduce((sum, text) => sum + Buffer.byteLength(text) + prompt_bytes + TOKENS_AROUND, 0)) *
    (perToken ?? 0n);
  return {
    mayHold(texts) {
      if (most === undefined) return "now";
      const bound = boundOf(texts);
      if (cost + bound > most) return "never";
      return cost + held + bound > most ? "wait" : "now";
    },
    hold(texts) {
      const bound = boundOf(texts);
      held += bound;
      return () => {
        held -= bound;
      };
    },
    add(more, billed) {
      tokens += more;
      if (perToken === undefined) return null;
      const added = BigInt(billed) * perToken;
      cost += added;
      return added;
    },
    carryOver(before, paid) {
      tokens += before;
      cost += paid;
    },
    get tokens() {
      return tokens;
    },
    get cost() {
      return perToken === undefined ? undefined : cost;
    },
  };
}

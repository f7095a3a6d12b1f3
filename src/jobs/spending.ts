/** What a job has cost and what its calls in flight may come to, in whole pico-USD, against the most that it may cost. */
import { picoUsdPerToken } from "../books/money";
import type { ModelFacts } from "./sender";

/** Marks that a model puts around each text: [CLS], [SEP] and the like. */
const TOKENS_AROUND = 8;

export interface Spending {
  /** Whether the chunk may be sent: `wait` until calls in flight have said what they cost, `never` where it would cross the line. */
  mayHold(texts: readonly string[]): "now" | "wait" | "never";
  /** @returns ends the hold */
  hold(texts: readonly string[]): () => void;
  add(tokens: number, tokensBilled: number): bigint | null;
  /** What a run before has paid. */
  carryOver(tokens: number, cost: bigint): void;
  readonly tokens: number;
  /** undefined where no price is known. */
  readonly cost: bigint | undefined;
}

/**
 * @param most pico-USD
 */
export function createSpending(
  { price, prompt_bytes }: Pick<ModelFacts, "price" | "prompt_bytes">,
  most: bigint | undefined,
): Spending {
  const perToken = price === undefined ? undefined : picoUsdPerToken(price);
  let tokens = 0;
  let cost = 0n;
  let held = 0n;
  // A token is a byte of text or more.
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

/** The estimate that is printed before anything is sent: tokens (by a sample of the texts), price, and approximate duration. */
import { picoUsdPerToken, usdOf } from "../books/money";
import { inUnits } from "../terminal/duration";
import type { Sender } from "./sender";
import type { Survey } from "./survey";

export interface Estimate {
  readonly tokens: number;
  /** Whether the sample was counted with the model's own vocabulary. */
  readonly isCounted: boolean;
  /** Pico-USD; undefined if the price is unknown. */
  readonly cost: bigint | undefined;
  readonly calls: number;
  readonly took_ms: number;
}

/** The assumed duration of a call, since none has been made yet. */
const CALL_MS = 1_000;

export async function estimate(
  { texts, bytes, sample }: Pick<Survey, "texts" | "bytes" | "sample">,
  { facts, count }: Pick<Sender, "facts" | "count">,
  inputsPerCall: number,
  concurrency: number,
): Promise<Estimate> {
  const sampled = sample.reduce((sum, text) => sum + Buffer.byteLength(text), 0);
  const counted = await count(sample);
  const tokens = sampled === 0 ? 0 : Math.ceil((counted.tokens * bytes) / sampled);
  const calls = Math.ceil(texts / Math.max(1, inputsPerCall));
  return {
    tokens,
    isCounted: counted.isExact,
    cost: facts.price === undefined ? undefined : BigInt(tokens) * picoUsdPerToken(facts.price),
    calls,
    took_ms: Math.ceil(calls / concurrency) * CALL_MS,
  };
}

export function inWords(
  { rows, texts, duplicates, unusable }: Survey,
  { tokens, isCounted, cost, calls, took_ms }: Estimate,
  price: number | undefined,
  concurrency: number,
): string[] {
  const number = (value: number) => value.toLocaleString("en-US");
  return [
    `rows:       ${number(rows)}`,
    `texts:      ${number(texts)} to send, ${number(duplicates)} duplicates, ${number(unusable)} without a text`,
    `tokens:     about ${number(tokens)} (${isCounted ? "a sample was counted with the model's vocabulary" : "estimated at 4 bytes a token"})`,
    `cost:       ${cost === undefined ? "unknown: the model has no price" : `about ${dollars(cost)} at $${price} per million tokens`}`,
    `time:       about ${roughly(took_ms)} (${number(calls)} calls, ${concurrency} at once, if a call takes ${inUnits(CALL_MS)})`,
  ];
}

/** Pico-USD as dollars and cents, or with the first significant digits of smaller amounts. */
export function dollars(cost: bigint): string {
  const usd = Number(usdOf(cost));
  return `$${usd >= 1 ? usd.toFixed(2) : Number(usd.toPrecision(2))}`;
}

export function roughly(ms: number): string {
  const seconds = Math.ceil(ms / 1_000);
  if (seconds < 60) return `${seconds} s`;
  if (seconds < 3_600) return `${Math.ceil(seconds / 60)} min`;
  return `${Math.floor(seconds / 3_600)} h ${Math.ceil((seconds % 3_600) / 60)} min`;
}

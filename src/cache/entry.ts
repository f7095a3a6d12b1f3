/**
 * What the cache stores for one input: its vector, and what the first answer said about it. Checked on the way in, copied on the way out.
 * A new thing that a cache hit must report is a member here, stored in row.ts, whose format version is raised.
 */

import { GatewayError } from "../domain/errors";
import type { TokensSource } from "../domain/request";

/** Made by key.ts: 64 hexadecimal digits if something is stored under it. */
export type CacheKey = string;

export interface CacheEntry {
  readonly values: Float32Array;
  /** Tokens of this one input. */
  readonly tokens: number;
  readonly tokensSource: TokensSource;
  readonly truncated: boolean;
  readonly averaged: boolean;
}

/** Nothing doubtful is stored: a wrong vector in the cache stays wrong for ever. @throws GatewayError internal */
export function refuseUnsound({ values, tokens }: CacheEntry): void {
  if (values.length === 0) throw unsound("a vector without numbers");
  let sum = 0;
  for (let i = 0; i < values.length; i++) {
    const value = values[i] ?? 0;
    sum += value * value;
  }
  if (!Number.isFinite(sum)) throw unsound("a vector with a number that is not finite");
  if (sum === 0) throw unsound("a vector of zeros");
  if (!Number.isSafeInteger(tokens) || tokens < 0) throw unsound("a token count that is none");
}

/**
 * A copy with its own numbers. `slice` also detaches the vector from the batch buffer that it was a view of, which would otherwise stay in
 * memory as long as one of its vectors is cached.
 */
export function copyOf({ values, tokens, tokensSource, truncated, averaged }: CacheEntry): CacheEntry {
  return { values: values.slice(), tokens, tokensSource, truncated, averaged };
}

const unsound = (what: string) => new GatewayError("internal", `The cache was given ${what} to keep.`);

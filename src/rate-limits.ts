/**
 * Requests and tokens a minute, a workspace: buckets that fill up continuously, so that a minute's worth may come at once but never two.
 * A further limit is a further bucket in `take`.
 */
import { GatewayError } from "./errors";
import type { Outside } from "./outside";
import type { WorkspaceRules } from "./workspaces";

export interface RateLimits {
  /**
   * Takes one request and its tokens, as estimated: nobody has counted them yet.
   * @returns what to call with the real count, once it is known
   * @throws GatewayError rate_limited, with the time after which it would pass
   */
  take(rules: Limited, tokens: number): (actual: number) => void;
  /** The six headers that OpenAI's clients read; none for a workspace without limits. */
  headers(rules: Limited): Record<string, string>;
}

export type Limited = Pick<WorkspaceRules, "name" | "requestsPerMinute" | "tokensPerMinute">;

interface Bucket {
  /** May be below zero: what came to more than was estimated is paid back by waiting. */
  level: number;
  at: number;
}

const MINUTE_MS = 60_000;
/** A bucket that is full again is as good as none. */
const BUCKETS_MAX = 20_000;

export function createRateLimits({ monotonic }: Pick<Outside, "monotonic">): RateLimits {
  const buckets = new Map<string, Bucket>();

  function bucketOf(key: string, limit: number): Bucket {
    const now = monotonic();
    const bucket = buckets.get(key) ?? { level: limit, at: now };
    bucket.level = Math.min(limit, bucket.level + ((now - bucket.at) * limit) / MINUTE_MS);
    bucket.at = now;
    buckets.set(key, bucket);
    if (buckets.size > BUCKETS_MAX) {
      const [oldest] = buckets.keys();
      if (oldest !== undefined) buckets.delete(oldest);
    }
    return bucket;
  }

  const both = ({ name, requestsPerMinute, tokensPerMinute }: Limited) =>
    [
      { what: "requests", limit: requestsPerMinute, key: JSON.stringify(["requests", name]) },
      { what: "tokens", limit: tokensPerMinute, key: JSON.stringify(["tokens", name]) },
    ] as const;

  function headers(rules: Limited): Record<string, string> {
    const named: Record<string, string> = {};
    for (const { what, limit, key } of both(rules)) {
      if (limit === undefined) continue;
      const { level } = bucketOf(key, limit);
      named[`x-ratelimit-limit-${what}`] = String(limit);
      named[`x-ratelimit-remaining-${what}`] = String(Math.max(0, Math.floor(level)));
      named[`x-ratelimit-reset-${what}`] = duration(((limit - level) * MINUTE_MS) / limit);
    }
    return named;
  }

  return {
    take(rules, tokens) {
      const amounts = { requests: 1, tokens };
      const taken: { bucket: Bucket; what: "requests" | "tokens" }[] = [];
      for (const { what, limit, key } of both(rules)) {
        if (limit === undefined) continue;
        const bucket = bucketOf(key, limit);
        // One request of more than a minute's worth passes when the bucket is full: else it never would.
        const needed = Math.min(amounts[what], limit);
        if (bucket.level < needed) {
          const waitMs = ((needed - bucket.level) * MINUTE_MS) / limit;
          throw limited(what, limit, waitMs, headers(rules));
        }
        taken.push({ bucket, what });
      }
      for (const { bucket, what } of taken) bucket.level -= amounts[what];
      return (actual) => {
        for (const { bucket, what } of taken) if (what === "tokens") bucket.level += tokens - actual;
      };
    },
    headers,
  };
}

function limited(what: string, limit: number, waitMs: number, headers: Record<string, string>): GatewayError {
  const retryAfterMs = Math.ceil(waitMs);
  return new GatewayError(
    "rate_limited",
    `Rate limit reached: the workspace may send ${limit} ${what} per minute. Try again in ${duration(retryAfterMs)}.`,
    { retryAfterMs, headers },
  );
}

/** As Go writes it, and OpenAI's headers: 20ms, 1.5s, 6m0s. */
export function duration(milliseconds: number): string {
  const ms = Math.max(0, Math.ceil(milliseconds));
  if (ms < 1_000) return `${ms}ms`;
  const seconds = ms / 1_000;
  if (seconds < 60) return `${Number(seconds.toFixed(3))}s`;
  return `${Math.floor(seconds / 60)}m${Number((seconds % 60).toFixed(3))}s`;
}

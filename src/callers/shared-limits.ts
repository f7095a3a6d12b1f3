/**
 * Rate limits of workspaces that several machines share on a server: a script takes from a bucket by the server's clock, so that
 * all machines together let through what a single one would. While the server does not answer, each machine uses its own share of each limit.
 * The buckets are those of rate-limits.ts; a change of their rules must be made in both.
 */
import type { EndSignal } from "../domain/ending";
import { GatewayError } from "../domain/errors";
import type { Outside } from "../domain/outside";
import { unlessAborted } from "../domain/until";
import type { Reply } from "../domain/valkey";
import type { Link } from "../valkey/link";
import type { Names } from "../valkey/names";
import { script } from "../valkey/script";
import { headersFor, limited, MINUTE_MS, type Told } from "./limit-words";
import type { Correct, Limited, OwnRateLimits, RateLimits } from "./rate-limits";

/** In the headers of answers whose limits were this machine's share. */
const DEGRADED = { "x-embedgate-limits": "degraded" } as const;

/**
 * A bucket is the time that was missing to a full one, when that was, and its limit at that time: `MISSING AT LIMIT`, in microseconds.
 * It expires when it is full. A difference below half a microsecond is ignored: thirds add up to it.
 * ARGV: limit, amount, and whether it may be refused. Returns whether it passed, and what is missing now.
 */
const TAKE = script(`
local minute = 60000000
local limit, amount = tonumber(ARGV[1]), tonumber(ARGV[2])
local time = redis.call('TIME')
local at = time[1] * 1000000 + time[2]
local missing = 0
local isAhead = false
local kept = redis.call('GET', KEYS[1])
if kept then
  local was, since, before = string.match(kept, '^(%S+) (%S+) (%S+)$')
  was, since, before = tonumber(was), tonumber(since), tonumber(before)
  if was and since and before and before > 0 then
    -- A replica that took over may have a clock that is behind: time begins anew, rather than standing still until it has caught up.
    isAhead = since > at
    missing = math.max(0, was - math.max(0, at - since))
    if before ~= limit then
      missing = math.min(missing * before / limit, math.max(missing, minute))
    end
  end
end
local wanted = amount * minute / limit
local passes = 1
if ARGV[3] == 'take' and missing + math.min(wanted, minute) > minute + 0.5 then passes = 0 end
local left = missing
if passes == 1 then left = math.max(0, missing + wanted) end
if passes == 1 or isAhead then
  redis.call('SET', KEYS[1], string.format('%.17g %.0f %.17g', left, at, limit), 'PX', math.ceil(left / 1000) + 1000)
end
return {passes, string.format('%.3f', left / 1000)}
`);

export interface SharedLimitsParts {
  readonly link: Link;
  readonly names: Pick<Names, "bucket">;
  /** How many machines the limits are divided among while the server does not answer; at least 1. */
  readonly machines: () => number;
  readonly outside: Pick<Outside, "monotonic">;
  /** Called for each request that this machine's share decided. */
  readonly degraded: () => void;
}

/** A bucket as it was last seen. */
interface Seen {
  readonly missingMs: number;
  /** On the monotonic clock. */
  readonly at: number;
}

interface Known {
  requests?: Seen;
  tokens?: Seen;
  isDegraded: boolean;
}

type What = "requests" | "tokens";

/** Callers may create workspaces with their tokens. */
const KNOWN_MAX = 65_536;

/** @param own this machine's limits, shared by its processes */
export function createSharedLimits(own: OwnRateLimits, parts: SharedLimitsParts): RateLimits {
  const { link, names, machines, outside } = parts;
  const known = new Map<string, Known>();

  function knownOf(workspace: string): Known {
    let one = known.get(workspace);
    if (one === undefined) {
      one = { isDegraded: false };
      if (known.size >= KNOWN_MAX) known.clear();
      known.set(workspace, one);
    }
    return one;
  }

  const missingOf = ({ missingMs, at }: Seen) => Math.max(0, missingMs - (outside.monotonic() - at));

  /** This machine's share of the limit, so that all shares together do not exceed it. */
  function shareOf(rules: Limited): Limited {
    const share = (limit: number | undefined) =>
      limit === undefined ? undefined : Math.max(1, Math.floor(limit / Math.max(1, machines())));
    return {
      name: rules.name,
      requestsPerMinute: share(rules.requestsPerMinute),
      tokensPerMinute: share(rules.tokensPerMinute),
    };
  }

  function headers(rules: Limited): Record<string, string> {
    const one = known.get(rules.name);
    if (one === undefined) return {};
    if (one.isDegraded) return { ...own.headers(shareOf(rules)), ...DEGRADED };
    const of = (what: What, limit: number | undefined) => {
      const seen = one[what];
      return limit === undefined || seen === undefined
        ? {}
        : headersFor({ what, limit, missingMs: missingOf(seen) });
    };
    return { ...of("requests", rules.requestsPerMinute), ...of("tokens", rules.tokensPerMinute) };
  }

  /**
   * @returns whether the server decided
   * @throws GatewayError rate_limited; the signal's reason
   */
  async function take(
    what: What,
    limit: number,
    amount: number,
    rules: Limited,
    signal?: EndSignal,
  ): Promise<boolean> {
    const asked = link.run(TAKE, [names.bucket(what, rules.name)], [limit, amount, "take"], readTaken);
    const taken = signal ? await unlessAborted(signal, asked) : await asked;
    const one = knownOf(rules.name);
    one.isDegraded = taken === undefined;
    if (taken === undefined) return false;
    const { missingMs } = taken;
    one[what] = { missingMs, at: outside.monotonic() };
    if (taken.passes) return true;
    const told: Told = { what, limit, missingMs };
    const neededMs = Math.min((amount * MINUTE_MS) / limit, MINUTE_MS);
    throw limited(told, Math.max(0, missingMs + neededMs - MINUTE_MS), headers(rules));
  }

  function byShare<Value>(rules: Limited, work: (share: Limited) => Value): Value {
    try {
      return work(shareOf(rules));
    } catch (thrown) {
      if (!(thrown instanceof GatewayError) || thrown.kind !== "rate_limited") throw thrown;
      const { retryAfterMs, message } = thrown;
      throw new GatewayError(
        "rate_limited",
        `${message} (The server that keeps the limits of all machines does not answer: this is one machine's share of the limit.)`,
        { retryAfterMs, headers: { ...thrown.headers, ...DEGRADED } },
      );
    }
  }

  async function takeRequest(rules: Limited, limit: number, signal?: EndSignal): Promise<undefined> {
    if (await take("requests", limit, 1, rules, signal)) return;
    parts.degraded();
    byShare(rules, (share) => own.takeRequest(share));
  }

  async function takeTokens(
    rules: Limited,
    limit: number,
    tokens: number,
    signal?: EndSignal,
  ): Promise<Correct> {
    if (!(await take("tokens", limit, tokens, rules, signal)))
      return byShare(rules, (share) => own.takeTokens(share, tokens));
    return (actual) => {
      if (actual === tokens) return;
      const { tokens: seen } = knownOf(rules.name);
      if (seen) {
        const missingMs = Math.max(0, missingOf(seen) + ((actual - tokens) * MINUTE_MS) / limit);
        knownOf(rules.name).tokens = { missingMs, at: outside.monotonic() };
      }
      // Not awaited. If it is lost, the bucket is some tokens off, for a minute at most.
      void link.run(
        TAKE,
        [names.bucket("tokens", rules.name)],
        [limit, actual - tokens, "correct"],
        readTaken,
      );
    };
  }

  return {
    takeRequest: (rules, signal) =>
      rules.requestsPerMinute === undefined ? undefined : takeRequest(rules, rules.requestsPerMinute, signal),
    takeTokens: (rules, tokens, signal) =>
      rules.tokensPerMinute === undefined
        ? () => undefined
        : takeTokens(rules, rules.tokensPerMinute, tokens, signal),
    // Not a caller's limit: what each machine may spend on measuring models.
    mayMeasure: own.mayMeasure,
    headers,
  };
}

function readTaken(reply: Reply): { readonly passes: boolean; readonly missingMs: number } | undefined {
  if (!Array.isArray(reply)) return undefined;
  const [passes, missing]: readonly Reply[] = reply;
  const missingMs = missing instanceof Uint8Array ? Number(Buffer.from(missing).toString()) : Number.NaN;
  if ((passes !== 0 && passes !== 1) || !(missingMs >= 0)) return undefined;
  return { passes: passes === 1, missingMs };
}

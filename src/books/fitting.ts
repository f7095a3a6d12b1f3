/**
 * Decides whether a request's possible cost fits into the rest of the credits and caps. Pure arithmetic, the same for every database.
 * The errors for a request that does not fit are here too.
 */
import { GatewayError } from "../domain/errors";
import { ceilingOf, creditsOf, exactCreditsOf, FEMTO_CREDITS_PER_MICRO_CREDIT, usdOf } from "./money";

/** Exact: nothing is rounded. */
export interface Amount {
  readonly femtoCredits: bigint;
  readonly picoUsd: bigint;
}

/** What a request may cost, before anybody has counted its tokens: the least and the most possible. */
export interface Estimate {
  readonly least: Amount;
  readonly most: Amount;
}

/** The balance of a workspace. */
export interface Balance {
  /** How far its charges, in whole micro-credits, exceed the exact sum of its costs: less than one micro-credit. */
  readonly femtoCreditsPrepaid: bigint;
  readonly microCreditsHeld: bigint;
  readonly picoUsdHeld: bigint;
}

/** Only one request at a time may use the amount by which earlier charges were rounded up: the others in flight have not settled yet. */
export function fitCredits(
  credits: bigint,
  account: Balance,
  least: Amount,
  most: Amount,
): bigint | "wait" | "none" {
  const isAlone = account.picoUsdHeld === 0n;
  const leastDue = due(least, account);
  if (isAlone) {
    const mostDue = due(most, account);
    if (credits >= mostDue) return mostDue;
    return credits < leastDue ? "none" : credits;
  }
  const fitting = fit(credits, account.microCreditsHeld, due(least, undefined), due(most, undefined));
  return fitting === "none" && credits >= leastDue ? "wait" : fitting;
}

/** The charge in whole micro-credits. Rounding up carries over: what earlier charges took beyond their exact sum is deducted. */
export function due(
  { femtoCredits }: Amount,
  account: Pick<Balance, "femtoCreditsPrepaid"> | undefined,
): bigint {
  const owed = femtoCredits - (account?.femtoCreditsPrepaid ?? 0n);
  return owed <= 0n ? 0n : ceilingOf(owed, FEMTO_CREDITS_PER_MICRO_CREDIT);
}

/**
 * How much of `left` a request may hold. Near the end, if the most possible cost does not fit, the request waits for the others in flight, which
 * may cost less than is held for them. A request without others in flight holds all that is left, if that covers the least possible cost.
 */
export function fit(left: bigint, others: bigint, least: bigint, most: bigint): bigint | "wait" | "none" {
  if (most === 0n || left - others >= most) return most;
  if (left < least || left <= 0n) return "none";
  return others > 0n ? "wait" : left;
}

export interface CapRoom {
  readonly period: "day" | "month";
  /** Both in pico-USD. */
  readonly limit: bigint;
  readonly left: bigint;
  readonly endsAt: () => number;
}

/** @param least in 10⁻¹⁵ credits */
export function insufficient(credits: bigint, held: bigint, least: bigint): GatewayError {
  const others = held === 0n ? "" : ` (${creditsOf(held)} of them held by requests in flight)`;
  return new GatewayError(
    "insufficient_credit",
    `The workspace has ${creditsOf(credits)} credits left${others}, and this request costs ${exactCreditsOf(least)} credits or more. The gateway's operator can grant more.`,
  );
}

export function capExceeded(
  { period, limit, left, endsAt }: CapRoom,
  least: bigint,
  at: number,
): GatewayError {
  const end = endsAt();
  const until = `The next ${period} begins at ${utc(end)}.`;
  // With nothing left, not even a request that may be free is allowed.
  const cost = usdOf(least > 0n ? least : 1n);
  return new GatewayError(
    "cap_exceeded",
    `The workspace may spend ${usdOf(limit)} USD a ${period} (cap_usd_per_${period}) and has spent ${usdOf(limit - left)}; this request costs ${cost} USD or more. ${until}`,
    {
      withoutCost: `The workspace's spending cap of this ${period} is reached. ${until}`,
      retryAfterMs: end - at,
    },
  );
}

/** For example 2026-11-29T00:00:00Z. */
const utc = (at: number) => new Date(at).toISOString().replace(/\.\d+Z$/, "Z");

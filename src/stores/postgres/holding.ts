/**
 * Inserts a request's row and holds what it may cost, in one statement. PostgreSQL checks the balance that was committed last, under the
 * row's lock, so READ COMMITTED is enough. Where it does not fit, no row is returned. Several requests of a workspace share one statement as
 * long as all of them fit together.
 */
import type { Terms } from "../../books/balances";
import {
  type CapRoom,
  capExceeded,
  due,
  type Estimate,
  fit,
  fitCredits,
  insufficient,
} from "../../books/fitting";
import type { LedgerRow } from "../../books/ledger-row";
import { periodAt, UTC } from "../../books/periods";
import type { GatewayError } from "../../domain/errors";
import { timeOf } from "./clock";
import type { Connection } from "./connection";
import { begunValues } from "./settling";

export interface Beginning {
  readonly row: LedgerRow;
  readonly estimate: Estimate;
  readonly terms: Terms;
  /** The batch whose reserve pays for the hold; left out: the workspace's balance does. */
  readonly reserve?: string | undefined;
}

export const UNIQUE_VIOLATION = "23505";

/** The amounts that are held for a row. */
export interface Held {
  readonly microCredits: bigint;
  readonly picoUsd: bigint;
}

/** The most that a request may cost, in whole micro-credits, whatever fraction the workspace has prepaid. */
export const mostOf = ({ most }: Estimate): Held => ({
  microCredits: due(most, undefined),
  picoUsd: most.picoUsd,
});

/** Requests with the same key share one statement: they have the same caps, or use the same reserve. */
export const termsKey = ({ row, terms: { caps }, reserve = "" }: Beginning) =>
  `${row.workspace}\0${caps.day}\0${caps.month}\0${caps.timeZone}\0${reserve}`;

const dayOf = (time: string, zone: string) =>
  `to_char(to_timestamp(${time} / 1000.0) AT TIME ZONE ${zone}, 'YYYY-MM-DD')`;

const COLUMNS = [
  ["request_id", "text"],
  ["workspace", "text"],
  ["key_id", "text"],
  ["model", "text"],
  ["provider", "text"],
  ["inputs", "bigint"],
  ["tokens_upstream", "bigint"],
  ["upstream_pico_usd", "bigint"],
  ["user", "text"],
  ["metadata", "text"],
  ["batch", "text"],
  ["micro_credits_held", "bigint"],
  ["pico_usd_held", "bigint"],
] as const;

const names = COLUMNS.map(([name]) => `"${name}"`).join(", ");
const shape = COLUMNS.map(([name, type]) => `"${name}" ${type}`).join(", ");

/** $1 the time, $2 the process, $3 the time zone, $4 the rows. */
const TIME = timeOf("$1");
const DAY = dayOf(TIME, "$3::text");
export const insertFrom = (held: string) => `
  INSERT INTO @ledger (started_at, process, spent_on, ${names})
  SELECT coalesce(r.started_at, ${TIME}), $2, ${DAY}, ${names} FROM json_to_recordset($4::text::json) AS r(started_at bigint, ${shape})${held}
  RETURNING request_id, micro_credits_held`;

/** $5 the workspace, $6 and $7 micro-credits and pico-USD to hold, $8 and $9 the caps. The row's sums count only for its own day and month. */
const capFits = (cap: string, spent: string, period: string, now: string, fits: (left: string) => string) =>
  `(${cap}::bigint IS NULL OR $7 = 0 OR ${fits(`${cap} - CASE WHEN ${period} >= ${now} THEN ${spent} ELSE 0 END`)})`;
export const capsFit = (fits: (left: string) => string) => `
    ${capFits("$8", "spent_day_pico_usd", "spent_day", DAY, fits)}
    AND ${capFits("$9", "spent_month_pico_usd", "spent_month", `left(${DAY}, 7)`, fits)}`;

/** Whether all that is to be held fits. */
export const ALL_FIT = `(micro_credits IS NULL OR micro_credits - micro_credits_held >= $6)
      AND ${capsFit((left) => `${left} - pico_usd_held >= $7`)}`;
const HOLD_ALL = `
  WITH held AS (
    UPDATE @workspaces SET micro_credits_held = micro_credits_held + $6, pico_usd_held = pico_usd_held + $7
    WHERE name = $5 AND ${ALL_FIT}
    RETURNING 1)
  ${insertFrom(", held")}`;

const dueOf = (femtoCredits: string) =>
  `div(greatest(${femtoCredits}::numeric - femto_credits_prepaid, 0) + 999999999, 1000000000)::bigint`;

/** A single request may hold all that is left, if that covers the least. $10, $11: most and least in 10⁻¹⁵ credits; $12: least in pico-USD. */
const HOLD_WHAT_IS_LEFT = `
  WITH held AS (
    UPDATE @workspaces SET pico_usd_held = $7,
      micro_credits_held = CASE WHEN micro_credits IS NULL THEN $6 ELSE least(micro_credits, ${dueOf("$10")}) END
    WHERE name = $5 AND micro_credits_held = 0 AND pico_usd_held = 0
      AND (micro_credits IS NULL OR micro_credits >= ${dueOf("$11")})
      AND ${capsFit((left) => `(${left} >= $12 AND ${left} > 0)`)}
    RETURNING micro_credits_held AS rest)
  ${insertFrom(", held").replace('"micro_credits_held", "pico_usd_held" FROM', 'held.rest, "pico_usd_held" FROM')}`;

const INSERT = insertFrom("");

/** Holds against this process's lease (leases.ts), if it still has it. $5 the workspace. */
const INSERT_LEASED = insertFrom(", (SELECT 1 FROM @leases WHERE workspace = $5 AND process = $2) AS lease");

/** $5 the batch. Its rows take from what is left of its reserve, one after the other. Too little is not refused, as the whole batch was held. */
const TAKE = `
  WITH reserve AS (SELECT micro_credits, pico_usd FROM @reserves WHERE id = $5 FOR UPDATE),
  wanted AS (
    SELECT request_id, micro_credits_held, pico_usd_held, coalesce((SELECT micro_credits FROM reserve), 0) AS left_credits,
      coalesce((SELECT pico_usd FROM reserve), 0) AS left_usd,
      sum(micro_credits_held) OVER (ORDER BY request_id) AS upto_credits, sum(pico_usd_held) OVER (ORDER BY request_id) AS upto_usd
    FROM json_to_recordset($4::text::json) AS r(request_id text, micro_credits_held bigint, pico_usd_held bigint)),
  taken AS (
    SELECT request_id, (least(left_credits, upto_credits) - least(left_credits, upto_credits - micro_credits_held))::bigint AS credits,
      (least(left_usd, upto_usd) - least(left_usd, upto_usd - pico_usd_held))::bigint AS usd FROM wanted),
  lessened AS (
    UPDATE @reserves SET micro_credits = micro_credits - (SELECT sum(credits) FROM taken), pico_usd = pico_usd - (SELECT sum(usd) FROM taken)
    WHERE id = $5)
  ${insertFrom(" JOIN taken USING (request_id)").replace('"micro_credits_held", "pico_usd_held" FROM', "taken.credits, taken.usd FROM")}, pico_usd_held`;

function asJson({ row, estimate }: Beginning, at: number | null) {
  const { microCredits, picoUsd } = mostOf(estimate);
  return {
    ...begunValues(row, at),
    provider: row.provider,
    tokens_upstream: row.tokens_upstream,
    upstream_pico_usd: String(row.upstream_pico_usd ?? 0n),
    micro_credits_held: String(microCredits),
    pico_usd_held: String(picoUsd),
  };
}

interface HeldRow {
  readonly request_id: string;
  readonly micro_credits_held: bigint;
  readonly pico_usd_held: bigint;
}

/** What is held for each of a group, and the parameters of a statement that holds it. */
export function holdingOf(group: readonly [Beginning, ...Beginning[]], process: string, at: number | null) {
  const [{ row, terms }] = group;
  const holds = group.map(({ estimate }) => mostOf(estimate));
  const { day = null, month = null, timeZone = UTC } = terms.caps;
  const parameters = [
    at === null ? null : row.started_at,
    process,
    timeZone,
    JSON.stringify(group.map((one) => asJson(one, at))),
    row.workspace,
    holds.reduce((sum, one) => sum + one.microCredits, 0n),
    holds.reduce((sum, one) => sum + one.picoUsd, 0n),
    day,
    month,
  ] as const;
  return { holds, parameters };
}

/**
 * @param group with the same `termsKey`
 * @returns what is held for each; undefined where not all of them fit, and nothing was written
 */
export async function holdTogether(
  { query }: Connection,
  group: readonly [Beginning, ...Beginning[]],
  process: string,
  at: number | null,
): Promise<readonly Held[] | undefined> {
  const [{ reserve }] = group;
  const { holds, parameters } = holdingOf(group, process, at);
  const [time, , timeZone, rows, , microCredits, picoUsd] = parameters;
  if (reserve !== undefined) {
    const taken = await query<HeldRow>(TAKE, [time, process, timeZone, rows, reserve]);
    const byId = new Map(taken.map((one) => [one.request_id, one]));
    return group.map(({ row: { request_id } }) => ({
      microCredits: byId.get(request_id)?.micro_credits_held ?? 0n,
      picoUsd: byId.get(request_id)?.pico_usd_held ?? 0n,
    }));
  }
  const begun =
    microCredits === 0n && picoUsd === 0n
      ? await query(INSERT, [time, process, timeZone, rows])
      : await query(HOLD_ALL, parameters);
  return begun.length === group.length ? holds : undefined;
}

/** Begins rows that are held against the lease. @returns false where this process has lost the lease */
export async function beginLeased(
  { query }: Connection,
  group: readonly [Beginning, ...Beginning[]],
  process: string,
  at: number | null,
): Promise<boolean> {
  const [{ row, terms }] = group;
  const rows = group.map((one) => ({ ...asJson(one, at), micro_credits_held: "0", pico_usd_held: "0" }));
  const begun = await query(INSERT_LEASED, [
    at === null ? null : row.started_at,
    process,
    terms.caps.timeZone ?? UTC,
    JSON.stringify(rows),
    row.workspace,
  ]);
  return begun.length === group.length;
}

/** For a balance that is nearly used up. @returns what is held; undefined where others hold a part, or not even the least fits */
export async function holdWhatIsLeft(
  { query }: Connection,
  beginning: Beginning,
  process: string,
  at: number | null,
): Promise<Held | undefined> {
  const { row, estimate, terms } = beginning;
  const { microCredits, picoUsd } = mostOf(estimate);
  const [begun] = await query<{ readonly micro_credits_held: bigint }>(HOLD_WHAT_IS_LEFT, [
    at === null ? null : row.started_at,
    process,
    terms.caps.timeZone ?? UTC,
    JSON.stringify([asJson(beginning, at)]),
    row.workspace,
    microCredits,
    picoUsd,
    terms.caps.day ?? null,
    terms.caps.month ?? null,
    String(estimate.most.femtoCredits),
    String(estimate.least.femtoCredits),
    estimate.least.picoUsd,
  ]);
  return begun && { microCredits: begun.micro_credits_held, picoUsd };
}

export interface BalanceRow {
  readonly micro_credits: bigint | null;
  readonly micro_credits_held: bigint;
  readonly pico_usd_held: bigint;
  readonly femto_credits_prepaid: bigint;
  readonly spent_day: string;
  readonly spent_day_pico_usd: bigint;
  readonly spent_month: string;
  readonly spent_month_pico_usd: bigint;
}

/** Reads a balance to explain why nothing could be held. Charges to leases that are not in the row yet are subtracted. */
export async function balanceOf({ query }: Connection, workspace: string): Promise<BalanceRow | undefined> {
  const [found] = await query<BalanceRow>(
    `SELECT micro_credits - spent AS micro_credits, micro_credits_held - spent AS micro_credits_held, pico_usd_held, femto_credits_prepaid,
       spent_day, spent_day_pico_usd, spent_month, spent_month_pico_usd
     FROM @workspaces, (SELECT coalesce(sum(micro_credits_spent), 0)::bigint AS spent FROM @leases WHERE workspace = $1) AS leased WHERE name = $1`,
    [workspace],
  );
  return found;
}

/** @returns the error for the caller; undefined where the request may fit once others have settled */
export function whyNot(
  found: BalanceRow,
  { estimate: { least, most }, terms: { caps } }: Pick<Beginning, "estimate" | "terms">,
  at: number,
): GatewayError | undefined {
  const account = {
    femtoCreditsPrepaid: found.femto_credits_prepaid,
    microCreditsHeld: found.micro_credits_held,
    picoUsdHeld: found.pico_usd_held,
  };
  const credits = found.micro_credits;
  if (credits !== null && fitCredits(credits, account, least, most) === "none")
    return insufficient(credits, account.microCreditsHeld, least.femtoCredits);
  const reached = capRooms(found, caps, at).findLast(
    ({ left }) => fit(left, account.picoUsdHeld, least.picoUsd, most.picoUsd) === "none",
  );
  return reached && capExceeded(reached, least.picoUsd, at);
}

function capRooms(found: BalanceRow, caps: Terms["caps"], at: number): CapRoom[] {
  const { day, dayEndsAt, monthEndsAt } = periodAt(at, caps.timeZone);
  const rooms: CapRoom[] = [];
  if (caps.day !== undefined) {
    const spent = found.spent_day >= day ? found.spent_day_pico_usd : 0n;
    rooms.push({ period: "day", limit: caps.day, left: caps.day - spent, endsAt: () => dayEndsAt });
  }
  if (caps.month !== undefined) {
    const spent = found.spent_month >= day.slice(0, 7) ? found.spent_month_pico_usd : 0n;
    rooms.push({ period: "month", limit: caps.month, left: caps.month - spent, endsAt: monthEndsAt });
  }
  return rooms;
}

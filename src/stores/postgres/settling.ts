/**
 * Settles rows: one statement, which is its own transaction, replaces each hold by the cost and updates the row. It is idempotent, as a settled
 * row is no longer in flight. The arithmetic is that of src/books/balances.ts, for several rows of a workspace at once.
 */
import type { Charge } from "../../books/balances";
import { ANSWERED, FAILED_BYTES_MAX, INTERRUPTED } from "../../books/ledger";
import type { LedgerRow } from "../../books/ledger-row";
import { FEMTO_CREDITS_PER_MICRO_CREDIT } from "../../books/money";
import { storable, storableJson } from "./base";
import { timeOf } from "./clock";
import type { Connection } from "./connection";

/** Columns that are written when a row is settled. */
const SETTLED = [
  ["provider", "text"],
  ["cache_hits", "bigint"],
  ["tokens", "bigint"],
  ["tokens_upstream", "bigint"],
  ["tokens_abandoned", "bigint"],
  ["tokens_billed", "bigint"],
  ["tokens_source", "text"],
  ["status", "integer"],
  ["error", "text"],
  ["kind", "text"],
  ["upstream_status", "integer"],
  ["latency_ms", "bigint"],
  ["cost_pico_usd", "bigint"],
  ["upstream_pico_usd", "bigint"],
  ["by_provider", "text"],
  ["tokens_cached", "bigint"],
  ["saved_pico_usd", "bigint"],
  ["calls_made", "bigint"],
  ["calls", "text"],
] as const;

/** Columns that are written when a row is begun. */
const BEGUN = [
  ["workspace", "text"],
  ["key_id", "text"],
  ["model", "text"],
  ["inputs", "bigint"],
  ["user", "text"],
  ["metadata", "text"],
  ["batch", "text"],
] as const;

const named = (columns: readonly (readonly [string, string])[]) => columns.map(([name]) => `"${name}"`);
const shaped = (columns: readonly (readonly [string, string])[]) =>
  columns.map(([name, type]) => `"${name}" ${type}`).join(", ");

/** A batch's line can be settled only by the process that works on the batch now. */
const underWay = (process: string) =>
  `l.status = 0 AND l.error IS NULL AND (l.batch IS NULL OR l.process = ${process})`;
const askedFor = (rows: string) => `asked AS (
    SELECT * FROM json_to_recordset(${rows}::text::json) AS r(request_id text, place integer, femto numeric, most bigint, ${shaped(SETTLED)}))`;
const SET = named(SETTLED)
  .map((name) => `${name} = o.${name}`)
  .join(", ");
/** A failed request costs nothing, so of its user and metadata only a limited size is stored. */
const kept = (column: string) =>
  `CASE WHEN o.status <> ${ANSWERED} AND octet_length(coalesce(l."user", '') || coalesce(l.metadata, '')) > ${FAILED_BYTES_MAX}
     THEN NULL ELSE l."${column}" END`;
const SHED = `"user" = ${kept("user")}, metadata = ${kept("metadata")}`;

/** Whole micro-credits for these charges, rounded up. */
const wholeOf = (femtoCredits: string) =>
  `div(greatest(${femtoCredits}, 0) + ${FEMTO_CREDITS_PER_MICRO_CREDIT - 1n}, ${FEMTO_CREDITS_PER_MICRO_CREDIT})`;

/** SQL that adds a group's costs to the spending of the last day or month. @param of the SQL of a row's period, from that of its day */
const spentIn = (period: string, spent: string, of: (day: string) => string) => `
    ${period} = greatest(w.${period}, ${of("t.day")}),
    ${spent} = CASE WHEN ${of("t.day")} < w.${period} THEN w.${spent}
      WHEN ${of("t.day")} = w.${period} THEN w.${spent} ELSE 0 END
      + CASE WHEN ${of("t.day")} < w.${period} THEN 0
        ELSE (SELECT coalesce(sum(cost_pico_usd), 0) FROM charged WHERE ${of("day")} = ${of("t.day")}) END`;
const day = (one: string) => one;
const month = (one: string) => `left(${one}, 7)`;

/** Where a statement's parameters are; $2 is the workspace. */
const PLACES = { rows: "$1", process: "$3" };

/** What pays for a charge: the workspace's row, or this process's lease. */
interface Payer {
  /** Selects the row to be locked. `credits`: what it has; null without a limit. */
  readonly account: string;
  readonly charge: string;
  /** Subtracts the sums in `total t` from the row `w`. */
  readonly pay: string;
  readonly whose: string;
  /** The workspace's balance before these rows. */
  readonly balance: string;
}

/**
 * Of several rows only the first may cost more than its hold, paid from what nobody holds. There may be fewer credits than are held, where a
 * workspace without a limit was given one meanwhile.
 * @param besides statements that also use `account`, whose result has one row at least, with what it `says`: hold-and-settle.ts
 */
export const settleBy = (
  { account, charge, pay, whose, balance }: Payer,
  { rows, process } = PLACES,
  besides?: { readonly statements: string; readonly says: string },
) => `
  WITH ${askedFor(rows)},
  account AS (${account} FOR UPDATE),
  open AS (
    SELECT a.*, l.micro_credits_held AS held, l.pico_usd_held AS held_pico_usd, coalesce(l.spent_on, to_char(now() AT TIME ZONE 'UTC', 'YYYY-MM-DD')) AS day
    FROM asked a JOIN @ledger l USING (request_id) WHERE ${underWay(process)} FOR UPDATE OF l),
  summed AS (
    SELECT *, sum(femto) OVER (ORDER BY place) AS upto FROM open CROSS JOIN account),
  owing AS (
    SELECT *, (${wholeOf("upto - prepaid")} - ${wholeOf("upto - femto - prepaid")})::bigint AS owed FROM summed),
  charged AS (
    SELECT *, CASE WHEN credits IS NULL THEN owed ELSE ${charge} END AS charge FROM owing),
  settled AS (
    UPDATE @ledger l SET ${SET}, ${SHED}, micro_credits_held = 0, pico_usd_held = 0, micro_credits = o.charge,
      micro_credits_taken = CASE WHEN o.credits IS NULL THEN 0 ELSE o.charge END, micro_credits_short = o.owed - o.charge,
      femto_credits_rounded = (o.owed * ${FEMTO_CREDITS_PER_MICRO_CREDIT}::numeric - o.femto)::bigint
    FROM charged o WHERE l.request_id = o.request_id),
  total AS (
    SELECT coalesce(sum(charge), 0) AS charge, coalesce(sum(held), 0) AS held, coalesce(sum(held_pico_usd), 0) AS held_pico_usd,
      coalesce(sum(owed * ${FEMTO_CREDITS_PER_MICRO_CREDIT}::numeric - femto), 0) AS rounded, coalesce(max(day) FILTER (WHERE cost_pico_usd > 0), '') AS day
    FROM charged ${besides ? "" : "HAVING count(*) > 0"}),
  balanced AS (
    ${pay}, femto_credits_prepaid = w.femto_credits_prepaid + t.rounded,
      ${spentIn("spent_day", "spent_day_pico_usd", day)}, ${spentIn("spent_month", "spent_month_pico_usd", month)}
    FROM total t WHERE ${whose})${besides ? `, ${besides.statements}` : ""}
  SELECT ${besides ? `${besides.says}, ` : ""}request_id, charge, owed - charge AS short, (owed * ${FEMTO_CREDITS_PER_MICRO_CREDIT}::numeric - femto)::bigint AS rounded,
    charged.credits IS NULL AS unlimited, ${balance} - (sum(charge) OVER (ORDER BY place))::bigint AS remaining
  FROM ${besides ? "account AS every LEFT JOIN charged ON true" : "charged"}`;

/** What a row is charged, of its workspace's own row. */
export const CHARGE = "least(owed, held + greatest(credits - all_held, 0), credits)";

const SETTLE = settleBy({
  account: `SELECT micro_credits AS credits, micro_credits_held AS all_held, femto_credits_prepaid AS prepaid
    FROM @workspaces WHERE name = $2`,
  charge: CHARGE,
  pay: `UPDATE @workspaces w SET micro_credits = w.micro_credits - t.charge, micro_credits_held = w.micro_credits_held - t.held,
      pico_usd_held = w.pico_usd_held - t.held_pico_usd`,
  whose: "w.name = $2",
  balance: "charged.credits",
});

/** For rows that are held against the lease of $3: at most `most` each, and never more than the lease has. */
const SETTLE_LEASED = settleBy({
  account: `SELECT CASE WHEN limited THEN micro_credits - micro_credits_spent END AS credits, femto_credits_prepaid AS prepaid
    FROM @leases WHERE workspace = $2 AND process = $3`,
  charge: `greatest(least(owed, most, credits - ${wholeOf("upto - femto - prepaid")}::bigint), 0)`,
  pay: "UPDATE @leases w SET micro_credits_spent = w.micro_credits_spent + CASE WHEN w.limited THEN t.charge ELSE 0 END",
  whose: "w.workspace = $2 AND w.process = $3",
  balance: `(SELECT micro_credits FROM @workspaces WHERE name = $2) - (SELECT sum(micro_credits_spent) FROM @leases WHERE workspace = $2)::bigint`,
});

/** For rows without hold and cost: no balance changes. */
const SETTLE_FREE = `
  WITH ${askedFor(PLACES.rows)},
  settled AS (
    UPDATE @ledger l SET ${SET}, ${SHED} FROM asked o
    WHERE l.request_id = o.request_id AND ${underWay(PLACES.process)} AND l.micro_credits_held = 0 AND l.pico_usd_held = 0 RETURNING l.request_id)
  SELECT request_id, 0::bigint AS charge, 0::bigint AS short, 0::bigint AS rounded,
    w.micro_credits IS NULL AS unlimited, w.micro_credits AS remaining FROM settled LEFT JOIN @workspaces w ON w.name = $2`;

export interface ChargeRow {
  readonly request_id: string;
  readonly charge: bigint;
  readonly short: bigint;
  readonly rounded: bigint;
  readonly unlimited: boolean;
  readonly remaining: bigint | null;
}

function settledValues(row: LedgerRow) {
  return {
    provider: row.provider,
    cache_hits: row.cache_hits,
    tokens: row.tokens,
    tokens_upstream: row.tokens_upstream,
    tokens_abandoned: row.tokens_abandoned,
    tokens_billed: row.tokens_billed,
    tokens_source: row.tokens_source,
    status: row.status,
    error: row.error,
    kind: row.kind ?? null,
    upstream_status: row.upstream_status ?? null,
    latency_ms: row.latency_ms,
    cost_pico_usd: String(row.cost_pico_usd),
    upstream_pico_usd: String(row.upstream_pico_usd ?? 0n),
    by_provider:
      row.by_provider === undefined || row.by_provider === null ? null : storableJson(row.by_provider),
    tokens_cached: row.tokens_cached ?? 0,
    saved_pico_usd: String(row.saved_pico_usd ?? 0n),
    calls_made: row.calls_made ?? null,
    calls: row.calls === undefined || row.calls === null ? null : storableJson(row.calls),
  };
}

/**
 * @param rows of one workspace
 * @param isFree nothing was held for any of them, and they cost nothing
 * @returns charges by the request's id; rows that were no longer in flight are left out
 */
export function settleTogether(
  connection: Connection,
  workspace: string,
  rows: readonly LedgerRow[],
  isFree: boolean,
  process: string,
): Promise<ReadonlyMap<string, Charge>> {
  return settle(connection, isFree ? SETTLE_FREE : SETTLE, workspace, rows, process);
}

/**
 * Like `settleTogether`, for rows that are held against this process's lease.
 * @param most the most that a row may be charged
 */
export function settleLeased(
  connection: Connection,
  workspace: string,
  rows: readonly LedgerRow[],
  most: (row: LedgerRow) => bigint,
  process: string,
): Promise<ReadonlyMap<string, Charge>> {
  return settle(connection, SETTLE_LEASED, workspace, rows, process, most);
}

async function settle(
  { query }: Connection,
  statement: string,
  workspace: string,
  rows: readonly LedgerRow[],
  process: string,
  most?: (row: LedgerRow) => bigint,
): Promise<ReadonlyMap<string, Charge>> {
  const charges = await query<ChargeRow>(statement, [rowsToSettle(rows, most), workspace, process]);
  return new Map(charges.map((one) => [one.request_id, chargeOf(one)]));
}

/** The parameter with the rows. @param most see `settleLeased` */
export function rowsToSettle(rows: readonly LedgerRow[], most?: (row: LedgerRow) => bigint): string {
  const asked = rows.map((row, place) => ({
    request_id: row.request_id,
    place,
    femto: String(row.cost_femto_credits),
    ...(most && { most: String(most(row)) }),
    ...settledValues(row),
  }));
  return JSON.stringify(asked);
}

export const chargeOf = ({ charge, short, rounded, unlimited, remaining }: ChargeRow): Charge => ({
  microCredits: charge,
  taken: unlimited ? 0n : charge,
  short,
  remaining,
  femtoCreditsRounded: rounded,
});

/** The state of a row that is not in flight: settled, with the acknowledgement lost; or interrupted, as this gateway was taken for dead. */
export type Standing = { readonly status: number; readonly charge: Charge } | typeof INTERRUPTED | undefined;

/** Looks a row up by its id. @returns undefined where there is none, or it is in flight */
export async function standingOf(
  { query }: Connection,
  { request_id, workspace }: LedgerRow,
): Promise<Standing> {
  const [row] = await query<{
    readonly status: number;
    readonly error: string | null;
    readonly charge: bigint;
    readonly short: bigint;
    readonly rounded: bigint;
    readonly unlimited: boolean;
    readonly remaining: bigint | null;
  }>(
    `SELECT status, error, l.micro_credits AS charge, micro_credits_short AS short, femto_credits_rounded AS rounded,
       w.micro_credits IS NULL AS unlimited, w.micro_credits AS remaining
     FROM @ledger l LEFT JOIN @workspaces w ON w.name = $2 WHERE request_id = $1`,
    [request_id, workspace],
  );
  if (row === undefined) return undefined;
  if (row.status === 0) return row.error === null ? undefined : INTERRUPTED;
  return { status: row.status, charge: chargeOf({ ...row, request_id }) };
}

const BEFORE = [["request_id", "text"], ...BEGUN, ...SETTLED] as const;

/** $1 the time, $2 the process, $3 the rows. */
const INSERT_SETTLED = `
  WITH inserted AS (
    INSERT INTO @ledger (started_at, process, ${named(BEFORE).join(", ")})
    SELECT coalesce(r.started_at, ${timeOf("$1")}), $2, ${named(BEFORE).join(", ")}
    FROM json_to_recordset($3::text::json) AS r(started_at bigint, ${shaped(BEFORE)})
    ON CONFLICT (request_id) DO NOTHING RETURNING request_id, workspace)
  SELECT request_id, 0::bigint AS charge, 0::bigint AS short, 0::bigint AS rounded, w.micro_credits IS NULL AS unlimited,
    w.micro_credits AS remaining FROM inserted LEFT JOIN @workspaces w ON w.name = inserted.workspace`;

/** The values that a row is begun with. @param at a test's clock; null: the database's own time is used */
export function begunValues(row: LedgerRow, at: number | null) {
  return {
    request_id: row.request_id,
    started_at: at === null ? null : row.started_at,
    workspace: row.workspace,
    key_id: row.key_id,
    model: storable(row.model),
    inputs: row.inputs,
    user: row.user === null ? null : storable(row.user),
    metadata: row.metadata === null ? null : storableJson(row.metadata),
    batch: row.batch ?? null,
  };
}

/**
 * Inserts rows without hold and cost, such as requests answered by the cache.
 * @returns charges by the request's id; rows that existed already are left out
 */
export async function insertSettled(
  { query }: Connection,
  rows: readonly LedgerRow[],
  process: string,
  at: number | null,
): Promise<ReadonlyMap<string, Charge>> {
  const all = JSON.stringify(rows.map((row) => ({ ...begunValues(row, at), ...settledValues(row) })));
  const charges = await query<ChargeRow>(INSERT_SETTLED, [at, process, all]);
  return new Map(charges.map((one) => [one.request_id, chargeOf(one)]));
}

/** A row that costs something but has no hold: it is begun without one, and settled at once. */
export const withoutHold = (row: LedgerRow): LedgerRow => ({
  ...row,
  cache_hits: 0,
  tokens: 0,
  tokens_abandoned: 0,
  tokens_billed: 0,
  tokens_source: null,
  status: 0,
  error: null,
  kind: null,
  upstream_status: null,
  cost_pico_usd: 0n,
  tokens_cached: 0,
  saved_pico_usd: 0n,
});

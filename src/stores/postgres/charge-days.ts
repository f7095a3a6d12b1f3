/**
 * What workspaces were charged by day in PostgreSQL, for the history of their credits: finished days are kept (regrouping.ts says when), all others are
 * summed from the ledger's rows, and so are days with a grant, whose requests before and after it are told apart. In SQLite the sums by hour
 * have it (src/books/charges.ts).
 */
import { type Change, changeOfGrant, changeOfRequests } from "../../books/statements";
import { gaps, UNIT_MS } from "../../books/times";
import { ALL_ROWS } from "./all-rows";
import type { Connection } from "./connection";
import { groupedStarts } from "./grouped-sums";

const SUMS = `min(started_at) AS at, sum(row_count)::bigint AS requests, sum(micro_credits)::bigint AS cost, sum(micro_credits_taken)::bigint AS taken`;

const DROP = "DELETE FROM @charge_days WHERE started_at = $1";
const KEEP = `
  INSERT INTO @charge_days (workspace, started_at, first_at, requests, micro_credits, micro_credits_taken)
  SELECT workspace, $1::bigint, min(started_at), sum(row_count)::bigint, sum(micro_credits)::bigint, sum(micro_credits_taken)::bigint
  FROM ${ALL_ROWS} AS every_row WHERE started_at >= $1::bigint AND started_at < $1::bigint + ${UNIT_MS.day} AND charged GROUP BY workspace`;

/** Of a finished day, in the transaction that groups it. */
export async function keepCharges({ query }: Connection, day: bigint): Promise<void> {
  await query(DROP, [day]);
  await query(KEEP, [day]);
}

const GRANTS = `SELECT granted_at AS at, note, micro_credits AS change FROM @credit_grants WHERE workspace = $1 ORDER BY id`;
const SPAN = `
  SELECT least((SELECT min(started_at) FROM @ledger WHERE workspace = $1), (SELECT min(first_at) FROM @ledger_days WHERE workspace = $1)) AS first,
    greatest((SELECT max(started_at) FROM @ledger WHERE workspace = $1), (SELECT max(first_at) FROM @ledger_days WHERE workspace = $1)) AS last`;
const KEPT = `SELECT first_at AS at, requests, micro_credits AS cost, micro_credits_taken AS taken, started_at AS day FROM @charge_days WHERE workspace = $1`;
const OF_ROWS = `
  SELECT ${SUMS} FROM (SELECT *, width_bucket(started_at, ARRAY(SELECT granted_at FROM @credit_grants WHERE workspace = $1 ORDER BY granted_at)) AS after
    FROM ${ALL_ROWS} AS every_row WHERE workspace = $1 AND started_at >= $2 AND started_at < $3 AND charged) AS paid
  GROUP BY started_at / ${UNIT_MS.day}, after`;

interface Charged {
  readonly at: bigint;
  readonly requests: bigint;
  readonly cost: bigint;
  readonly taken: bigint;
}

/** All must be read in one snapshot: no request settles between the grants and the charges. */
export async function changesOf(
  { query }: Pick<Connection, "query">,
  workspace: string,
): Promise<readonly Change[]> {
  const grants = await query<{ readonly at: bigint; readonly note: string; readonly change: bigint }>(
    GRANTS,
    [workspace],
  );
  const [span] = await query<{ readonly first: bigint | null; readonly last: bigint | null }>(SPAN, [
    workspace,
  ]);
  if (span === undefined || span.first === null || span.last === null) return grants.map(changeOfGrant);
  const dayOf = (at: bigint) => Number(at - (at % BigInt(UNIT_MS.day)));
  const whole = [dayOf(span.first), dayOf(span.last) + UNIT_MS.day] as const;
  const cut = new Set(grants.map(({ at }) => dayOf(at)));
  const days = (await groupedStarts({ query }, "names", UNIT_MS.day, whole)).filter((day) => !cut.has(day));
  const kept = new Set(days);
  const found = await query<Charged & { readonly day: bigint }>(KEPT, [workspace]);
  const charged: Charged[] = found.filter(({ day }) => kept.has(Number(day)));
  for (const [from, to] of gaps(...whole, UNIT_MS.day, days))
    charged.push(...(await query<Charged>(OF_ROWS, [workspace, from, to])));
  return [...grants.map(changeOfGrant), ...charged.map(changeOfRequests)];
}

/** A workspace's statement of account, from PostgreSQL. Its lines are defined in src/books/statements.ts. */
import { periodAt } from "../../books/periods";
import {
  boundsOf,
  type Change,
  changeOfGrant,
  changeOfRequests,
  invoiceOf,
  running,
  type Statements,
} from "../../books/statements";
import { ALL_ROWS, DAY_OF_ROW } from "./all-rows";
import { dayLines } from "./invoice-days";
import type { Pool } from "./pool";

interface SpentRow {
  readonly spent_day: string;
  readonly spent_day_pico_usd: bigint;
  readonly spent_month: string;
  readonly spent_month_pico_usd: bigint;
}

export function openPostgresStatements(pool: Pool): Statements {
  return {
    async spent(workspace, at, timeZone) {
      const { day } = periodAt(at, timeZone);
      const rows = await pool.run(({ query }) =>
        query<SpentRow>(
          `SELECT spent_day, spent_day_pico_usd, spent_month, spent_month_pico_usd FROM @workspaces WHERE name = $1
           UNION ALL SELECT spent_day, spent_day_pico_usd, spent_month, spent_month_pico_usd FROM @leases WHERE workspace = $1`,
          [workspace],
        ),
      );
      const month = day.slice(0, 7);
      return {
        today: rows.reduce((sum, row) => sum + (row.spent_day === day ? row.spent_day_pico_usd : 0n), 0n),
        thisMonth: rows.reduce(
          (sum, row) => sum + (row.spent_month === month ? row.spent_month_pico_usd : 0n),
          0n,
        ),
      };
    },
    async history(workspace) {
      // Both in one query, so that no request settles between them. A day's requests before and after a grant are two lines.
      const rows = await pool.run(({ query }) =>
        query<{
          readonly is_grant: boolean;
          readonly at: bigint;
          readonly note: string;
          readonly requests: bigint;
          readonly cost: bigint;
          readonly change: bigint;
        }>(
          `WITH given AS (SELECT id, granted_at, note, micro_credits FROM @credit_grants WHERE workspace = $1)
           SELECT true AS is_grant, granted_at AS at, note, 0::bigint AS requests, 0::bigint AS cost, micro_credits AS change, id AS place
           FROM given
           UNION ALL
           SELECT false, min(started_at), '', sum(row_count)::bigint, sum(micro_credits)::bigint, sum(micro_credits_taken)::bigint, 0
           FROM (SELECT *, (SELECT count(*) FROM given WHERE granted_at <= started_at) AS after FROM ${ALL_ROWS} AS every_row
             WHERE workspace = $1 AND charged) AS paid
           GROUP BY ${DAY_OF_ROW}, after ORDER BY is_grant DESC, place, at`,
          [workspace],
        ),
      );
      return running(
        rows.map(
          ({ is_grant, at, note, requests, cost, change }): Change =>
            is_grant
              ? changeOfGrant({ at, note, change })
              : changeOfRequests({ at, requests, cost, taken: change }),
        ),
      );
    },
    async invoice(workspace, month, by) {
      const [from, to] = boundsOf(month);
      return invoiceOf(await pool.transact((connection) => dayLines(connection, workspace, from, to)), by);
    },
  };
}

/** A workspace's statement of account, from PostgreSQL. Its lines are defined in src/books/statements.ts. */
import { periodAt } from "../../books/periods";
import { boundsOf, invoiceOf, running, type Statements } from "../../books/statements";
import { changesOf } from "./charge-days";
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
      const changes = await pool.transact(async (connection) => {
        await connection.query("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY");
        return changesOf(connection, workspace);
      });
      return running(changes);
    },
    async invoice(workspace, month, by) {
      const [from, to] = boundsOf(month);
      return invoiceOf(await pool.transact((connection) => dayLines(connection, workspace, from, to)), by);
    },
  };
}

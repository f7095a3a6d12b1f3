/** Renames or deletes a workspace in PostgreSQL. src/callers/workspace-names.ts defines when that is refused. */
import { ACTORS } from "../../books/audit";
import { creditsOf } from "../../books/money";
import { checkNewWorkspace } from "../../callers/keys";
import {
  type RestingRow,
  refuseUnresting,
  usedAlready,
  type WorkspaceNames,
} from "../../callers/workspace-names";
import { noteChange } from "./audit";
import type { Base } from "./base";
import { timeOf } from "./clock";
import type { Connection } from "./connection";
import type { Mirror } from "./mirror";
import { ownSums } from "./sums";

/** Tables with the workspace's name. Its spending is in its own row here, so no table for that is listed. */
const TABLES = [
  "keys",
  "ledger",
  "ledger_days",
  "ledger_late",
  "rollups",
  "credit_grants",
  "files",
  "batches",
] as const;

export function openPostgresWorkspaceNames({ pool, clock }: Base, mirror: Mirror): WorkspaceNames {
  /** Locks its row, so that no request begins meanwhile. */
  async function resting({ query }: Connection, name: string): Promise<RestingRow> {
    const [row] = await query<RestingRow>(
      `SELECT micro_credits, micro_credits_held, pico_usd_held,
         (SELECT count(*) FROM @ledger WHERE status = 0 AND error IS NULL AND workspace = $1) AS under_way
       FROM @workspaces WHERE name = $1 FOR UPDATE`,
      [name],
    );
    return refuseUnresting(name, row);
  }

  async function change<T>(work: (connection: Connection) => Promise<T>): Promise<T> {
    const value = await pool.transact(work);
    await mirror.refresh();
    return value;
  }

  return {
    async rename(name, newName, actor = ACTORS.commandLine) {
      checkNewWorkspace(newName);
      await change(async (connection) => {
        const { query } = connection;
        await resting(connection, name);
        // The lock keeps others from summing rows under the old name meanwhile.
        await query("SELECT 1 FROM @sums FOR UPDATE");
        await ownSums(connection);
        for (const where of ["@workspaces WHERE name", ...TABLES.map((table) => `@${table} WHERE workspace`)])
          if ((await query(`SELECT 1 FROM ${where} = $1 LIMIT 1`, [newName])).length > 0)
            throw usedAlready(newName);
        // Two changes are noted, so that every mirror learns of both names.
        await query("UPDATE @workspaces SET name = $2 WHERE name = $1", [name, newName]);
        for (const table of TABLES)
          await query(`UPDATE @${table} SET workspace = $2 WHERE workspace = $1`, [name, newName]);
        await query(
          `WITH counted AS (UPDATE @change_counter SET number = number + 1 RETURNING number)
           INSERT INTO @changes (number, what, name) SELECT number, 'workspace', $1 FROM counted`,
          [name],
        );
        await noteChange(connection, clock, {
          actor,
          action: "workspaces.rename",
          target: name,
          before: { name },
          after: { name: newName },
        });
      });
    },
    remove: (name, actor = ACTORS.commandLine) =>
      change(async (connection) => {
        const { query } = connection;
        const { micro_credits } = await resting(connection, name);
        if (micro_credits !== null && micro_credits > 0n)
          await query(
            `INSERT INTO @credit_grants (granted_at, workspace, micro_credits, balance, note) VALUES (${timeOf("$1")}, $2, $3, 0, 'workspace deleted')`,
            [clock.at(), name, -micro_credits],
          );
        const revoked = await query(
          `UPDATE @keys SET revoked_at = ${timeOf("$1")} WHERE workspace = $2 AND revoked_at IS NULL RETURNING 1`,
          [clock.at(), name],
        );
        await query("DELETE FROM @workspaces WHERE name = $1", [name]);
        await noteChange(connection, clock, {
          actor,
          action: "workspaces.delete",
          target: name,
          before: { credits: micro_credits === null ? null : creditsOf(micro_credits) },
          after: null,
        });
        return revoked.length;
      }),
  };
}

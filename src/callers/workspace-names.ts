/**
 * Renames or deletes a workspace. Both are one transaction over all tables that name it, and wait for nobody: while requests of the
 * workspace are under way, which hold a part of its balance, they are refused. A new table that names workspaces is a line of TABLES.
 */
import { ACTORS, openAudit } from "../books/audit";
import { creditsOf } from "../books/money";
import type { Store } from "../db/open";
import { GatewayError } from "../domain/errors";
import type { Outside } from "../domain/outside";
import { checkNewWorkspace, DEFAULT_WORKSPACE } from "./keys";

/** The column that names the workspace is called so in each but `workspaces`. */
const TABLES = [
  "keys",
  "ledger",
  "ledger_days",
  "rollups",
  "metadata_days",
  "credit_grants",
  "spending",
  "files",
  "batches",
] as const;

export interface WorkspaceNames {
  /** @throws GatewayError invalid where there is no such workspace, the new name is or was another's, or requests are under way */
  rename(name: string, newName: string, actor?: string): Promise<void>;
  /**
   * Revokes its keys and ends its balance. Its rows in the ledger stay, and so do its grants, which add up to nothing.
   * @returns the keys that were revoked
   * @throws GatewayError invalid as `rename` does
   */
  remove(name: string, actor?: string): Promise<number>;
}

export interface RestingRow {
  readonly micro_credits: bigint | null;
  readonly micro_credits_held: bigint;
  readonly pico_usd_held: bigint;
  readonly under_way: bigint;
}

export function openWorkspaceNames(store: Store, { now }: Pick<Outside, "now">): WorkspaceNames {
  const { database, write } = store;
  const audit = openAudit(store, { now });
  const select = database.query<RestingRow, [string]>(
    `SELECT micro_credits, micro_credits_held, pico_usd_held,
       (SELECT count(*) FROM ledger WHERE status = 0 AND ledger.workspace = workspaces.name) AS under_way
     FROM workspaces WHERE name = ?1`,
  );

  /** In a transaction of the caller's. */
  const resting = (name: string): RestingRow => refuseUnresting(name, select.get(name) ?? undefined);

  return {
    async rename(name, newName, actor = ACTORS.commandLine) {
      checkNewWorkspace(newName);
      await write(() => {
        resting(name);
        const used = ["workspaces WHERE name", ...TABLES.map((table) => `${table} WHERE workspace`)].some(
          (where) => database.query(`SELECT 1 FROM ${where} = ?1 LIMIT 1`).get(newName) !== null,
        );
        // Two customers' usage would become one.
        if (used) throw usedAlready(newName);
        database.query("UPDATE workspaces SET name = ?2 WHERE name = ?1").run(name, newName);
        for (const table of TABLES)
          database.query(`UPDATE ${table} SET workspace = ?2 WHERE workspace = ?1`).run(name, newName);
        const after = { name: newName };
        audit.note({ actor, action: "workspaces.rename", target: name, before: { name }, after });
      });
    },
    remove: (name, actor = ACTORS.commandLine) =>
      write(() => {
        const { micro_credits } = resting(name);
        if (micro_credits !== null && micro_credits > 0n)
          database
            .query(
              "INSERT INTO credit_grants (workspace, granted_at, micro_credits, balance, note) VALUES (?1, ?2, ?3, 0, 'workspace deleted')",
            )
            .run(name, now(), -micro_credits);
        const { changes } = database
          .query("UPDATE keys SET revoked_at = ?2 WHERE workspace = ?1 AND revoked_at IS NULL")
          .run(name, now());
        database.query("DELETE FROM workspaces WHERE name = ?1").run(name);
        const before = { credits: micro_credits === null ? null : creditsOf(micro_credits) };
        audit.note({ actor, action: "workspaces.delete", target: name, before, after: null });
        return Number(changes);
      }),
  };
}

export const usedAlready = (name: string) =>
  new GatewayError("invalid", `The name "${name}" is or was another workspace's: use a new one.`);

/** @throws GatewayError invalid where it may be neither renamed nor deleted now */
export function refuseUnresting(name: string, row: RestingRow | undefined): RestingRow {
  if (name === DEFAULT_WORKSPACE)
    throw new GatewayError(
      "invalid",
      `The workspace "${name}" cannot be renamed or deleted: it is the one that keys without --workspace belong to.`,
    );
  if (!row)
    throw new GatewayError(
      "invalid",
      `There is no workspace "${name}": 'embedgate workspaces list' shows them.`,
    );
  if (row.micro_credits_held > 0n || row.pico_usd_held > 0n || row.under_way > 0n)
    throw new GatewayError(
      "invalid",
      `Requests of the workspace "${name}" are in flight: try again when they have ended, or revoke its keys first.`,
    );
  return row;
}

/**
 * Renames or deletes a workspace, in one transaction over all tables that name it. Both are refused while requests of the workspace are in flight,
 * as these hold a part of its balance. A new table that names workspaces is a line of TABLES.
 */
import { ACTORS, openAudit } from "../books/audit";
import { creditsOf } from "../books/money";
import { openUngrouping } from "../books/ungrouping";
import type { Store } from "../db/open";
import { GatewayError } from "../domain/errors";
import type { Outside } from "../domain/outside";
import { checkNewWorkspace, DEFAULT_WORKSPACE } from "./keys";

/** Tables with a column `workspace`; in the table `workspaces` it is called `name`. */
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
  /** @throws GatewayError invalid if the workspace does not exist, the new name is or was in use, or requests are in flight */
  rename(name: string, newName: string, actor?: string): Promise<void>;
  /**
   * Revokes its keys and sets its balance to zero. Its rows in the ledger stay, and so do its grants, which add up to zero.
   * @returns how many keys were revoked
   * @throws GatewayError invalid, like `rename`
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

  /** Must be called within a transaction. */
  const resting = (name: string): RestingRow => refuseUnresting(name, select.get(name) ?? undefined);

  return {
    async rename(name, newName, actor = ACTORS.commandLine) {
      checkNewWorkspace(newName);
      await write(() => {
        resting(name);
        const used = ["workspaces WHERE name", ...TABLES.map((table) => `${table} WHERE workspace`)].some(
          (where) => database.query(`SELECT 1 FROM ${where} = ?1 LIMIT 1`).get(newName) !== null,
        );
        // Otherwise the usage of two customers would become one.
        if (used) throw usedAlready(newName);
        database.query("UPDATE workspaces SET name = ?2 WHERE name = ?1").run(name, newName);
        for (const table of TABLES)
          database.query(`UPDATE ${table} SET workspace = ?2 WHERE workspace = ?1`).run(name, newName);
        openUngrouping(database).all();
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

/** @throws GatewayError invalid if the workspace cannot be renamed or deleted now */
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

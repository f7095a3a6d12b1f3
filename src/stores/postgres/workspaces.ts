/**
 * Workspaces in PostgreSQL: settings are also kept in memory, balances only in the database. src/callers/workspaces.ts describes a workspace.
 */
import { ACTORS } from "../../books/audit";
import { creditsOf } from "../../books/money";
import { checkNewWorkspace } from "../../callers/keys";
import { columnsOf, NO_SETTINGS, type Settings, settingsOf } from "../../callers/workspace-settings";
import {
  asWorkspace,
  checkNote,
  existsAlready,
  type Grant,
  refuseChange,
  rulesOf,
  startingMicroCredits,
  unknownWorkspace,
  type WorkspaceRow,
  type Workspaces,
  withoutLimit,
} from "../../callers/workspaces";
import type { WorkspaceSection } from "../../config/schema-workspaces";
import type { Outside } from "../../domain/outside";
import { noteChange } from "./audit";
import type { Base } from "./base";
import { timeOf } from "./clock";
import type { Connection } from "./connection";
import type { Mirror, Part } from "./mirror";

/** The data of workspaces that every request reads. */
export interface KnownWorkspaces extends Part {
  readonly byName: ReadonlyMap<string, { readonly settings: Settings; readonly hasCredits: boolean }>;
}

export function createKnownWorkspaces(): KnownWorkspaces {
  const byName = new Map<string, { settings: Settings; hasCredits: boolean }>();
  return {
    what: "workspace",
    byName,
    async read({ query }, names) {
      const rows =
        names === undefined
          ? await query<WorkspaceRow>("SELECT * FROM @workspaces")
          : await query<WorkspaceRow>(
              "SELECT * FROM @workspaces WHERE name IN (SELECT json_array_elements_text($1::text::json))",
              [JSON.stringify(names)],
            );
      for (const name of names ?? [...byName.keys()]) byName.delete(name);
      for (const row of rows)
        byName.set(row.name, { settings: settingsOf(row), hasCredits: row.micro_credits !== null });
    },
  };
}

/** Makes a workspace at its first request, with its starting credits; does nothing where it exists. */
const ENSURE = `
  WITH made AS (
    INSERT INTO @workspaces (name, created_at, micro_credits) VALUES ($2, ${timeOf("$1")}, $3) ON CONFLICT DO NOTHING
    RETURNING name, created_at, micro_credits),
  given AS (
    INSERT INTO @credit_grants (workspace, granted_at, micro_credits, balance, note)
    SELECT name, created_at, micro_credits, micro_credits, 'to begin with' FROM made WHERE micro_credits > 0)
  SELECT 1 AS made FROM made`;

/** `spent`: charges to its leases that are not in its own row yet (leases.ts). */
const ROWS = `SELECT w.*, (SELECT coalesce(sum(micro_credits_spent), 0) FROM @leases l WHERE l.workspace = w.name)::bigint AS spent FROM @workspaces w`;

const asShown = ({ spent, ...row }: WorkspaceRow & { readonly spent: bigint }) =>
  asWorkspace({
    ...row,
    micro_credits: row.micro_credits === null ? null : row.micro_credits - spent,
    micro_credits_held: row.micro_credits_held - spent,
  });

/** Locks a workspace's row and adds the charges of all its leases, so that a change of its balance starts from the current one. */
const WITH_LEASES =
  "SELECT 1 FROM (SELECT * FROM @leases WHERE workspace = $1 ORDER BY process) l, @lease(l.workspace, l.process, NULL, NULL, NULL, 0, 0, 0)";

/** @returns whether it was made */
export async function ensureWorkspace(
  { query }: Connection,
  name: string,
  starting: bigint | null,
  at: number | null,
): Promise<boolean> {
  return (await query(ENSURE, [at, name, starting])).length > 0;
}

export function openPostgresWorkspaces(
  { pool, clock }: Base,
  mirror: Mirror,
  { byName }: KnownWorkspaces,
  defaults: () => WorkspaceSection,
  { randomBytes }: Pick<Outside, "randomBytes">,
): Workspaces {
  /** @param work may run more than once */
  async function change<T>(work: (connection: Connection) => Promise<T>, until?: number): Promise<T> {
    const value = await pool.transact(work, until);
    await mirror.refresh();
    return value;
  }

  async function existing({ query }: Connection, name: string, locked = false): Promise<WorkspaceRow> {
    const [row] = await query<WorkspaceRow>(
      `SELECT * FROM @workspaces WHERE name = $1 ${locked ? "FOR UPDATE" : ""}`,
      [name],
    );
    if (row) return row;
    const others = await query<{ readonly name: string }>("SELECT name FROM @workspaces");
    throw unknownWorkspace(
      name,
      others.map((other) => other.name),
    );
  }

  async function put(connection: Connection, name: string, columns: ReturnType<typeof columnsOf>) {
    for (const [column, value] of columns)
      await connection.query(`UPDATE @workspaces SET ${column} = $2 WHERE name = $1`, [name, value]);
  }

  const show = (name: string) =>
    pool.run(async (connection) => {
      const [row] = await connection.query<WorkspaceRow & { readonly spent: bigint }>(
        `${ROWS} WHERE name = $1`,
        [name],
      );
      return row ? asShown(row) : asWorkspace(await existing(connection, name));
    });

  /** @param balanceOf returns the new balance; undefined to leave it as it is */
  async function changeBalance(
    name: string,
    note: string,
    actor: string,
    balanceOf: (row: WorkspaceRow) => bigint | null | undefined,
  ) {
    checkNote(note);
    const mark = randomBytes(12).toHex();
    await change(async (connection) => {
      await connection.query(WITH_LEASES, [name]);
      const row = await existing(connection, name, true);
      const done = await connection.query("SELECT 1 FROM @credit_grants WHERE mark = $1", [mark]);
      const balance = done.length > 0 ? undefined : balanceOf(row);
      if (balance === undefined) return;
      const amount = (balance ?? 0n) - (row.micro_credits ?? 0n);
      refuseChange(name, row.micro_credits_held, amount, balance);
      await connection.query("UPDATE @workspaces SET micro_credits = $2 WHERE name = $1", [name, balance]);
      // The leases learn whether the workspace has a balance now, and whether it covers them.
      await connection.query(WITH_LEASES, [name]);
      await connection.query(
        `INSERT INTO @credit_grants (granted_at, workspace, micro_credits, balance, note, mark) VALUES (${timeOf("$1")}, $2, $3, $4, $5, $6)`,
        [clock.at(), name, amount, balance ?? 0n, note, mark],
      );
      await noteChange(connection, clock, {
        actor,
        action: "credits.change",
        target: name,
        before: { credits: row.micro_credits === null ? null : creditsOf(row.micro_credits) },
        after: { credits: balance === null ? null : creditsOf(balance), note },
      });
    });
    return show(name);
  }

  return {
    rules(name) {
      const own = byName.get(name);
      return rulesOf(name, own?.settings ?? NO_SETTINGS, own?.hasCredits, defaults());
    },
    async create(name, settings, credits, actor = ACTORS.commandLine) {
      checkNewWorkspace(name);
      const columns = columnsOf(settings);
      const starting = credits === undefined ? startingMicroCredits(defaults()) : credits;
      let isSecondTry = false;
      await change(async (connection) => {
        const isMade = await ensureWorkspace(connection, name, starting, clock.at());
        // The first try may have been committed, and its acknowledgement lost.
        if (!isMade && !isSecondTry) throw existsAlready(name);
        isSecondTry = true;
        if (!isMade) return;
        await put(connection, name, columns);
        const after = { credits: starting === null ? null : creditsOf(starting), ...settings };
        await noteChange(connection, clock, {
          actor,
          action: "workspaces.create",
          target: name,
          before: null,
          after,
        });
      });
      return show(name);
    },
    async ensure(name, until) {
      if (byName.has(name)) return false;
      checkNewWorkspace(name);
      return change(
        (connection) => ensureWorkspace(connection, name, startingMicroCredits(defaults()), clock.at()),
        until,
      );
    },
    exists: (name) => byName.has(name),
    async set(name, settings, actor = ACTORS.commandLine) {
      const columns = columnsOf(settings);
      await change(async (connection) => {
        const all = settingsOf(await existing(connection, name, true));
        await put(connection, name, columns);
        const before = Object.fromEntries(columns.map(([setting]) => [setting, all[setting]]));
        const after = Object.fromEntries(columns.map(([setting]) => [setting, settings[setting] ?? null]));
        await noteChange(connection, clock, { actor, action: "workspaces.set", target: name, before, after });
      });
      return show(name);
    },
    async list() {
      const rows = await pool.run(({ query }) =>
        query<WorkspaceRow & { readonly spent: bigint }>(`${ROWS} ORDER BY name COLLATE "C"`),
      );
      return rows.map(asShown);
    },
    show,
    grant: (name, amount, note, actor = ACTORS.commandLine) =>
      changeBalance(name, note, actor, ({ micro_credits }) => {
        if (micro_credits === null) throw withoutLimit(name);
        return micro_credits + amount;
      }),
    // Removing a limit that does not exist changes nothing.
    setCredits: (name, balance, note, actor = ACTORS.commandLine) =>
      changeBalance(name, note, actor, ({ micro_credits }) =>
        micro_credits === balance ? undefined : balance,
      ),
    async grants(name) {
      const rows = await pool.run(({ query }) =>
        query<Omit<Grant, "granted_at"> & { readonly granted_at: bigint }>(
          "SELECT workspace, granted_at, micro_credits, balance, note FROM @credit_grants WHERE workspace = $1 ORDER BY id",
          [name],
        ),
      );
      return rows.map((grant) => ({ ...grant, granted_at: Number(grant.granted_at) }));
    },
  };
}

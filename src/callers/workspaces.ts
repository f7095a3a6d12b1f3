/**
 * Workspaces in the database: usage, keys and credits belong to them, with their rights. What a workspace does not set itself comes
 * from the routing file's current `workspace_defaults`. The command line and the Admin API call these same functions.
 * src/callers/workspace-settings.ts has what a workspace may set.
 */
import { ACTORS, openAudit } from "../books/audit";
import { type Caps, openEnsure, type Terms } from "../books/balances";
import { creditsOf, microCredits, picoUsd } from "../books/money";
import type { WorkspaceSection } from "../config/schema-workspaces";
import type { Store } from "../db/open";
import { GatewayError } from "../domain/errors";
import { nearestName } from "../domain/nearest";
import type { Outside } from "../domain/outside";
import { checkNewWorkspace } from "./keys";
import { columnsOf, NO_SETTINGS, type SettingColumns, type Settings, settingsOf } from "./workspace-settings";

export interface Workspace {
  readonly name: string;
  readonly created_at: number;
  /** Null: no limit. */
  readonly micro_credits: bigint | null;
  readonly micro_credits_held: bigint;
  readonly settings: Settings;
}

/** A workspace's effective settings, including defaults. */
export interface WorkspaceRules {
  readonly name: string;
  /** Ids and patterns. */
  readonly models: readonly string[];
  readonly requestsPerMinute: number | undefined;
  readonly tokensPerMinute: number | undefined;
  readonly dialect: Settings["dialect"];
  /** The workspace's own. */
  readonly policies: Settings["policies"];
  readonly terms: Terms;
  /** It has credits or a spending cap: every model that it uses must have a price. */
  readonly pays: boolean;
}

export interface Grant {
  readonly workspace: string;
  readonly granted_at: number;
  readonly micro_credits: bigint;
  readonly balance: bigint;
  readonly note: string;
}

/** The actor is named in the audit trail (src/books/audit.ts): left out, it is the command line. */
export interface Workspaces {
  /** Also for a workspace that does not exist yet: a request with `auth.jwt.create_workspaces` may be its first. @throws GatewayError database_unavailable */
  rules(name: string): WorkspaceRules;
  /** @throws GatewayError invalid if it exists */
  create(
    name: string,
    settings: Partial<Settings>,
    credits: bigint | null | undefined,
    actor?: string,
  ): Promise<Workspace>;
  /**
   * Creates the workspace unless it exists. @returns whether it was created @throws GatewayError invalid for an invalid name
   * @param until when to stop waiting for a locked database (src/db/writer.ts)
   */
  ensure(name: string, until?: number): Promise<boolean>;
  exists(name: string): boolean;
  /** @throws GatewayError invalid for an unknown one */
  set(name: string, settings: Partial<Settings>, actor?: string): Promise<Workspace>;
  list(): Promise<readonly Workspace[]>;
  /** @throws GatewayError invalid for an unknown one */
  show(name: string): Promise<Workspace>;
  /**
   * Adds micro-credits; a negative amount takes them back, as far as they are neither spent nor held.
   * @throws GatewayError invalid if more would be taken than is free, or the workspace has no limit
   */
  grant(name: string, amount: bigint, note: string, actor?: string): Promise<Workspace>;
  /**
   * Sets the balance, as a grant of the difference; null: no limit from now on.
   * @throws GatewayError invalid if less would be left than requests in flight hold
   */
  setCredits(name: string, balance: bigint | null, note: string, actor?: string): Promise<Workspace>;
  grants(name: string): Promise<readonly Grant[]>;
}

export interface WorkspaceRow extends SettingColumns {
  readonly name: string;
  readonly created_at: bigint;
  readonly micro_credits: bigint | null;
  readonly micro_credits_held: bigint;
}

/** A million million credits: far below what a column can store, so that sums do not overflow. */
const MICRO_CREDITS_MAX = 10n ** 18n;

/** @param defaults the current ones: a reload may change them */
export function openWorkspaces(
  store: Store,
  defaults: () => WorkspaceSection,
  { now }: Pick<Outside, "now">,
): Workspaces {
  const { database, read, write, once } = store;
  const audit = openAudit(store, { now });
  const select = database.query<WorkspaceRow, [string]>("SELECT * FROM workspaces WHERE name = ?1");
  const selectAll = database.query<WorkspaceRow, []>("SELECT * FROM workspaces ORDER BY name");
  const ensure = openEnsure(database);
  const putCredits = database.query<unknown, [string, bigint | null]>(
    "UPDATE workspaces SET micro_credits = ?2 WHERE name = ?1",
  );
  const insertGrant = database.query<unknown, [string, number, bigint, bigint, string]>(
    "INSERT INTO credit_grants (workspace, granted_at, micro_credits, balance, note) VALUES (?1, ?2, ?3, ?4, ?5)",
  );
  const selectGrants = database.query<Omit<Grant, "granted_at"> & { granted_at: bigint }, [string]>(
    "SELECT workspace, granted_at, micro_credits, balance, note FROM credit_grants WHERE workspace = ?1 ORDER BY id",
  );

  function put(name: string, columns: ReturnType<typeof columnsOf>): void {
    for (const [column, value] of columns)
      database
        .query<unknown, [string, string | number | null]>(
          `UPDATE workspaces SET ${column} = ?2 WHERE name = ?1`,
        )
        .run(name, value);
  }

  /** Must be called inside a transaction. */
  function change(
    { name, micro_credits, micro_credits_held: held }: WorkspaceRow,
    amount: bigint,
    balance: bigint | null,
    { note, actor }: { readonly note: string; readonly actor: string },
  ): void {
    refuseChange(name, held, amount, balance);
    putCredits.run(name, balance);
    insertGrant.run(name, now(), amount, balance ?? 0n, note);
    audit.note({
      actor,
      action: "credits.change",
      target: name,
      before: { credits: micro_credits === null ? null : creditsOf(micro_credits) },
      after: { credits: balance === null ? null : creditsOf(balance), note },
    });
  }

  function existing(name: string): WorkspaceRow {
    const row = read(() => select.get(name));
    if (row) return row;
    throw unknownWorkspace(
      name,
      read(() => selectAll.all()).map((other) => other.name),
    );
  }

  /** undefined if it does not exist: `once` does not cache that. */
  const isThere = once((name) => (read(() => select.get(name)) ? true : undefined));

  const own = once((name) => {
    const row = read(() => select.get(name));
    return row
      ? { settings: settingsOf(row), hasCredits: row.micro_credits !== null }
      : { settings: NO_SETTINGS, hasCredits: undefined };
  });

  /** Every request needs them, several times: they are made again only when the row or the defaults have changed. */
  const made = new WeakMap<object, { readonly by: WorkspaceSection; readonly rules: WorkspaceRules }>();

  return {
    rules(name) {
      const row = own(name);
      const by = defaults();
      const known = made.get(row);
      if (known?.by === by) return known.rules;
      const rules = rulesOf(name, row.settings, row.hasCredits, by);
      made.set(row, { by, rules });
      return rules;
    },
    async create(name, settings, credits, actor = ACTORS.commandLine) {
      checkNewWorkspace(name);
      const columns = columnsOf(settings);
      await write(() => {
        const starting = credits === undefined ? startingMicroCredits(defaults()) : credits;
        if (!ensure(name, starting, now())) throw existsAlready(name);
        put(name, columns);
        const after = {
          credits: starting === null ? null : creditsOf(starting),
          ...settings,
        };
        audit.note({ actor, action: "workspaces.create", target: name, before: null, after });
      });
      return asWorkspace(existing(name));
    },
    async ensure(name, until) {
      if (isThere(name)) return false;
      checkNewWorkspace(name);
      return write(() => ensure(name, startingMicroCredits(defaults()), now()), undefined, until);
    },
    exists: (name) => isThere(name) === true,
    async set(name, settings, actor = ACTORS.commandLine) {
      existing(name);
      const columns = columnsOf(settings);
      await write(() => {
        const all = settingsOf(existing(name));
        put(name, columns);
        const before = Object.fromEntries(columns.map(([setting]) => [setting, all[setting]]));
        const after = Object.fromEntries(columns.map(([setting]) => [setting, settings[setting] ?? null]));
        audit.note({ actor, action: "workspaces.set", target: name, before, after });
      });
      return asWorkspace(existing(name));
    },
    list: async () => read(() => selectAll.all()).map(asWorkspace),
    show: async (name) => asWorkspace(existing(name)),
    async grant(name, amount, note, actor = ACTORS.commandLine) {
      checkNote(note);
      await write(() => {
        const row = existing(name);
        if (row.micro_credits === null) throw withoutLimit(name);
        change(row, amount, row.micro_credits + amount, { note, actor });
      });
      return asWorkspace(existing(name));
    },
    async setCredits(name, balance, note, actor = ACTORS.commandLine) {
      checkNote(note);
      await write(() => {
        const row = existing(name);
        // A change from no limit to no limit needs no entry.
        if (row.micro_credits === balance) return;
        change(row, (balance ?? 0n) - (row.micro_credits ?? 0n), balance, { note, actor });
      });
      return asWorkspace(existing(name));
    },
    async grants(name) {
      return read(() => selectGrants.all(name)).map((grant) => ({
        ...grant,
        granted_at: Number(grant.granted_at),
      }));
    },
  };
}

/**
 * A balance never goes below what requests in flight hold. @param balance afterwards; null: no limit
 * @throws GatewayError invalid
 */
export function refuseChange(name: string, held: bigint, amount: bigint, balance: bigint | null): void {
  if (balance === null) return;
  if (balance > MICRO_CREDITS_MAX)
    throw new GatewayError("invalid", `A balance is at most ${creditsOf(MICRO_CREDITS_MAX)} credits.`);
  if (amount >= 0n || balance >= held) return;
  const hold = held === 0n ? "" : `, of which requests in flight hold ${creditsOf(held)}`;
  throw new GatewayError(
    "invalid",
    `The workspace "${name}" has ${creditsOf(balance - amount)} credits${hold}: ${creditsOf(-amount)} cannot be taken back.`,
  );
}

export function unknownWorkspace(name: string, others: readonly string[]): GatewayError {
  const near = nearestName(name, others);
  const meant = near === undefined ? "" : ` (did you mean "${near}"?)`;
  return new GatewayError(
    "invalid",
    `There is no workspace "${name}"${meant}: 'embedgate workspaces list' shows them, 'create' makes one.`,
  );
}

export const existsAlready = (name: string) =>
  new GatewayError(
    "invalid",
    `The workspace "${name}" already exists: 'embedgate workspaces set' changes it.`,
  );

export const withoutLimit = (name: string) =>
  new GatewayError(
    "invalid",
    `The workspace "${name}" has no credit limit, so credits cannot be added or taken back: 'embedgate credits grant --limit' sets one.`,
  );

/** @throws GatewayError */
export function checkNote(note: string): void {
  if (/^[^\p{C}]{0,500}$/u.test(note)) return;
  throw new GatewayError("invalid", "The note must have at most 500 printable characters.", {
    field: "note",
  });
}

export function asWorkspace(row: WorkspaceRow): Workspace {
  const { name, created_at, micro_credits, micro_credits_held } = row;
  return {
    name,
    created_at: Number(created_at),
    micro_credits,
    micro_credits_held,
    settings: settingsOf(row),
  };
}

/** @param hasCredits undefined for a workspace that was never seen */
export function rulesOf(
  name: string,
  own: Settings,
  hasCredits: boolean | undefined,
  defaults: WorkspaceSection,
): WorkspaceRules {
  const day = own.cap_usd_per_day ?? defaults.cap_usd_per_day;
  const month = own.cap_usd_per_month ?? defaults.cap_usd_per_month;
  const caps: Caps = {
    day: day === undefined ? undefined : picoUsd(day),
    month: month === undefined ? undefined : picoUsd(month),
    timeZone: own.cap_time_zone ?? defaults.cap_time_zone,
  };
  const starting = startingMicroCredits(defaults);
  return {
    name,
    models: own.models ?? defaults.models ?? ["*"],
    requestsPerMinute: own.requests_per_minute ?? defaults.requests_per_minute,
    tokensPerMinute: own.tokens_per_minute ?? defaults.tokens_per_minute,
    dialect: own.dialect ?? defaults.dialect ?? null,
    policies: own.policies,
    terms: { startingMicroCredits: starting, caps },
    pays: (hasCredits ?? starting !== null) || day !== undefined || month !== undefined,
  };
}

export function startingMicroCredits({ credits }: WorkspaceSection): bigint | null {
  return credits === undefined || credits === "unlimited" ? null : microCredits(credits);
}

/**
 * Workspaces as state in the database: whom usage, keys and credits belong to, and what each may do. What one does not say itself is
 * as the routing file's `workspace_defaults` has it now. The command line and the admin API call these same functions.
 * A new setting is a column (src/db/migrations.ts), a member of `Settings` and a line in `COLUMN_OF`.
 */
import { Value } from "@sinclair/typebox/value";
import { type Caps, openBalances, type Terms } from "./balances";
import { DialectName, type WorkspaceSection } from "./config/schema";
import type { Store } from "./db/open";
import { GatewayError } from "./errors";
import { checkName } from "./keys";
import { microCredits, picoUsd } from "./money";
import type { Outside } from "./outside";

/** A workspace's own; null is as the defaults have it. */
export interface Settings {
  readonly models: readonly string[] | null;
  readonly requests_per_minute: number | null;
  readonly tokens_per_minute: number | null;
  readonly cap_usd_per_day: number | null;
  readonly cap_usd_per_month: number | null;
  readonly dialect: NonNullable<WorkspaceSection["dialect"]> | null;
}

export interface Workspace {
  readonly name: string;
  readonly created_at: number;
  /** Null: no limit. */
  readonly micro_credits: bigint | null;
  readonly micro_credits_held: bigint;
  readonly settings: Settings;
}

/** What holds for a workspace now, defaults counted in. */
export interface WorkspaceRules {
  readonly name: string;
  /** Ids and patterns. */
  readonly models: readonly string[];
  readonly requestsPerMinute: number | undefined;
  readonly tokensPerMinute: number | undefined;
  readonly dialect: Settings["dialect"];
  readonly terms: Terms;
}

export interface Grant {
  readonly workspace: string;
  readonly granted_at: number;
  readonly micro_credits: bigint;
  readonly balance: bigint;
  readonly note: string;
}

export interface Workspaces {
  /** Also of one that was never seen: a JWT's claim makes one on first sight. @throws GatewayError database_unavailable */
  rules(name: string): WorkspaceRules;
  /** @throws GatewayError invalid where there is one already */
  create(name: string, settings: Partial<Settings>, credits: bigint | null | undefined): Promise<Workspace>;
  /** Makes the workspace unless it is there. */
  ensure(name: string): Promise<void>;
  /** @throws GatewayError invalid for an unknown one */
  set(name: string, settings: Partial<Settings>): Promise<Workspace>;
  list(): readonly Workspace[];
  /** @throws GatewayError invalid for an unknown one */
  show(name: string): Workspace;
  /**
   * Adds micro-credits; a negative amount takes them back, down to zero. A workspace without a limit has one from then on.
   * @throws GatewayError invalid where more would be taken than there is
   */
  grant(name: string, amount: bigint, note: string): Promise<Workspace>;
  /** Null: no limit from now on. */
  setUnlimited(name: string): Promise<Workspace>;
  grants(name: string): readonly Grant[];
}

interface Row {
  readonly name: string;
  readonly created_at: bigint;
  readonly micro_credits: bigint | null;
  readonly micro_credits_held: bigint;
  readonly models: string | null;
  readonly requests_per_minute: bigint | null;
  readonly tokens_per_minute: bigint | null;
  readonly cap_usd_per_day: number | null;
  readonly cap_usd_per_month: number | null;
  readonly dialect: string | null;
}

/** @param defaults as they are now: a reload may change them */
export function openWorkspaces(
  store: Store,
  defaults: () => WorkspaceSection,
  { now }: Pick<Outside, "now">,
): Workspaces {
  const { database, read, write } = store;
  const select = database.query<Row, [string]>("SELECT * FROM workspaces WHERE name = ?1");
  const selectAll = database.query<Row, []>("SELECT * FROM workspaces ORDER BY name");
  const { ensure } = openBalances(store);
  const setCredits = database.query<unknown, [string, bigint | null]>(
    "UPDATE workspaces SET micro_credits = ?2 WHERE name = ?1",
  );
  const insertGrant = database.query<unknown, [string, number, bigint, bigint, string]>(
    "INSERT INTO credit_grants (workspace, granted_at, micro_credits, balance, note) VALUES (?1, ?2, ?3, ?4, ?5)",
  );
  const selectGrants = database.query<Omit<Grant, "granted_at"> & { granted_at: bigint }, [string]>(
    "SELECT workspace, granted_at, micro_credits, balance, note FROM credit_grants WHERE workspace = ?1 ORDER BY id",
  );

  function put(name: string, settings: Partial<Settings>): void {
    for (const [key, value] of Object.entries(settings)) {
      if (value === undefined || !isSetting(key)) continue;
      const stored = Array.isArray(value) ? JSON.stringify(value) : value;
      if (typeof stored === "object" && stored !== null) continue;
      database
        .query<unknown, [string, string | number | null]>(
          `UPDATE workspaces SET ${COLUMN_OF[key]} = ?2 WHERE name = ?1`,
        )
        .run(name, stored);
    }
  }

  function existing(name: string): Row {
    const row = read(() => select.get(name));
    if (row) return row;
    throw new GatewayError(
      "invalid",
      `There is no workspace "${name}": 'embedgate workspaces list' shows them, 'create' makes one.`,
    );
  }

  return {
    rules(name) {
      const row = read(() => select.get(name));
      return rulesOf(name, row ? settingsOf(row) : NO_SETTINGS, defaults());
    },
    async create(name, settings, credits) {
      checkName("workspace", name);
      await write(() => {
        const starting = credits === undefined ? startingMicroCredits(defaults()) : credits;
        if (!ensure(name, starting, now()))
          throw new GatewayError(
            "invalid",
            `There is a workspace "${name}" already: 'embedgate workspaces set' changes it.`,
          );
        put(name, settings);
      });
      return asWorkspace(existing(name));
    },
    async ensure(name) {
      checkName("workspace", name);
      if (read(() => select.get(name))) return;
      await write(() => ensure(name, startingMicroCredits(defaults()), now()));
    },
    async set(name, settings) {
      existing(name);
      await write(() => put(name, settings));
      return asWorkspace(existing(name));
    },
    list: () => read(() => selectAll.all()).map(asWorkspace),
    show: (name) => asWorkspace(existing(name)),
    async grant(name, amount, note) {
      existing(name);
      await write(() => {
        const balance = (select.get(name)?.micro_credits ?? 0n) + amount;
        if (balance < 0n)
          throw new GatewayError(
            "invalid",
            `The workspace "${name}" has ${balance - amount} micro-credits, so ${-amount} cannot be taken back.`,
          );
        setCredits.run(name, balance);
        insertGrant.run(name, now(), amount, balance, note);
      });
      return asWorkspace(existing(name));
    },
    async setUnlimited(name) {
      existing(name);
      await write(() => setCredits.run(name, null));
      return asWorkspace(existing(name));
    },
    grants(name) {
      return read(() => selectGrants.all(name)).map((grant) => ({
        ...grant,
        granted_at: Number(grant.granted_at),
      }));
    },
  };
}

const NO_SETTINGS: Settings = {
  models: null,
  requests_per_minute: null,
  tokens_per_minute: null,
  cap_usd_per_day: null,
  cap_usd_per_month: null,
  dialect: null,
};

const COLUMN_OF: Readonly<Record<keyof Settings, string>> = {
  models: "models",
  requests_per_minute: "requests_per_minute",
  tokens_per_minute: "tokens_per_minute",
  cap_usd_per_day: "cap_usd_per_day",
  cap_usd_per_month: "cap_usd_per_month",
  dialect: "dialect",
};

const isSetting = (key: string): key is keyof Settings => key in COLUMN_OF;

function settingsOf(row: Row): Settings {
  const models: unknown = row.models === null ? null : JSON.parse(row.models);
  return {
    models: Array.isArray(models) ? models.map(String) : null,
    requests_per_minute: row.requests_per_minute === null ? null : Number(row.requests_per_minute),
    tokens_per_minute: row.tokens_per_minute === null ? null : Number(row.tokens_per_minute),
    cap_usd_per_day: row.cap_usd_per_day,
    cap_usd_per_month: row.cap_usd_per_month,
    dialect: Value.Check(DialectName, row.dialect) ? row.dialect : null,
  };
}

function asWorkspace(row: Row): Workspace {
  const { name, created_at, micro_credits, micro_credits_held } = row;
  return {
    name,
    created_at: Number(created_at),
    micro_credits,
    micro_credits_held,
    settings: settingsOf(row),
  };
}

function rulesOf(name: string, own: Settings, defaults: WorkspaceSection): WorkspaceRules {
  const day = own.cap_usd_per_day ?? defaults.cap_usd_per_day;
  const month = own.cap_usd_per_month ?? defaults.cap_usd_per_month;
  const caps: Caps = {
    day: day === undefined ? undefined : picoUsd(day),
    month: month === undefined ? undefined : picoUsd(month),
  };
  return {
    name,
    models: own.models ?? defaults.models ?? ["*"],
    requestsPerMinute: own.requests_per_minute ?? defaults.requests_per_minute,
    tokensPerMinute: own.tokens_per_minute ?? defaults.tokens_per_minute,
    dialect: own.dialect ?? defaults.dialect ?? null,
    terms: { startingMicroCredits: startingMicroCredits(defaults), caps },
  };
}

function startingMicroCredits({ credits }: WorkspaceSection): bigint | null {
  return credits === undefined || credits === "unlimited" ? null : microCredits(credits);
}

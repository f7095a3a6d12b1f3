/**
 * `embedgate workspaces create | set | list | show`: the functions of src/callers/workspaces.ts, with text for people and JSON for programs.
 * A new setting needs an option here (`SettingOptions`), in addition to what src/callers/workspace-settings.ts says.
 */
import { creditsOf, usdOf } from "../books/money";
import { UTC } from "../books/periods";
import { SETTINGS, type SettingName, type Settings } from "../callers/workspace-settings";
import type { Workspace, Workspaces } from "../callers/workspaces";
import type { GatewayConfig } from "../config/gateway-config";
import { matches } from "../config/models";
import type { DialectName } from "../config/schema-values";
import type { WorkspaceSection } from "../config/schema-workspaces";
import { realOutside } from "../network/real-outside";
import type { Stores } from "../stores/stores";
import { printTable } from "../terminal/screen";
import { inWords } from "./credits";
import { json } from "./json";
import { type StoreOptions, withStore } from "./with-store";

/** Settings that are left out do not change. */
export interface SettingOptions extends StoreOptions {
  readonly models?: readonly string[];
  readonly requestsPerMinute?: number;
  readonly tokensPerMinute?: number;
  readonly capUsdPerDay?: number;
  readonly capUsdPerMonth?: number;
  readonly capTimeZone?: string;
  readonly dialect?: DialectName;
  readonly policy?: ReadonlyMap<string, string>;
  /** Micro-credits. */
  readonly credits?: bigint | "unlimited";
}

export function createWorkspace(name: string, options: SettingOptions): Promise<number> {
  return withStore(
    options,
    async (stores, config) => {
      const workspaces = open(stores, config);
      tellUnknownModels(options.models ?? [], config);
      const made = await workspaces.create(name, settingsOf(options), balanceOf(options));
      await tell(made, options, await recorder(stores, config));
      return 0;
    },
    true,
  );
}

export function setWorkspace(
  name: string,
  options: SettingOptions & { readonly unset?: readonly SettingName[] },
): Promise<number> {
  return withStore(options, async (stores, config) => {
    const workspaces = open(stores, config);
    tellUnknownModels(options.models ?? [], config);
    const unset = Object.fromEntries((options.unset ?? []).map((setting) => [setting, null]));
    let workspace = await workspaces.set(name, { ...unset, ...settingsOf(options) });
    const balance = balanceOf(options);
    if (balance !== undefined)
      workspace = await workspaces.setCredits(
        name,
        balance,
        balance === null ? "no limit from now on" : "set",
      );
    await tell(workspace, options, await recorder(stores, config));
    return 0;
  });
}

export function listWorkspaces(options: StoreOptions): Promise<number> {
  return withStore(options, async (stores, config) => {
    const recordOf = await recorder(stores, config);
    const told = await Promise.all((await open(stores, config).list()).map(recordOf));
    if (options.json) console.log(json(told));
    else {
      const rows = told.map((one) => [
        one.name,
        { right: one.credits ?? "no limit" },
        { right: one.credits_held },
        { right: one.spent_today_usd },
        { right: one.spent_this_month_usd },
        one.live_keys,
        one.created_at.slice(0, 10),
      ]);
      const headings = ["CREDITS", "HELD", "USD TODAY", "USD THIS MONTH", "KEYS"].map((right) => ({ right }));
      printTable([["WORKSPACE", ...headings, "CREATED"], ...rows]);
    }
    return 0;
  });
}

export function showWorkspace(name: string, options: StoreOptions): Promise<number> {
  return withStore(options, async (stores, config) => {
    await tell(await open(stores, config).show(name), options, await recorder(stores, config));
    return 0;
  });
}

const open = (stores: Stores, { workspaceDefaults }: GatewayConfig): Workspaces =>
  stores.openWorkspaces(() => workspaceDefaults);

/** Null: no limit. */
const balanceOf = ({ credits }: SettingOptions) => (credits === "unlimited" ? null : credits);

function settingsOf(options: SettingOptions): Partial<Settings> {
  const { models, dialect, policy } = options;
  const given = {
    models,
    requests_per_minute: options.requestsPerMinute,
    tokens_per_minute: options.tokensPerMinute,
    cap_usd_per_day: options.capUsdPerDay,
    cap_usd_per_month: options.capUsdPerMonth,
    cap_time_zone: options.capTimeZone,
    dialect,
    policies: policy && Object.fromEntries([...policy].map(([name, value]) => [name, policyValue(value)])),
  };
  return Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined));
}

/** Some values are numbers, booleans or null; other text is taken as it is. */
function policyValue(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

/** Not refused, because a later routing file may serve the model. */
function tellUnknownModels(allowed: readonly string[], { models }: GatewayConfig): void {
  const ids = [...models.keys()];
  for (const one of allowed) {
    const isKnown = ids.some((id) => id === one || matches(one, id) || matches(id, one));
    if (!isKnown) console.error(`note: the routing file has no model "${one}"`);
  }
}

interface Shown {
  readonly value: unknown;
  /** Where the value comes from; null if it is not set. */
  readonly from: "own" | "workspace_defaults" | "server" | null;
}

async function tell(
  workspace: Workspace,
  options: StoreOptions,
  recordOf: Awaited<ReturnType<typeof recorder>>,
): Promise<void> {
  const record = await recordOf(workspace);
  if (options.json) {
    console.log(json(record));
    return;
  }
  const rows = Object.entries(record.settings).map(([name, { value, from }]) => [
    name,
    settingInWords(name, value),
    from ?? "",
  ]);
  console.log(`${record.name}: ${inWords(workspace)}`);
  const zone = record.settings.cap_time_zone?.value ?? UTC;
  console.log(
    `spent ${record.spent_today_usd} USD today, ${record.spent_this_month_usd} this month (${zone})`,
  );
  console.log(`live keys: ${record.live_keys}; created ${record.created_at.slice(0, 10)}\n`);
  printTable([["SETTING", "VALUE", "FROM"], ...rows]);
}

/** Amounts are text, because a program that reads them as floats would lose digits. */
async function recorder(stores: Stores, config: GatewayConfig) {
  const statements = stores.openStatements();
  const keys = stores
    .openKeys()
    .list()
    .filter((key) => key.revoked_at === null);
  return async ({ name, created_at, micro_credits, micro_credits_held, settings }: Workspace) => {
    const zone = settings.cap_time_zone ?? config.workspaceDefaults.cap_time_zone;
    const spent = await statements.spent(name, realOutside.now(), zone);
    return {
      name,
      created_at: new Date(created_at).toISOString(),
      credits: micro_credits === null ? null : creditsOf(micro_credits),
      credits_held: creditsOf(micro_credits_held),
      spent_today_usd: usdOf(spent.today),
      spent_this_month_usd: usdOf(spent.thisMonth),
      live_keys: keys.filter(({ workspace }) => workspace === name).length,
      settings: Object.fromEntries(SETTINGS.map((setting) => [setting, shown(setting, settings, config)])),
    };
  };
}

function shown(name: SettingName, own: Settings, { workspaceDefaults, server }: GatewayConfig): Shown {
  const defaults: WorkspaceSection = workspaceDefaults;
  if (own[name] !== null) return { value: own[name], from: "own" };
  if (defaults[name] !== undefined) return { value: defaults[name], from: "workspace_defaults" };
  if (name === "dialect" || name === "policies") return { value: server[name], from: "server" };
  return { value: null, from: null };
}

const WHERE_NOTHING_IS_SAID: Readonly<Record<string, string>> = { models: "all", cap_time_zone: UTC };

function settingInWords(name: string, value: unknown): string {
  if (value === null) return WHERE_NOTHING_IS_SAID[name] ?? "no limit";
  if (Array.isArray(value)) return value.join(", ");
  return typeof value === "object" ? JSON.stringify(value) : String(value);
}

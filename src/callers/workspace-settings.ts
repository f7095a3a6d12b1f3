/**
 * What a workspace may set for itself, each setting a column in `workspaces`; null means the routing file's
 * `workspace_defaults`. A new setting is a column (src/db/migrations.ts), a member of `Settings` and a line in `SETTINGS`.
 */

import { type Static, Type } from "@sinclair/typebox";
import { TypeCompiler } from "@sinclair/typebox/compiler";
import { Value } from "@sinclair/typebox/value";
import { isTimeZone } from "../books/periods";
import type { DialectName } from "../config/schema-values";
import { WorkspaceSection } from "../config/schema-workspaces";
import { UNKNOWN_TIME_ZONE } from "../config/sections";
import { explainBreach } from "../dialects/explain";
import { GatewayError } from "../domain/errors";
import { onFirstUse } from "../domain/first-use";
import { nearestName } from "../domain/nearest";
import { PolicyOverrides } from "../domain/policies";

export interface Settings {
  readonly models: readonly string[] | null;
  readonly requests_per_minute: number | null;
  readonly tokens_per_minute: number | null;
  readonly cap_usd_per_day: number | null;
  readonly cap_usd_per_month: number | null;
  readonly cap_time_zone: string | null;
  readonly dialect: DialectName | null;
  readonly policies: PolicyOverrides | null;
}

export type SettingName = keyof Settings;

/** Each name is its column's name too. */
export const SETTINGS = [
  "models",
  "requests_per_minute",
  "tokens_per_minute",
  "cap_usd_per_day",
  "cap_usd_per_month",
  "cap_time_zone",
  "dialect",
  "policies",
] as const satisfies readonly SettingName[];

export const NO_SETTINGS: Settings = {
  models: null,
  requests_per_minute: null,
  tokens_per_minute: null,
  cap_usd_per_day: null,
  cap_usd_per_month: null,
  cap_time_zone: null,
  dialect: null,
  policies: null,
};

/** As in the routing file's section, except that credits are not a setting: they are granted. */
const Given = Type.Omit(WorkspaceSection, ["credits"], { additionalProperties: false });
const given = onFirstUse(() => TypeCompiler.Compile(Given));

/** As stored; undefined values are left out. @throws GatewayError invalid, naming the setting */
export function columnsOf(settings: Partial<Settings>): [SettingName, string | number | null][] {
  const named = SETTINGS.filter((name) => settings[name] !== undefined);
  const values = Object.fromEntries(
    named.filter((name) => settings[name] !== null).map((name) => [name, settings[name]]),
  );
  refuseUnknownPolicies(settings.policies ?? {});
  if (!given().Check(values)) {
    const { field, message } = explainBreach(given(), values);
    throw new GatewayError("invalid", message, { field });
  }
  if (values.cap_time_zone !== undefined && !isTimeZone(values.cap_time_zone))
    throw new GatewayError("invalid", `'cap_time_zone': ${UNKNOWN_TIME_ZONE}.`, { field: "cap_time_zone" });
  if (values.models?.length === 0)
    throw new GatewayError(
      "invalid",
      "'models' is empty, so the workspace could use no model: name at least one.",
      {
        field: "models",
      },
    );
  return named.map((name) => {
    const value: Static<typeof Given>[SettingName] = values[name];
    if (value === undefined) return [name, null];
    return [name, typeof value === "object" ? JSON.stringify(value) : value];
  });
}

/** The schema's own message for an unknown key does not list the known ones. */
function refuseUnknownPolicies(policies: object): void {
  const known = Object.keys(PolicyOverrides.properties);
  const unknown = Object.keys(policies).find((name) => !known.includes(name));
  if (unknown === undefined) return;
  const near = nearestName(unknown, known);
  const hint = near === undefined ? `known: ${known.join(", ")}` : `did you mean '${near}'?`;
  throw new GatewayError("invalid", `There is no policy '${unknown.slice(0, 100)}': ${hint}`, {
    field: "policies",
  });
}

/** The columns of the same names in a row. */
export interface SettingColumns {
  readonly models: string | null;
  readonly requests_per_minute: bigint | null;
  readonly tokens_per_minute: bigint | null;
  readonly cap_usd_per_day: number | null;
  readonly cap_usd_per_month: number | null;
  readonly cap_time_zone: string | null;
  readonly dialect: string | null;
  readonly policies: string | null;
}

export function settingsOf(row: SettingColumns): Settings {
  const models: unknown = row.models === null ? null : JSON.parse(row.models);
  const policies: unknown = row.policies === null ? null : JSON.parse(row.policies);
  return {
    models: Array.isArray(models) ? models.map(String) : null,
    requests_per_minute: row.requests_per_minute === null ? null : Number(row.requests_per_minute),
    tokens_per_minute: row.tokens_per_minute === null ? null : Number(row.tokens_per_minute),
    cap_usd_per_day: row.cap_usd_per_day,
    cap_usd_per_month: row.cap_usd_per_month,
    cap_time_zone: row.cap_time_zone,
    dialect: Value.Check(DialectColumn, row.dialect) ? row.dialect : null,
    policies: Value.Check(PolicyOverrides, policies) ? policies : null,
  };
}

const DialectColumn = Type.Index(Type.Required(WorkspaceSection), ["dialect"]);

/**
 * /admin/v1/workspaces: settings, limits and spending; the same as `embedgate workspaces`.
 * A new setting is a member of SETTABLE, in addition to what src/callers/workspace-settings.ts says.
 */
import { type Static, Type } from "@sinclair/typebox";
import { usdOf } from "../../books/money";
import { periodAt } from "../../books/periods";
import { SETTINGS, type SettingName, type Settings } from "../../callers/workspace-settings";
import type { Workspace } from "../../callers/workspaces";
import { DialectName } from "../../config/schema-values";
import { WorkspaceSection } from "../../config/schema-workspaces";
import { GatewayError } from "../../domain/errors";
import { PolicyOverrides } from "../../domain/policies";
import { type AdminPath, adminPath, type Named, NO_BODY } from "./admin-path";
import { microCreditsIn } from "./amounts";
import type { AdminParts } from "./parts";
import { Count, Credits, closed, creditsOrNull, iso, OrNull, Time, Usd } from "./values";

const said = WorkspaceSection.properties;

const SETTABLE = Type.Object({
  models: OrNull(Type.Array(Type.String({ minLength: 1 }), { description: said.models.description })),
  requests_per_minute: OrNull(Type.Integer({ minimum: 1, maximum: 1_000_000_000 })),
  tokens_per_minute: OrNull(Type.Integer({ minimum: 1, maximum: 1_000_000_000_000 })),
  cap_usd_per_day: OrNull(Type.Number({ minimum: 0, maximum: 1_000_000_000 })),
  cap_usd_per_month: OrNull(Type.Number({ minimum: 0, maximum: 1_000_000_000 })),
  cap_time_zone: OrNull(Type.String({ minLength: 1, maxLength: 100 })),
  dialect: OrNull(DialectName),
  policies: OrNull(PolicyOverrides),
});

const Shown = Type.Object({
  value: Type.Unknown({ description: "The current value; null: no limit, or the gateway's default." }),
  from: OrNull(
    Type.String({ description: "own, workspace_defaults or server; null if the setting is nowhere set." }),
  ),
});

const WorkspaceShape = Type.Object({
  name: Type.String(),
  created_at: Time("When it was made."),
  credits: OrNull(Credits("The balance; null: no limit.")),
  credits_held: Credits("The part of the balance that requests in flight hold."),
  spent_today_usd: Usd("In the day of its spending caps."),
  spent_this_month_usd: Usd("In the month of its spending caps."),
  day_ends_at: Time("When the day of its caps ends."),
  month_ends_at: Time("When the month of its caps ends."),
  live_keys: Count("Keys that are not revoked."),
  settings: Type.Record(Type.String(), Shown),
});
type WorkspaceShape = Static<typeof WorkspaceShape>;

const WORKSPACE: WorkspaceShape = {
  name: "team",
  created_at: "2026-11-28T09:00:00.000Z",
  credits: "12.5",
  credits_held: "0",
  spent_today_usd: "0.4",
  spent_this_month_usd: "7.25",
  day_ends_at: "2026-11-29T00:00:00.000Z",
  month_ends_at: "2026-12-01T00:00:00.000Z",
  live_keys: 2,
  settings: { cap_usd_per_month: { value: 50, from: "workspace_defaults" } },
};

const WorkspaceList = {
  name: "AdminWorkspaces",
  schema: Type.Object(
    { workspaces: Type.Array(WorkspaceShape) },
    { examples: [{ workspaces: [WORKSPACE] }] },
  ),
} satisfies Named;

const OneWorkspace = {
  name: "AdminWorkspace",
  schema: Type.Object({ workspace: WorkspaceShape }, { examples: [{ workspace: WORKSPACE }] }),
} satisfies Named;

const Creation = {
  name: "AdminWorkspaceToMake",
  schema: Type.Object(
    {
      name: Type.String({ minLength: 1, maxLength: 200 }),
      credits: Type.Optional(
        OrNull(
          Type.String({
            maxLength: 40,
            description: "The first balance; null: no limit. Left out: as in workspace_defaults.",
          }),
        ),
      ),
      settings: Type.Optional(Type.Partial(SETTABLE, closed)),
    },
    { ...closed, examples: [{ name: "team", credits: "100", settings: { cap_usd_per_month: 50 } }] },
  ),
} satisfies Named;

const Change = {
  name: "AdminWorkspaceChange",
  schema: Type.Object(
    {
      settings: Type.Partial(SETTABLE, {
        ...closed,
        description: "Settings left out are not changed; null: as in workspace_defaults.",
      }),
    },
    { ...closed, examples: [{ settings: { cap_usd_per_month: 50, models: ["*"] } }] },
  ),
} satisfies Named;

function teller({ keys, statements, config, outside }: AdminParts) {
  const live = keys.list().filter((key) => key.revoked_at === null);
  const now = outside.now();
  return async ({
    name,
    created_at,
    micro_credits,
    micro_credits_held,
    settings,
  }: Workspace): Promise<WorkspaceShape> => {
    const zone = settings.cap_time_zone ?? config().workspaceDefaults.cap_time_zone;
    const { dayEndsAt, monthEndsAt } = periodAt(now, zone);
    const spent = await statements.spent(name, now, zone);
    return {
      name,
      created_at: iso(created_at),
      credits: creditsOrNull(micro_credits),
      credits_held: creditsOrNull(micro_credits_held) ?? "0",
      spent_today_usd: usdOf(spent.today),
      spent_this_month_usd: usdOf(spent.thisMonth),
      day_ends_at: iso(dayEndsAt),
      month_ends_at: iso(monthEndsAt()),
      live_keys: live.filter(({ workspace }) => workspace === name).length,
      settings: Object.fromEntries(SETTINGS.map((setting) => [setting, shown(setting, settings, config())])),
    };
  };
}

function shown(
  name: SettingName,
  own: Settings,
  { workspaceDefaults, server }: ReturnType<AdminParts["config"]>,
): Static<typeof Shown> {
  const defaults: WorkspaceSection = workspaceDefaults;
  if (own[name] !== null) return { value: own[name], from: "own" };
  if (defaults[name] !== undefined) return { value: defaults[name], from: "workspace_defaults" };
  if (name === "dialect" || name === "policies") return { value: server[name] ?? null, from: "server" };
  return { value: null, from: null };
}

const NewName = {
  name: "AdminWorkspaceNewName",
  schema: Type.Object(
    { name: Type.String({ minLength: 1, maxLength: 200, description: "A name that was never used." }) },
    { ...closed, examples: [{ name: "search-team" }] },
  ),
} satisfies Named;

const Deleted = {
  name: "AdminDeletedWorkspace",
  schema: Type.Object(
    { workspace: Type.String(), revoked_keys: Count("Its keys that were revoked.") },
    { examples: [{ workspace: "team", revoked_keys: 2 }] },
  ),
} satisfies Named;

/** @throws GatewayError unknown_resource */
export async function existing(
  name: string,
  { workspaces }: Pick<AdminParts, "workspaces">,
): Promise<Workspace> {
  if (workspaces.exists(name)) return workspaces.show(name);
  throw new GatewayError("unknown_resource", `There is no workspace '${name.slice(0, 200)}'.`, {
    field: "workspace",
  });
}

export const WORKSPACE_PATHS: readonly AdminPath[] = [
  adminPath({
    method: "GET",
    path: "/workspaces",
    operationId: "adminListWorkspaces",
    summary: "List the workspaces, with what each may still spend",
    query: {},
    request: NO_BODY,
    answer: WorkspaceList,
    work: async (_, parts) => ({
      workspaces: await Promise.all((await parts.workspaces.list()).map(teller(parts))),
    }),
  }),
  adminPath({
    method: "POST",
    path: "/workspaces",
    operationId: "adminCreateWorkspace",
    summary: "Create a workspace",
    query: {},
    request: Creation,
    answer: OneWorkspace,
    status: 201,
    async work({ body: { name, credits, settings = {} }, operator }, parts) {
      const balance = typeof credits === "string" ? microCreditsIn("credits", credits) : credits;
      const made = await parts.workspaces.create(name, settings, balance, operator.actor);
      return { workspace: await teller(parts)(made) };
    },
  }),
  adminPath({
    method: "GET",
    path: "/workspaces/{workspace}",
    operationId: "adminShowWorkspace",
    summary: "Show one workspace",
    query: {},
    request: NO_BODY,
    answer: OneWorkspace,
    work: async ({ param }, parts) => ({
      workspace: await teller(parts)(await existing(param("workspace"), parts)),
    }),
  }),
  adminPath({
    method: "PATCH",
    path: "/workspaces/{workspace}",
    operationId: "adminChangeWorkspace",
    summary: "Change caps, limits and settings of a workspace",
    query: {},
    request: Change,
    answer: OneWorkspace,
    async work({ param, body, operator }, parts) {
      const { name } = await existing(param("workspace"), parts);
      return {
        workspace: await teller(parts)(await parts.workspaces.set(name, body.settings, operator.actor)),
      };
    },
  }),
  adminPath({
    method: "POST",
    path: "/workspaces/{workspace}/rename",
    operationId: "adminRenameWorkspace",
    summary: "Give a workspace another name, with its keys, credits and usage",
    query: {},
    request: NewName,
    answer: OneWorkspace,
    async work({ param, body, operator }, parts) {
      const { name } = await existing(param("workspace"), parts);
      await parts.workspaceNames.rename(name, body.name, operator.actor);
      return { workspace: await teller(parts)(await existing(body.name, parts)) };
    },
  }),
  adminPath({
    method: "DELETE",
    path: "/workspaces/{workspace}",
    operationId: "adminDeleteWorkspace",
    summary: "Revoke a workspace's keys and end its credits; its usage stays",
    query: {},
    request: NO_BODY,
    answer: Deleted,
    async work({ param, operator }, parts) {
      const { name } = await existing(param("workspace"), parts);
      return { workspace: name, revoked_keys: await parts.workspaceNames.remove(name, operator.actor) };
    },
  }),
];

export type AdminWorkspaces = Static<typeof WorkspaceList.schema>;
export type AdminWorkspace = Static<typeof OneWorkspace.schema>;

export const WORKSPACE_SCHEMAS: readonly Named[] = [
  WorkspaceList,
  OneWorkspace,
  Creation,
  Change,
  NewName,
  Deleted,
];

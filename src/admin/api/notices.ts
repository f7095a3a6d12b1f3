/**
 * /admin/v1/notices: what needs attention now, each with the command that fixes it. A further kind of notice is a function of `all`.
 */
import { type Static, Type } from "@sinclair/typebox";
import { asGatewayError } from "../../domain/errors";
import { stageOf } from "../../routes/lifecycle";
import { type AdminPath, adminPath, type Named, NO_BODY } from "./admin-path";
import { callNotices } from "./call-notices";
import type { AdminParts } from "./parts";
import { quoted } from "./quoted";
import { recentNotices } from "./recent-notices";
import { OrNull } from "./values";

const Notice = Type.Object({
  kind: Type.Union(
    [
      Type.Literal("space"),
      Type.Literal("circuit_open"),
      Type.Literal("not_configured"),
      Type.Literal("end_of_life"),
      Type.Literal("slow"),
      Type.Literal("failing"),
      Type.Literal("rate_limited"),
      Type.Literal("database"),
      Type.Literal("spending"),
    ],
    {
      description:
        "space: a route's vectors, or what is known of them. circuit_open: a provider failed several times in a row. not_configured: a provider's variables are not set. end_of_life: a model's provider ends it. slow, failing: of the last ten minutes, or the last one alone, against the day before. rate_limited: a provider refuses calls with 429. database: it takes no writes, so that every request is refused. spending: a workspace spends far more than it did, or soon all that it may.",
    },
  ),
  severity: Type.Union([Type.Literal("error"), Type.Literal("warning")], {
    description: "error: requests are not served, or not as the routing file says.",
  }),
  model: OrNull(Type.String({ description: "The id in the routing file, where it is about one." })),
  provider: OrNull(Type.String()),
  space: OrNull(Type.String()),
  workspace: OrNull(Type.String()),
  message: Type.String({ description: "What happened, and what to do." }),
  command: OrNull(Type.String({ description: "A command that shows more, or solves it." })),
});
type Notice = Static<typeof Notice>;

const NoticeList = {
  name: "AdminNotices",
  schema: Type.Object(
    { notices: Type.Array(Notice, { description: "Empty: all is well." }) },
    {
      examples: [
        {
          notices: [
            {
              kind: "not_configured",
              severity: "warning",
              model: null,
              provider: "openai",
              space: null,
              workspace: null,
              message: "The provider 'openai' is not configured: OPENAI_API_KEY is not set.",
              command: "embedgate check",
            },
          ],
        },
      ],
    },
  ),
} satisfies Named;

function ofSpaces({ notices }: AdminParts): Notice[] {
  return notices().map(({ space, provider, model, out_of_service, message, cosine }) => ({
    kind: "space",
    severity: out_of_service ? "error" : "warning",
    model,
    provider,
    space,
    workspace: null,
    message: `'${provider}' for ${model}${cosine === null ? "" : `, lowest cosine ${cosine.toFixed(4)}`}: ${message}`,
    command: `embedgate spaces show ${quoted(space)}`,
  }));
}

function ofRoutes({ routes, outside }: AdminParts): Notice[] {
  const now = outside.now();
  return routes()
    .named()
    .flatMap(({ id, space, targets }) =>
      targets.flatMap((target): Notice[] => {
        const about = { model: id, provider: target.provider.name, space, workspace: null };
        const { breaker, lastError } = target.provider.healthOf(target.model);
        const found: Notice[] = [];
        if (!breaker.isClosed())
          found.push({
            ...about,
            kind: "circuit_open",
            severity: "error",
            message: `The circuit breaker of '${about.provider}' is open for ${target.model}: ${lastError?.message ?? "it failed several times in a row"} One call at a time tests whether it is back.`,
            command: "embedgate models",
          });
        const stage = stageOf(target.facts, now);
        if (stage !== "active")
          found.push({
            ...about,
            kind: "end_of_life",
            severity: stage === "ended" ? "error" : "warning",
            message: `The provider ${stage === "ended" ? "may stop" : "stops"} serving ${target.model} on ${target.facts.end_of_life}: embed stored texts with another model, whose vectors are not comparable with these.`,
            command: "embedgate usage --since 30d --by workspace,model",
          });
        return found;
      }),
    );
}

function ofProviders({ config }: AdminParts): Notice[] {
  return [...config().providers.values()]
    .filter(({ missing_variables }) => missing_variables.length > 0)
    .map(({ name, missing_variables }) => ({
      kind: "not_configured",
      severity: "warning",
      model: null,
      provider: name,
      space: null,
      workspace: null,
      message: `The provider '${name}' is not configured: ${missing_variables.join(", ")} ${missing_variables.length === 1 ? "is" : "are"} not set. Its models are not listed.`,
      command: "embedgate check",
    }));
}

/** Of one route's failing calls only the notice that is nearest to the cause is told. */
const CAUSES_FIRST = ["circuit_open", "rate_limited", "failing"];

function withoutConsequences(found: readonly Notice[]): Notice[] {
  const told = new Map<string, Notice>();
  for (const notice of found.filter(({ kind }) => CAUSES_FIRST.includes(kind))) {
    const route = JSON.stringify([notice.model, notice.provider]);
    const other = told.get(route);
    if (!other || CAUSES_FIRST.indexOf(notice.kind) < CAUSES_FIRST.indexOf(other.kind))
      told.set(route, notice);
  }
  return found.filter((notice) => !CAUSES_FIRST.includes(notice.kind) || [...told.values()].includes(notice));
}

function ofDatabase({ database }: AdminParts): Notice[] {
  try {
    database.check();
    return [];
  } catch (cause) {
    return [
      {
        kind: "database",
        severity: "error",
        model: null,
        provider: null,
        space: null,
        workspace: null,
        message: `${asGatewayError(cause).message} Every request is refused (503 database_unavailable) until it is written to again: free the disk, or end what locks it.`,
        command: "embedgate doctor",
      },
    ];
  }
}

export const NOTICE_PATHS: readonly AdminPath[] = [
  adminPath({
    method: "GET",
    path: "/notices",
    operationId: "adminListNotices",
    summary: "What needs a human now",
    query: {},
    request: NO_BODY,
    answer: NoticeList,
    async work(_, parts) {
      const database = ofDatabase(parts);
      const recent = await recentNotices(parts).catch((cause: unknown) => {
        // The reason is told already.
        if (database.length > 0) return [];
        throw cause;
      });
      const found = [
        ...database,
        ...ofSpaces(parts),
        ...ofRoutes(parts),
        ...ofProviders(parts),
        ...recent,
        ...callNotices(parts.routes().named(), parts.outside),
      ];
      return {
        notices: withoutConsequences(found).sort((a, b) => a.severity.localeCompare(b.severity)),
      };
    },
  }),
];

export type AdminNotices = Static<typeof NoticeList.schema>;

export const NOTICE_SCHEMAS: readonly Named[] = [NoticeList];

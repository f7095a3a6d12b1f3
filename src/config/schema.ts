/**
 * The routing file's schema: the one source of its types, its documentation and what `check` asks for.
 * A new key is a line here with its description; what rests on two keys at once is in sections.ts.
 */
import { type Static, Type } from "@sinclair/typebox";
import { KnownFacts } from "../domain/facts";
import { PolicyOverrides } from "../domain/policies";
import { PROCESSES_MAX } from "../machine/cores";
import { AuthSection } from "./schema-auth";
import { ProviderCommon } from "./schema-provider";

const closed = { additionalProperties: false } as const;

const milliseconds = (about: string, least: number, most: number, value: number) =>
  Type.Integer({ minimum: least, maximum: most, default: value, description: about });

/** The dialects of one shape; what each of them is stands in src/dialects/records.ts. */
export const DialectName = Type.Union(
  [
    Type.Literal("openai"),
    Type.Literal("opentoken"),
    Type.Literal("tokenfactory"),
    Type.Literal("quantized"),
  ],
  { default: "openai", description: "The wire that clients speak." },
);

export const ServerSection = Type.Object(
  {
    host: Type.Optional(
      Type.String({
        minLength: 1,
        default: "127.0.0.1",
        description: "Address to listen on; 0.0.0.0 is every one.",
      }),
    ),
    port: Type.Optional(
      Type.Integer({ minimum: 1, maximum: 65535, default: 8080, description: "Port to listen on." }),
    ),
    dialect: Type.Optional(DialectName),
    policies: Type.Optional(PolicyOverrides),
    deadline_ms: Type.Optional(
      milliseconds("Longest time a request may take in all, every attempt included.", 1, 3_600_000, 60_000),
    ),
    max_attempts: Type.Optional(
      Type.Integer({
        minimum: 1,
        maximum: 100,
        default: 4,
        description: "Most calls to providers for one part of a request, over all its routes together.",
      }),
    ),
    max_concurrent_requests: Type.Optional(
      Type.Integer({
        minimum: 1,
        maximum: 1_000_000,
        default: 10_000,
        description:
          "Requests under way at once; one more is answered 503 at once. Ten thousand of a few texts wait in some 200 MB.",
      }),
    ),
    grace_ms: Type.Optional(
      milliseconds("Time that requests under way have to finish after SIGTERM.", 0, 600_000, 30_000),
    ),
    send_timeout_ms: Type.Optional(
      milliseconds(
        "Longest time that a client may leave the next part of its answer, up to a megabyte, untaken; then it is cut off.",
        1_000,
        3_600_000,
        60_000,
      ),
    ),
    max_unsent_mb: Type.Optional(
      Type.Integer({
        minimum: 1,
        maximum: 1_048_576,
        default: 256,
        description:
          "Memory for answers that are being sent, in MB; above it, clients that have taken nothing for a second are cut off, those that wait longest first.",
      }),
    ),
    processes: Type.Optional(
      Type.Union([Type.Literal("auto"), Type.Integer({ minimum: 1, maximum: PROCESSES_MAX })], {
        default: 1,
        description: "Copies of the gateway that share the port; auto is one for each core.",
      }),
    ),
  },
  { ...closed, description: "Where and how the gateway listens." },
);

export const CacheSection = Type.Object(
  {
    memory_mb: Type.Optional(
      Type.Integer({
        minimum: 0,
        maximum: 1_048_576,
        default: 256,
        description: "Memory for vectors, in MB.",
      }),
    ),
    disk_mb: Type.Optional(
      Type.Integer({
        minimum: 0,
        maximum: 104_857_600,
        default: 0,
        description: "Disk for vectors, in MB; 0: none.",
      }),
    ),
    shared: Type.Optional(
      Type.Boolean({ default: false, description: "true: workspaces answer from each other's vectors." }),
    ),
    hit_price: Type.Optional(
      Type.Number({
        minimum: 0,
        maximum: 1,
        default: 0,
        description: "Share of the price that a hit costs.",
      }),
    ),
  },
  { ...closed, description: "Vectors kept for the next request." },
);

export const WorkspaceSection = Type.Object(
  {
    models: Type.Optional(
      Type.Array(Type.String({ minLength: 1 }), {
        description: "Models a workspace may use; * stands for any text.",
      }),
    ),
    requests_per_minute: Type.Optional(
      Type.Integer({
        minimum: 1,
        maximum: 1_000_000_000,
        description: "Requests a workspace may send in a minute.",
      }),
    ),
    tokens_per_minute: Type.Optional(
      Type.Integer({
        minimum: 1,
        maximum: 1_000_000_000_000,
        description: "Tokens a workspace may send in a minute.",
      }),
    ),
    cap_usd_per_day: Type.Optional(
      Type.Number({
        minimum: 0,
        maximum: 1_000_000_000,
        description: "USD a workspace may spend in a day (UTC).",
      }),
    ),
    cap_usd_per_month: Type.Optional(
      Type.Number({
        minimum: 0,
        maximum: 1_000_000_000,
        description: "USD a workspace may spend in a month.",
      }),
    ),
    credits: Type.Optional(
      Type.Union([Type.Number({ minimum: 0, maximum: 1e12 }), Type.Literal("unlimited")], {
        description: "Credits a new workspace starts with.",
      }),
    ),
    dialect: Type.Optional(DialectName),
    policies: Type.Optional(PolicyOverrides),
  },
  {
    ...closed,
    description: "What a new workspace may do; each one's own settings are kept in the database.",
  },
);

export const RouteEntry = Type.Object(
  {
    provider: Type.String({ minLength: 1, description: "A name under `providers`." }),
    model: Type.Optional(
      Type.String({
        minLength: 1,
        maxLength: 256,
        description:
          "The model's name there, when it is another. Under a pattern, * is what the pattern's * stood for.",
      }),
    ),
    space: Type.Optional(
      Type.String({
        minLength: 1,
        maxLength: 256,
        description: "The embedding space of this route's vectors.",
      }),
    ),
    weight: Type.Optional(
      Type.Number({
        minimum: 0,
        maximum: 1_000_000,
        description:
          "Share of the requests among routes with weights that follow one another; 0: only when the others cannot. Without one, routes are tried in order.",
      }),
    ),
  },
  { ...closed, description: "One way to a model." },
);

export const OnDrift = Type.Union([Type.Literal("stop"), Type.Literal("warn")], {
  default: "stop",
  description:
    "When a provider's vectors are no more what they were when the space was first measured: stop serving the model from it, or only warn.",
});

export const SpaceProbeSection = Type.Object(
  {
    every_ms: Type.Optional(
      milliseconds(
        "Time between two measurements of a route that is in use.",
        1_000,
        2_592_000_000,
        3_600_000,
      ),
    ),
  },
  {
    ...closed,
    description:
      "Fixed texts sent to each route now and then, to see that its vectors are still those of its space.",
  },
);

export const ModelEntry = Type.Composite(
  [
    Type.Object({
      routes: Type.Optional(
        Type.Array(RouteEntry, {
          minItems: 1,
          maxItems: 100,
          description: "Ways to the model, tried in order; all of one embedding space.",
        }),
      ),
      alias_of: Type.Optional(
        Type.String({
          minLength: 1,
          description: "Another model's id: this one is only a second name for it.",
        }),
      ),
      space: Type.Optional(
        Type.String({
          minLength: 1,
          maxLength: 256,
          description: "The embedding space of the model's vectors.",
        }),
      ),
      on_drift: Type.Optional(OnDrift),
      hedge_after_ms: Type.Optional(
        Type.Integer({
          minimum: 1,
          maximum: 3_600_000,
          description:
            "A request for one input that is not answered by then is sent to another route too (to the same, where there is no other), and the first good answer taken; both are paid for. Left out: never.",
        }),
      ),
      embeddings: Type.Optional(
        Type.Boolean({ default: true, description: "false: a model that is known, but cannot embed." }),
      ),
    }),
    KnownFacts,
  ],
  {
    ...closed,
    description: "A model that clients may ask for. What it does not say comes from the catalogue.",
  },
);

export const MoneySection = Type.Object(
  {
    credits_per_usd: Type.Optional(
      Type.Number({ exclusiveMinimum: 0, maximum: 1e9, default: 1, description: "Credits that a USD buys." }),
    ),
    markup: Type.Optional(
      Type.Number({
        minimum: 0,
        maximum: 1000,
        default: 1,
        description: "Factor on the models' prices, for what workspaces pay in credits.",
      }),
    ),
  },
  { ...closed, description: "What credits are worth." },
);

export const RoutingFile = Type.Object(
  {
    server: Type.Optional(ServerSection),
    database: Type.Optional(
      Type.String({
        minLength: 1,
        default: "sqlite:./data/embedgate.db",
        description: "sqlite:PATH from this file's folder, or sqlite::memory:.",
      }),
    ),
    durability: Type.Optional(
      Type.Union([Type.Literal("process"), Type.Literal("power")], {
        default: "process",
        description:
          "What a committed ledger row survives. process: the end of the gateway, however it comes. power: a power cut too; every commit waits for the disk.",
      }),
    ),
    auth: Type.Optional(AuthSection),
    cache: Type.Optional(
      Type.Union([CacheSection, Type.Literal(false)], {
        description: "Vectors kept for the next request; false, or left out: none.",
      }),
    ),
    money: Type.Optional(MoneySection),
    space_probe: Type.Optional(
      Type.Union([SpaceProbeSection, Type.Literal(false)], {
        description: "How embedding spaces are watched; false: not at all, so that only first routes serve.",
      }),
    ),
    workspace_defaults: Type.Optional(WorkspaceSection),
    providers: Type.Optional(
      Type.Record(Type.String(), ProviderCommon, {
        description: "Accounts and servers, by a name of your own.",
      }),
    ),
    models: Type.Optional(
      Type.Record(Type.String(), ModelEntry, {
        description: "Models by the id that clients ask for; * stands for any text.",
      }),
    ),
  },
  { ...closed, description: "gateway.yaml: the whole configuration of the gateway." },
);

export type DialectName = Static<typeof DialectName>;
export type RoutingFile = Static<typeof RoutingFile>;
export type RouteEntry = Static<typeof RouteEntry>;
export type ModelEntry = Static<typeof ModelEntry>;
export type CacheSection = Static<typeof CacheSection>;
export type WorkspaceSection = Static<typeof WorkspaceSection>;

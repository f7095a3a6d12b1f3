/**
 * The routing file's schema: the only source of its types, its documentation and what `check` checks. Larger sections have their own
 * files, schema-*.ts. A new key is a line in its section with its description; sections.ts has rules about two keys.
 */
import { type Static, Type } from "@sinclair/typebox";
import { AuthSection } from "./schema-auth";
import { FilesSection } from "./schema-files";
import { KeepSection } from "./schema-keep";
import { ModelEntry } from "./schema-models";
import { PostgresSection } from "./schema-postgres";
import { ProviderCommon } from "./schema-provider";
import { ServerSection } from "./schema-server";
import { SharedSection } from "./schema-shared";
import { SpaceFingerprints, SpaceProbeSection, Unmeasured } from "./schema-spaces";
import { LogSection, TracingSection } from "./schema-telemetry";
import { closed } from "./schema-values";
import { WorkspaceSection } from "./schema-workspaces";

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
      Type.Boolean({ default: false, description: "true: workspaces share cached vectors." }),
    ),
    hit_price: Type.Optional(
      Type.Number({
        minimum: 0,
        maximum: 1,
        default: 0,
        description: "Share of the price that a cache hit costs.",
      }),
    ),
  },
  { ...closed, description: "The cache of vectors." },
);

export const MoneySection = Type.Object(
  {
    credits_per_usd: Type.Optional(
      Type.Number({ exclusiveMinimum: 0, maximum: 1e9, default: 1, description: "Credits for one USD." }),
    ),
    markup: Type.Optional(
      Type.Number({
        minimum: 0,
        maximum: 1000,
        default: 1,
        description: "Factor on the models' prices: what workspaces pay in credits.",
      }),
    ),
    unpriced: Type.Optional(
      Type.Union([Type.Literal("refuse"), Type.Literal("allow")], {
        default: "refuse",
        description:
          "A model without a price, requested by a workspace that has credits or a spending cap. refuse: 402 price_unknown. allow: it costs nothing.",
      }),
    ),
    abandoned: Type.Optional(
      Type.Union([Type.Literal("charge"), Type.Literal("waive")], {
        default: "charge",
        description:
          "Calls that were sent to a provider and not answered: the client disconnected, timeout_ms passed, or the other hedged call won. charge: the workspace pays an estimate. waive: it does not. Spending caps count the estimate in both cases.",
      }),
    ),
  },
  { ...closed, description: "Credits and prices." },
);

export const RoutingFile = Type.Object(
  {
    server: Type.Optional(ServerSection),
    database: Type.Optional(
      Type.String({
        minLength: 1,
        default: "sqlite:./data/embedgate.db",
        description:
          "sqlite:PATH relative to this file's folder, or sqlite::memory:. postgres://USER@HOST/DATABASE for several machines with one ledger; several hosts are separated by commas.",
      }),
    ),
    durability: Type.Optional(
      Type.Union([Type.Literal("process"), Type.Literal("power")], {
        default: "process",
        description:
          "What a committed ledger row survives. process: a crash of the gateway. power: a power failure too; every commit waits for the disk.",
      }),
    ),
    postgres: Type.Optional(PostgresSection),
    keep: Type.Optional(KeepSection),
    log: Type.Optional(LogSection),
    tracing: Type.Optional(TracingSection),
    auth: Type.Optional(AuthSection),
    cache: Type.Optional(
      Type.Union([CacheSection, Type.Literal(false)], {
        description: "The cache of vectors. false (default): none.",
      }),
    ),
    shared: Type.Optional(SharedSection),
    files: Type.Optional(
      Type.Union([FilesSection, Type.Literal(false)], {
        description: "Files of batches. false: batches are disabled.",
      }),
    ),
    money: Type.Optional(MoneySection),
    space_probe: Type.Optional(
      Type.Union([SpaceProbeSection, Type.Literal(false)], {
        description: "How embedding spaces are measured. false: never; then only first routes serve.",
      }),
    ),
    space_fingerprints: Type.Optional(SpaceFingerprints),
    unmeasured: Type.Optional(Unmeasured),
    workspace_defaults: Type.Optional(WorkspaceSection),
    providers: Type.Optional(
      Type.Record(Type.String(), ProviderCommon, {
        description: "Accounts and servers, by a name of your own.",
      }),
    ),
    models: Type.Optional(
      Type.Record(Type.String(), ModelEntry, {
        description: "Models by the id that clients send; * matches any text.",
      }),
    ),
  },
  { ...closed, description: "gateway.yaml: the whole configuration of the gateway." },
);

export type RoutingFile = Static<typeof RoutingFile>;
export type CacheSection = Static<typeof CacheSection>;

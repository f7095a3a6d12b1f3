/**
 * The routing file's `postgres`: settings for PostgreSQL, if `database` is one. A new key is a line here with its description, and a member of
 * `PostgresConfig` (gateway-config.ts); it is read in src/stores/postgres/.
 */
import { type Static, Type } from "@sinclair/typebox";
import { closed } from "./schema-values";

export const PostgresSection = Type.Object(
  {
    schema: Type.Optional(
      Type.String({
        pattern: "^[a-z_][a-z0-9_]{0,62}$",
        default: "embedgate",
        description: "The schema of the gateway's tables. It is created if it is missing.",
      }),
    ),
    max_connections: Type.Optional(
      Type.Integer({
        minimum: 2,
        maximum: 100,
        default: 4,
        description:
          "Maximum connections of each process; one more listens for changes. A request waits 2 s for a connection, then it gets 503 ledger_unavailable.",
      }),
    ),
    prepare: Type.Optional(
      Type.Boolean({
        default: true,
        description:
          "Whether statements are prepared. false: for PgBouncer with transaction pooling; changes of keys are then polled for, and limits such as statement_timeout are the role's.",
      }),
    ),
    on_outage: Type.Optional(
      Type.Union([Type.Literal("refuse"), Type.Literal("spool")], {
        default: "refuse",
        description:
          "While the database cannot be reached. refuse: requests get 503 ledger_unavailable. spool: requests of workspaces without credits and caps continue; their ledger rows wait in a local file and are written when it is back.",
      }),
    ),
    credit_lease: Type.Optional(
      Type.Integer({
        minimum: 1,
        maximum: 1_000_000,
        description:
          "At this many requests a second of one workspace, a process leases a part of the workspace's credits and holds requests against it, so that the workspace's row in the database is not the bottleneck. Workspaces with a spending cap are never leased. Left out: never.",
      }),
    ),
  },
  { ...closed, description: "Settings for PostgreSQL, if `database` is one." },
);

export type PostgresSection = Static<typeof PostgresSection>;

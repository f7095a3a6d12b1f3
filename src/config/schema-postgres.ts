/**
 * The routing file's schema: how PostgreSQL is used, where `database` names one. A new key is a member here, of `PostgresConfig`
 * (gateway-config.ts), and is read in src/stores/postgres/.
 */
import { type Static, Type } from "@sinclair/typebox";
import { closed } from "./schema-values";

export const PostgresSection = Type.Object(
  {
    schema: Type.Optional(
      Type.String({
        pattern: "^[a-z_][a-z0-9_]{0,62}$",
        default: "embedgate",
        description: "The schema that the gateway's tables are in. It is created where it is missing.",
      }),
    ),
    max_connections: Type.Optional(
      Type.Integer({
        minimum: 2,
        maximum: 100,
        default: 4,
        description:
          "The connection pool of each process, at most; one more listens for changes. A request waits 2 s for a connection, then it gets 503 ledger_unavailable.",
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
          "While the database cannot be reached. refuse: requests get 503 ledger_unavailable. spool: requests of workspaces without credits and caps go on; their ledger rows wait in a local file and are written when it is back.",
      }),
    ),
    credit_lease: Type.Optional(
      Type.Integer({
        minimum: 1,
        maximum: 1_000_000,
        description:
          "From so many requests a second of one workspace in one process on, the process leases a part of the workspace's credits and holds requests against that, so that the workspace's one row is not the bottleneck. Workspaces with a spending cap are not leased. Left out: never.",
      }),
    ),
  },
  { ...closed, description: "How PostgreSQL is used, where `database` is one." },
);

export type PostgresSection = Static<typeof PostgresSection>;

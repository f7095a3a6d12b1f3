/**
 * The checks of `embedgate database check`: whether PostgreSQL's tables are those of this release, which gateways use them, and whether the
 * sums agree. To add a check, add an entry to QUESTIONS.
 */
import { OWN_WORKSPACE } from "../../books/ledger";
import { UNIT_MS } from "../../books/rollups";
import { ALL_ROWS } from "./all-rows";
import { type InstanceRow, routingFilesDiffer } from "./instance";
import { versionOf } from "./migrate";
import { MIGRATIONS } from "./migrations";
import type { Pool } from "./pool";
import { sumsOver } from "./sums";

export interface DatabaseState {
  readonly server: string;
  /** How many migrations the database has had, and how many this release knows. */
  readonly version: number;
  readonly versionKnown: number;
  readonly connections: { readonly most: number; readonly askedFor: number };
  readonly gateways: readonly InstanceRow[];
  /** Inconsistencies, as messages. */
  readonly wrong: readonly string[];
}

interface Sums {
  readonly name: string;
  readonly differs: boolean;
  readonly one: bigint;
  readonly other: bigint;
  readonly what?: string;
}

/** Columns that both charts and invoices use. */
const COMPARED = ["requests", "tokens", "tokens_upstream", "tokens_billed", "cost_pico_usd", "micro_credits"];
const sumOf = (name: string) =>
  `sum(${name === "requests" ? `CASE WHEN workspace <> '${OWN_WORKSPACE}' THEN requests ELSE 0 END` : name})::bigint AS ${name}`;
const summedBy = (from: string) =>
  `(SELECT workspace, ${COMPARED.map(sumOf).join(", ")} FROM ${from} GROUP BY workspace)`;
const END_OF_TIME = String(Number.MAX_SAFE_INTEGER);

const QUESTIONS: readonly { readonly ask: string; readonly words: (sums: Sums) => string }[] = [
  {
    ask: `SELECT * FROM (
        SELECT w.name, w.micro_credits_held AS one,
          ((SELECT coalesce(sum(micro_credits_held), 0) FROM @ledger WHERE workspace = w.name AND status = 0 AND error IS NULL)
            + (SELECT coalesce(sum(micro_credits), 0) FROM @reserves WHERE workspace = w.name)
            + (SELECT coalesce(sum(micro_credits), 0) FROM @leases WHERE workspace = w.name))::bigint AS other
        FROM @workspaces w) AS sums WHERE one <> other`,
    words: ({ name, one, other }) =>
      `the workspace "${name}" holds ${one} micro-credits, but its requests in flight, batches and leases add up to ${other}`,
  },
  {
    ask: `SELECT name, micro_credits AS one, (granted - taken)::bigint AS other FROM (
        SELECT w.name, w.micro_credits - (SELECT coalesce(sum(micro_credits_spent), 0) FROM @leases WHERE workspace = w.name)::bigint AS micro_credits,
          (SELECT coalesce(sum(micro_credits), 0) FROM @credit_grants WHERE workspace = w.name) AS granted,
          (SELECT coalesce(sum(micro_credits_taken), 0) FROM ${ALL_ROWS} AS every_row WHERE workspace = w.name) AS taken FROM @workspaces w) AS sums
      WHERE micro_credits IS NOT NULL AND micro_credits <> granted - taken`,
    words: ({ name, one, other }) =>
      `the workspace "${name}" has ${one} micro-credits, but its grants minus its charges add up to ${other}`,
  },
  {
    ask: `SELECT coalesce(s.workspace, l.workspace) AS name, compared.* FROM
        ${summedBy(`${sumsOver([UNIT_MS.day, UNIT_MS.hour], "0", END_OF_TIME)} AS found`)} AS s FULL JOIN
        ${summedBy(`${ALL_ROWS} AS every_row WHERE status <> 0 OR error IS NOT NULL`)} AS l ON l.workspace = s.workspace,
        LATERAL (VALUES ${COMPARED.map((name) => `('${name}', coalesce(s.${name}, 0), coalesce(l.${name}, 0))`).join(", ")}) AS compared(what, one, other)
      WHERE one <> other`,
    words: ({ name, what, one, other }) =>
      `the sums by hour and day of the workspace "${name}" have ${one} ${what}, but its requests add up to ${other}: its charts are wrong, its invoices are right`,
  },
];

export async function stateOfDatabase(pool: Pool, schema: string): Promise<DatabaseState> {
  const version = await pool.run((connection) => versionOf(connection, schema));
  const [found] = await pool.run(({ query }) =>
    query<{ readonly server: string; readonly most: number }>(
      `SELECT current_setting('server_version') AS server,
         current_setting('max_connections')::integer - current_setting('superuser_reserved_connections')::integer AS most`,
    ),
  );
  const isThere = version > 0;
  const gateways = isThere
    ? await pool.run(({ query }) =>
        query<InstanceRow>(
          `SELECT id, machine, version, connections, serves FROM @instances WHERE beat_at >= now() - interval '30 seconds' ORDER BY machine, id`,
        ),
      )
    : [];
  const wrong: string[] = [];
  // The queries need the tables of this release: before the migrations they are left out.
  for (const { ask, words } of version >= MIGRATIONS.length ? QUESTIONS : [])
    wrong.push(...(await pool.run(({ query }) => query<Sums>(ask))).map(words));
  wrong.push(...routingFilesDiffer(gateways));
  return {
    server: found?.server ?? "",
    version,
    versionKnown: MIGRATIONS.length,
    connections: {
      most: found?.most ?? 0,
      askedFor: gateways.reduce((sum, { connections }) => sum + connections, 0),
    },
    gateways,
    wrong,
  };
}

/** A message where gateways use another routing file than this one. @param routingFile its hash */
export function servingOthers({ gateways }: DatabaseState, routingFile: string): readonly string[] {
  const others = gateways.filter(({ serves }) => serves !== "" && serves !== routingFile);
  if (others.length === 0) return [];
  const machines = [...new Set(others.map(({ machine }) => machine))].join(", ");
  return [
    `${others.length} of the ${gateways.length} gateways on this database use another routing file than this one: ${machines}. Give all of them the same file, and reload.`,
  ];
}

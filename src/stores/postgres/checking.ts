/**
 * The state of a PostgreSQL database, for `embedgate check` and `embedgate database check`: whether its tables are those of this release, and which
 * gateways use it. The sums are checked in adding-up.ts.
 */
import { type InstanceRow, routingFilesDiffer } from "./instance";
import { versionOf } from "./migrate";
import { MIGRATIONS } from "./migrations";
import type { Pool } from "./pool";

export interface DatabaseState {
  readonly server: string;
  /** How many migrations the database has had, and how many this release knows. */
  readonly version: number;
  readonly versionKnown: number;
  readonly connections: { readonly most: number; readonly askedFor: number };
  readonly gateways: readonly InstanceRow[];
  /** Inconsistencies between gateways, as messages. */
  readonly wrong: readonly string[];
}

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
  return {
    server: found?.server ?? "",
    version,
    versionKnown: MIGRATIONS.length,
    connections: {
      most: found?.most ?? 0,
      askedFor: gateways.reduce((sum, { connections }) => sum + connections, 0),
    },
    gateways,
    wrong: routingFilesDiffer(gateways),
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

/** `embedgate database migrate | move | check`: administers the database that several gateways share. */
import { existsSync } from "node:fs";
import { resolve } from "node:path";
import type { GatewayConfig, PostgresConfig } from "../config/gateway-config";
import { PostgresSection } from "../config/schema-postgres";
import { counted } from "../domain/counted";
import { GatewayError } from "../domain/errors";
import { realOutside } from "../network/real-outside";
import { presentAt } from "../processes/presence";
import { configured } from "../serving/configured";
import { databaseName, openStores } from "../stores/open";
import { wrongInBooks } from "../stores/postgres/adding-up";
import { addressOf } from "../stores/postgres/address";
import { type DatabaseState, stateOfDatabase } from "../stores/postgres/checking";
import { migrate } from "../stores/postgres/migrate";
import { moveFromSqlite } from "../stores/postgres/move";
import { createPool, type Pool } from "../stores/postgres/pool";
import { openProgress } from "../terminal/progress";
import { json } from "./json";

interface Options {
  readonly config?: string;
  readonly json?: boolean;
}

const CONNECTIONS = 2;

async function withPool(
  config: GatewayConfig,
  work: (pool: Pool, postgres: PostgresConfig) => Promise<number>,
  { postgres }: Pick<GatewayConfig["database"], "postgres"> = config.database,
): Promise<number> {
  if (postgres === undefined)
    throw new GatewayError(
      "invalid",
      `${config.file ?? "The built-in configuration"} names no PostgreSQL database: 'database: postgres://…' does.`,
    );
  const pool = createPool(addressOf(postgres), CONNECTIONS, realOutside);
  try {
    return await work(pool, postgres);
  } finally {
    pool.close();
  }
}

export async function migrateDatabase(options: Options): Promise<number> {
  const config = await configured(options.config, { notes: false });
  if (!config) return 1;
  if (config.database.postgres === undefined) {
    // Opening it migrates it.
    await (await openStores(config.database, realOutside)).close();
    console.error(`${databaseName(config.database)} is up to date.`);
    return 0;
  }
  return withPool(config, async (pool, { schema }) => {
    const steps = await migrate(pool, schema, realOutside.monotonic);
    const what = steps === 0 ? "was up to date" : `took ${counted(steps, "step")}`;
    if (options.json) console.log(json({ schema, steps }));
    else console.error(`${databaseName(config.database)}, schema ${schema}: ${what}.`);
    return 0;
  });
}

/**
 * @param from such as sqlite:./data/embedgate.db, relative to the current folder
 * @param to another database than the routing file's
 */
export async function moveDatabase(from: string, to: string | undefined, options: Options): Promise<number> {
  const config = await configured(options.config, { notes: false });
  if (!config) return 1;
  const { schema, prepare, max_connections } = PostgresSection.properties;
  const usual = {
    schema: schema.default,
    prepare: prepare.default,
    maxConnections: max_connections.default,
    onOutage: "refuse" as const,
  };
  const target =
    to === undefined
      ? config.database
      : { ...config.database, postgres: { ...(config.database.postgres ?? usual), url: to } };
  const path = resolve(from.replace(/^sqlite:/, ""));
  if (!existsSync(path))
    throw new GatewayError("database_unavailable", `There is no database at ${path}, to be moved from.`);
  const [running] = presentAt(path);
  if (running)
    throw new GatewayError(
      "invalid",
      `A gateway is running on ${path} (process ${running.pid}): stop it first, so that nothing is written there meanwhile.`,
    );
  return withPool(
    config,
    async (pool, { schema }) => {
      // A file of an older release is migrated first.
      await (await openStores({ path, durability: "process", postgres: undefined }, realOutside)).close();
      await migrate(pool, schema, realOutside.monotonic);
      await moveFromSqlite(path, pool, ({ table, rows, added }) => {
        if (!options.json)
          console.error(`${table}: ${counted(rows, "row")} compared, ${added} of them moved now`);
      });
      if (options.json) console.log(json({ from: path, to: databaseName(target), schema }));
      else console.error(`${path} is moved to ${databaseName(target)}; both have the same rows and sums.`);
      return 0;
    },
    target,
  );
}

export async function checkDatabase(options: Options): Promise<number> {
  const config = await configured(options.config, { notes: false });
  if (!config) return 1;
  return withPool(config, async (pool, { schema }) => {
    const found = await stateOfDatabase(pool, schema);
    // Tables of an earlier shape are brought up to date first.
    const isCurrent = found.version >= found.versionKnown;
    const state = isCurrent ? { ...found, wrong: [...(await addUp(pool, options)), ...found.wrong] } : found;
    const isRight = state.wrong.length === 0 && isCurrent;
    if (options.json) console.log(json({ ok: isRight, schema, ...state }));
    else tell(state, `${databaseName(config.database)}, schema ${schema}`);
    return isRight ? 0 : 1;
  });
}

async function addUp(pool: Pool, { json: isJson }: Options): Promise<readonly string[]> {
  const progress = openProgress(isJson ? { write: () => undefined } : process.stderr);
  try {
    return await wrongInBooks(pool, {
      monotonic: realOutside.monotonic,
      told: (share) => progress.at(share, "of the ledger is checked"),
    });
  } finally {
    progress.end();
  }
}

function tell(
  { server, version, versionKnown, connections, gateways, wrong }: DatabaseState,
  name: string,
): void {
  console.log(`${name}: PostgreSQL ${server}`);
  const shape =
    version >= versionKnown
      ? "up to date"
      : `${counted(versionKnown - version, "step")} behind: 'embedgate database migrate' makes them, and so does a gateway that starts`;
  console.log(`tables: version ${version}, ${shape}`);
  console.log(
    `gateways: ${gateways.length}; they may open ${connections.askedFor} of ${connections.most} connections`,
  );
  for (const one of gateways) console.log(`  ${one.machine} ${one.id}, embedgate ${one.version}`);
  for (const what of wrong) console.error(`wrong: ${what}`);
}

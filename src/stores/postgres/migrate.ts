/**
 * Migrates a database to this release's schema: one transaction per step, one gateway at a time. The previous release must keep working on the
 * new schema, so a database that a later release has migrated is used as it is.
 */
import { GatewayError } from "../../domain/errors";
import { type Connection, stateOf } from "./connection";
import { MIGRATIONS } from "./migrations";
import type { Pool } from "./pool";

/** Waits for another gateway's migration, but not for other transactions on the tables. */
const LOCK_TIMEOUT = "10s";
const MIGRATION_MS_MAX = 60_000;
/** Creating an index on a ledger of many millions of rows takes minutes. */
const STATEMENT_MS_MAX = 3_600_000;
/** The number is arbitrary, but must not change between releases. */
const ADVISORY_LOCK = 5_047_120_417;

/** How many migrations a database has had; 0 without our tables. */
export async function versionOf(connection: Connection, schema: string): Promise<number> {
  // Not to_regclass: within a transaction it keeps reporting a table as missing, though another transaction has made it meanwhile.
  const found = await connection.query(
    `SELECT 1 FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
     WHERE n.nspname = $1 AND c.relname = 'migrations'`,
    [schema],
  );
  if (found.length === 0) return 0;
  const [row] = await connection.query<{ readonly version: number | null }>(
    "SELECT max(version) AS version FROM @migrations",
  );
  return row?.version ?? 0;
}

/**
 * @returns how many migrations were run
 * @throws GatewayError database_unavailable where the role may not change the schema
 */
export async function migrate(pool: Pool, schema: string, monotonic: () => number): Promise<number> {
  let made = 0;
  const stepOn = (connection: Connection) =>
    connection.longTransaction(STATEMENT_MS_MAX, () => step(connection, schema));
  const until = monotonic() + MIGRATION_MS_MAX;
  try {
    if ((await pool.run((connection) => versionOf(connection, schema), until)) >= MIGRATIONS.length) return 0;
    while (await pool.run(stepOn, until)) made += 1;
  } catch (thrown) {
    if (stateOf(thrown) !== "42501") throw thrown;
    throw new GatewayError(
      "database_unavailable",
      `The schema "${schema}" is not up to date, and the role of the routing file's database may not change it. Run 'embedgate database migrate' as a role that may.`,
      { cause: thrown },
    );
  }
  return made;
}

/** @returns whether a migration was left to run */
async function step(connection: Connection, schema: string): Promise<boolean> {
  await connection.query(`SET LOCAL lock_timeout = '${LOCK_TIMEOUT}'`);
  await connection.query("SELECT pg_advisory_xact_lock($1)", [ADVISORY_LOCK]);
  const version = await versionOf(connection, schema);
  const text = MIGRATIONS[version];
  if (text === undefined) return false;
  if (version === 0) {
    await connection.script(`CREATE SCHEMA IF NOT EXISTS "${schema}"`);
    await connection.script(
      "CREATE TABLE IF NOT EXISTS @migrations (version integer PRIMARY KEY, at timestamptz NOT NULL DEFAULT now())",
    );
  }
  await connection.script(text);
  await connection.query("INSERT INTO @migrations (version) VALUES ($1)", [version + 1]);
  return true;
}

/**
 * The tests' second run: .ci/check.ts runs every file that opens a database once more with PostgreSQL behind it. What opens a database for
 * a test asks here which one; .ci/both-databases.ts lists the files that run on SQLite alone.
 */
import { type PostgresDatabase, postgresDatabase, sqliteDatabase, type TestDatabase } from "./databases";

export const ON_POSTGRES = process.env.EMBEDGATE_TEST_DATABASE === "postgres";

/** For `skipIf`, of a test in a file that runs on both. @param _reason why it cannot be asked of PostgreSQL, or what judges it there */
export const onSqliteAlone = (_reason: string): boolean => ON_POSTGRES;

/** For tests of stores alone; `openGateway` and `temporaryFolder` bring their own. */
export const testDatabase = (): TestDatabase => (ON_POSTGRES ? postgresDatabase() : sqliteDatabase());

/** Where batches' files are by default with SQLite; beside a server there is no default. */
const FILES = "files: { folder: data/embedgate.db-files }\n";

const namesDatabase = (yaml: string) => /^"?database"?:/m.test(yaml);

/** A routing file with the server's database. */
export function onServer(yaml: string, { yaml: own }: Pick<PostgresDatabase, "yaml">): string {
  const files = /^"?files"?:/m.test(yaml) ? "" : FILES;
  if (!yaml.startsWith("{"))
    return `${yaml.replace(/^files: \{ (?!.*folder:)/m, `${FILES.slice(0, -3)}, `)}\n${own}${files}`;
  return JSON.stringify(Object.assign(JSON.parse(yaml), Bun.YAML.parse(`${own}${files}`)));
}

/** By the folder of the gateway's routing file. */
const byFolder = new Map<string, PostgresDatabase>();

export const databaseIn = (folder: string): PostgresDatabase | undefined => byFolder.get(folder);

/** What a test's routing file in this folder is to be, whenever it is written. */
export function routingFileIn(folder: string, yaml: string): string {
  if (!ON_POSTGRES || namesDatabase(yaml)) return yaml;
  const database = byFolder.get(folder) ?? postgresDatabase();
  byFolder.set(folder, database);
  return onServer(yaml, database);
}

/** Whoever removes a folder need not wait: what is not emptied when the tests end is dropped at the start of the next ones. */
export async function leaveFolder(folder: string): Promise<void> {
  const database = byFolder.get(folder);
  byFolder.delete(folder);
  await database?.[Symbol.asyncDispose]();
}

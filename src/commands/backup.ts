/**
 * `embedgate backup FILE`: makes a checked copy of the database while the gateway runs, with the files of batches in FILE-files.
 * `embedgate restore FILE`: replaces the database by such a copy while no gateway runs. src/db/backup.ts and src/batches/backup.ts do the work.
 */
import { existsSync, mkdirSync, statSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { type Copied, openFilesBackup, restoreFiles } from "../batches/backup";
import { backUp, type Checked, restoreDatabase } from "../db/backup";
import { counted } from "../domain/counted";
import { GatewayError } from "../domain/errors";
import { realOutside } from "../network/real-outside";
import { presentAt } from "../processes/presence";
import { configured } from "../serving/configured";
import { json } from "./json";
import { sqlitePath } from "./only-sqlite";

interface BackupOptions {
  readonly config?: string;
  readonly json?: boolean;
}

export async function backup(file: string, options: BackupOptions): Promise<number> {
  const config = await configured(options.config, { notes: false });
  if (!config) return 1;
  const database = sqlitePath(config, "backup");
  if (!existsSync(database))
    throw new GatewayError("database_unavailable", `There is no database at ${database}.`);
  const path = resolve(file);
  const { folder = `${database}-files` } = config.batchFiles ?? {};
  const files = openFilesBackup(folder, filesBeside(path), realOutside.now());
  try {
    const checked = backUp(database, path, files);
    const { size } = statSync(path);
    const { copied } = files;
    tellMissing(copied, folder);
    if (options.json) console.log(json({ database, file: path, bytes: size, ...checked, files: copied }));
    else
      console.log(
        `${database} is backed up: ${path}, ${megabytes(size)}, ${contents(checked)}.${copied.count > 0 ? ` ${filesIn(copied)} are in ${copied.folder}.` : ""}`,
      );
    return 0;
  } finally {
    files.drop();
  }
}

/** The default folder for the files of a backup or a database. */
const filesBeside = (path: string) => `${path}-files`;

export async function restore(file: string, options: BackupOptions): Promise<number> {
  const config = await configured(options.config, { notes: false });
  if (!config) return 1;
  const database = sqlitePath(config, "restore");
  const running = presentAt(database).map(({ pid }) => pid);
  if (running.length > 0) {
    console.error(
      `A gateway is running on ${database} (process ${running.join(", ")}): stop it first, such as with 'systemctl stop embedgate'.`,
    );
    return 1;
  }
  // On a new machine the folder does not exist yet.
  mkdirSync(dirname(database), { recursive: true, mode: 0o700 });
  const had = existsSync(database);
  const before = `.before-${new Date(realOutside.now()).toISOString().replaceAll(":", "-")}`;
  const kept = database + before;
  const from = resolve(file);
  const checked = restoreDatabase(from, database, kept);
  const { folder = filesBeside(database) } = config.batchFiles ?? {};
  const files = restoreFiles(filesBeside(from), folder, folder + before, database, realOutside.now());
  tellMissing(files, filesBeside(from));
  if (options.json) console.log(json({ database, file: from, kept: had ? kept : null, ...checked, files }));
  else
    console.log(
      `${database} is restored from ${from}: ${contents(checked)}.${had ? ` The database that was there is ${kept}.` : ""}${files.count > 0 ? ` ${filesIn(files)} are in ${folder}.` : ""}`,
    );
  return 0;
}

const megabytes = (bytes: number) => `${(bytes / 1e6).toFixed(1)} MB`;

const filesIn = ({ count, bytes }: Copied) => `${counted(count, "file")} of batches (${megabytes(bytes)})`;

function tellMissing({ missing }: Copied, folder: string): void {
  if (missing > 0)
    console.error(
      `Missing files of batches: ${missing}. The database names them, but they are not in ${folder}.`,
    );
}

const contents = ({ ledger_rows, keys }: Checked) =>
  `checked and whole, with ${counted(ledger_rows, "ledger row")} and ${counted(keys, "key")}`;

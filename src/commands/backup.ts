/**
 * `embedgate backup FILE` and `restore FILE`: makes a checked copy of the database while the gateway runs, and replaces the database by such a
 * copy while no gateway runs. src/db/backup.ts copies and checks the files.
 */
import { existsSync, mkdirSync, statSync } from "node:fs";
import { dirname, resolve } from "node:path";
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
  const checked = backUp(database, path);
  const { size } = statSync(path);
  if (options.json) console.log(json({ database, file: path, bytes: size, ...checked }));
  else console.log(`${database} is backed up: ${path}, ${(size / 1e6).toFixed(1)} MB, ${contents(checked)}.`);
  return 0;
}

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
  const kept = `${database}.before-${new Date(realOutside.now()).toISOString().replaceAll(":", "-")}`;
  const checked = restoreDatabase(resolve(file), database, kept);
  if (options.json) console.log(json({ database, file: resolve(file), kept: had ? kept : null, ...checked }));
  else
    console.log(
      `${database} is restored from ${resolve(file)}: ${contents(checked)}.${had ? ` The database that was there is ${kept}.` : ""}`,
    );
  return 0;
}

const contents = ({ ledger_rows, keys }: Checked) =>
  `checked and whole, with ${counted(ledger_rows, "ledger row")} and ${counted(keys, "key")}`;

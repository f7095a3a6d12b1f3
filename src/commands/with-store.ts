/**
 * What every command on the database starts with: the routing file, its database, and a line that says which database it is.
 * Only commands with `creates` create a database, and only where a routing file says where.
 */
import { existsSync } from "node:fs";
import { resolve } from "node:path";
import type { GatewayConfig } from "../config/gateway-config";
import { GatewayError } from "../domain/errors";
import { realOutside } from "../network/real-outside";
import { canFindGateways, presentAt } from "../processes/presence";
import { configured } from "../serving/configured";
import { databaseName, openStores } from "../stores/open";
import type { Stores } from "../stores/stores";

export interface StoreOptions {
  readonly config?: string;
  readonly json?: boolean;
  readonly csv?: boolean;
  readonly createDatabase?: boolean;
}

/**
 * Runs `work` on the routing file's database and closes it.
 * @param creates whether the command may create the database
 * @returns the exit code: 1 if the routing file is invalid
 * @throws GatewayError if there is no database and none may be created
 */
export async function withStore(
  options: StoreOptions,
  work: (stores: Stores, config: GatewayConfig) => Promise<number>,
  creates = false,
): Promise<number> {
  const config = await configured(options.config, { notes: false });
  if (!config) return 1;
  const { path, postgres } = config.database;
  const isThere = postgres !== undefined || path === ":memory:" || existsSync(path);
  if (!isThere && !(creates && (config.file !== undefined || options.createDatabase)))
    throw missing(config, creates);
  if (!options.json && !options.csv)
    console.error(`database: ${databaseName(config.database)} (${isThere ? runningOn(path) : "new"})`);
  const stores = await openStores(config.database, realOutside);
  try {
    return await work(stores, config);
  } finally {
    await stores.close();
  }
}

function runningOn(path: string): string {
  const running = presentAt(path).map(({ pid }) => pid);
  if (!canFindGateways()) return "this system does not tell whether a gateway is running on it";
  if (running.length === 0) return "no gateway is running on it";
  return `a gateway is running on it: process ${running.join(", ")}`;
}

function missing({ database, file }: GatewayConfig, creates: boolean): GatewayError {
  const where =
    file === undefined
      ? `There is no ${resolve("gateway.yaml")}, and no database at ${database.path}`
      : `There is no database at ${database.path}, which ${file} names`;
  const what = creates
    ? "Run this in the gateway's folder or with its --config; --create-database creates one here."
    : "Run this in the gateway's folder or with its --config. 'embedgate serve' creates the database.";
  return new GatewayError("database_unavailable", `${where}. ${what}`);
}

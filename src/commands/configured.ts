/**
 * What every command starts with: the routing file, loaded or refused in words. Commands differ only in what they do with it.
 */
import { PLUGINS } from "../../plugins/index";
import type { GatewayConfig } from "../config/gateway-config";
import { loadConfig } from "../config/load";
import { formatProblem } from "../config/problem";
import { openStore, type Store } from "../db/open";
import { realOutside } from "../outside";
import { createHost } from "../upstream/host";

/** Everything that is wrong goes to standard error, a line each; undefined means that there was something. */
export async function configured(
  file: string | undefined,
  { notes = true } = {},
): Promise<GatewayConfig | undefined> {
  const loaded = await loadConfig({
    file,
    folder: process.cwd(),
    environment: process.env,
    host: createHost(realOutside),
    bundled: PLUGINS,
  });
  if (!loaded.ok) {
    for (const problem of loaded.problems) console.error(formatProblem(problem));
    return undefined;
  }
  if (notes) for (const note of loaded.notes) console.error(`note: ${formatProblem(note)}`);
  return loaded.config;
}

/**
 * Runs `work` on the routing file's database and closes it.
 * @returns the exit code: 1 where the routing file was refused
 */
export async function withStore(
  file: string | undefined,
  work: (store: Store, config: GatewayConfig) => Promise<number>,
): Promise<number> {
  const config = await configured(file, { notes: false });
  if (!config) return 1;
  const store = await openStore(config.database.path, realOutside, config.database.durability);
  try {
    return await work(store, config);
  } finally {
    store.close();
  }
}

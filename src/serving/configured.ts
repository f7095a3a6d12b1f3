/**
 * What every command starts with: the routing file, loaded or refused in words. Commands differ only in what they do with it.
 */
import { PLUGINS } from "../../plugins/index";
import { openAside } from "../aside/aside";
import type { GatewayConfig } from "../config/gateway-config";
import { loadConfig } from "../config/load";
import { formatProblem } from "../config/problem";
import type { ReadFile } from "../config/read";
import { openStore, type Store } from "../db/open";
import { realOutside } from "../network/real-outside";
import { createHost } from "../upstream/host";

/** Of the whole process: its plugins' replies are read by the same threads that its answers are printed by. None starts before it has work. */
export const ASIDE = openAside(realOutside);

export interface Telling {
  /** Whether what is worth a note is told. */
  readonly notes?: boolean;
  /** Whether what is wrong is told. */
  readonly problems?: boolean;
  /** What the file was found to hold; left out, it is read now. */
  readonly read?: ReadFile;
  /** What the command line says of the address. */
  readonly address?: { readonly host?: string; readonly port?: number };
}

/** Everything that is wrong goes to standard error, a line each; undefined means that there was something. */
export async function configured(
  file: string | undefined,
  { notes = true, problems = true, read, address = {} }: Telling = {},
): Promise<GatewayConfig | undefined> {
  const loaded = await loadConfig({
    file,
    folder: process.cwd(),
    environment: process.env,
    host: (connection) => createHost(realOutside, ASIDE, connection),
    now: realOutside.now(),
    bundled: PLUGINS,
    read,
  });
  if (!loaded.ok) {
    if (problems) for (const problem of loaded.problems) console.error(formatProblem(problem));
    return undefined;
  }
  if (notes) for (const note of loaded.notes) console.error(`note: ${formatProblem(note)}`);
  const { server } = loaded.config;
  const { host = server.host, port = server.port } = address;
  return { ...loaded.config, server: { ...server, host, port } };
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

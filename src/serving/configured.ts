/**
 * The start of every command: loads the routing file, or refuses it with an error. Commands differ only in what follows.
 */
import { PLUGINS } from "../../plugins/index";
import { openAside } from "../aside/aside";
import { fileSchemaOf } from "../config/file-schema";
import type { GatewayConfig, Loaded } from "../config/gateway-config";
import { loadConfig } from "../config/load";
import { formatProblem } from "../config/problem";
import type { ReadFile } from "../config/read";
import type { Outside } from "../domain/outside";
import { realOutside } from "../network/real-outside";
import { createHost } from "../upstream/host";

/** For the whole process: the same threads read its plugins' replies and print its answers. None starts before it has work. */
export const ASIDE = openAside(realOutside);

export interface Telling {
  /** Whether notes are printed. */
  readonly notes?: boolean;
  /** Whether errors are printed. */
  readonly problems?: boolean;
  /** The file's content; left out: it is read now. */
  readonly read?: ReadFile;
  /** The address from the command line. */
  readonly address?: { readonly host?: string; readonly port?: number };
}

/** The routing file, or everything that is wrong with it; nothing is printed. */
export const loaded = (
  file: string | undefined,
  read?: ReadFile,
  outside: Outside = realOutside,
): Promise<Loaded> =>
  loadConfig({
    file,
    folder: process.cwd(),
    environment: process.env,
    host: (connection) => createHost(outside, ASIDE, connection),
    now: realOutside.now(),
    bundled: PLUGINS,
    read,
  });

/** Errors go to standard error, one per line; undefined means that there were some. */
export async function configured(
  file: string | undefined,
  { notes = true, problems = true, read, address = {} }: Telling = {},
): Promise<GatewayConfig | undefined> {
  const found = await loaded(file, read);
  if (!found.ok) {
    if (problems) for (const problem of found.problems) console.error(formatProblem(problem));
    return undefined;
  }
  if (notes) for (const note of found.notes) console.error(`note: ${formatProblem(note)}`);
  return at(found.config, address);
}

/** For a serving gateway: errors and notes go to its log with their outcome (reloading.ts). */
export async function reread(
  file: string | undefined,
  { read, address = {} }: Pick<Telling, "read" | "address">,
): Promise<Loaded> {
  const found = await loaded(file, read);
  return found.ok ? { ...found, config: at(found.config, address) } : found;
}

function at(config: GatewayConfig, address: NonNullable<Telling["address"]>): GatewayConfig {
  const { host = config.server.host, port = config.server.port } = address;
  return { ...config, server: { ...config.server, host, port } };
}

export const fileSchema = () => fileSchemaOf(PLUGINS, createHost(realOutside));

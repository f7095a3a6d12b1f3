/**
 * What every command starts with: the routing file, loaded, or refused with an error. Commands differ only in what they do with it.
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

/** Of the whole process: its plugins' replies are read by the same threads that its answers are printed by. None starts before it has work. */
export const ASIDE = openAside(realOutside);

export interface Telling {
  /** Whether notes are printed. */
  readonly notes?: boolean;
  /** Whether errors are printed. */
  readonly problems?: boolean;
  /** What the file was found to hold; left out, it is read now. */
  readonly read?: ReadFile;
  /** The address from the command line. */
  readonly address?: { readonly host?: string; readonly port?: number };
}

/** The routing file, or all that is wrong with it; nothing is printed. */
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

/** Everything that is wrong goes to standard error, a line each; undefined means that there was something. */
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

/** For a gateway that serves already: what is wrong, and what is worth a note, goes to its log with what came of it (reloading.ts). */
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

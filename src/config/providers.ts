/**
 * Checks the providers of a routing file: finds or loads each plugin and checks the plugin's own options.
 * The gateway's own keys of a provider are in schema-provider.ts (`ProviderCommon`); nothing here knows a vendor.
 */
import { isAbsolute, resolve } from "node:path";
import { Value } from "@sinclair/typebox/value";
import type { ConnectionOptions } from "../domain/connection-options";
import { nearestName } from "../domain/nearest";
import type { Host, Plugin, Provider } from "../plugin";
import { check, closedSchema } from "./check";
import { type Reading, readConnection } from "./connections";
import { asWritten, shownName } from "./expected";
import type { ConfiguredProvider } from "./gateway-config";
import { loadPluginFile } from "./plugin-file";
import { below, type Problem } from "./problem";
import { doubtsAbout } from "./provider-doubts";
import { checkProvider, isObjectSchema } from "./provider-shape";
import { ProviderCommon } from "./schema-provider";
import type { Tree } from "./tree";

/** Used if neither the file nor the plugin sets it. */
const CONCURRENCY_DEFAULT = 256;

export interface PluginSources {
  /** The host that a plugin gets, depending on how its provider is connected. */
  readonly host: (connection?: ConnectionOptions) => Host;
  /** By id. */
  readonly bundled: Readonly<Record<string, Plugin>>;
  /** Absolute; the folder for relative paths of plugin files. */
  readonly folder: string;
}

export interface CheckedProviders {
  /** Every name in the file, including invalid providers. */
  readonly names: ReadonlySet<string>;
  /** The valid ones. */
  readonly configured: ReadonlyMap<string, ConfiguredProvider>;
  /** Plugin ids by provider name, as far as the plugin was found. */
  readonly pluginIds: ReadonlyMap<string, string>;
}

export async function checkProviders(
  tree: Tree,
  section: unknown,
  sources: PluginSources,
  reading: Reading,
): Promise<CheckedProviders> {
  const { problems, notes } = reading;
  const names = new Set<string>();
  const configured = new Map<string, ConfiguredProvider>();
  const pluginIds = new Map<string, string>();
  const loaded = new Map<string, Found>();
  for (const [name, entry] of entriesOf(section)) {
    const pointer = below("/providers", name);
    names.add(name);
    // The name is also the value of a request's header.
    if (!/^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$/.test(name)) {
      const message = "a provider's name has 1 to 100 letters, digits, dots, dashes and underscores";
      problems.push(tree.problem(pointer, message, "key"));
    }
    if (typeof entry !== "object" || entry === null || !("plugin" in entry)) continue;
    const { plugin } = entry;
    const pluginPointer = below(pointer, "plugin");
    const missingName = tree.missing.get(pluginPointer)?.[0];
    if (missingName !== undefined) {
      const message = `the variable ${missingName} is not set, so the plugin is unknown; set it, or give a default: \${${missingName}:-local}`;
      problems.push(tree.problem(pluginPointer, message));
      continue;
    }
    if (typeof plugin !== "string" || plugin === "") continue;
    const connection = readConnection(reading, pointer, entry);
    // Then it has a host of its own: everything that the plugin sends uses that.
    const shared = connection === undefined ? loaded.get(plugin) : undefined;
    const found = shared ?? (await findPlugin(tree, pluginPointer, plugin, sources, connection));
    if (connection === undefined) loaded.set(plugin, found);
    if (!found.ok) {
      problems.push(tree.problem(pluginPointer, found.message));
      continue;
    }
    pluginIds.set(name, found.provider.id);
    const own = ownKeys(entry);
    const before = problems.length;
    const options = checkOptions(tree, pointer, own, found.provider, problems);
    const common = withoutMissing(tree, pointer, entry);
    checkAllowed(tree, pointer, common, found.provider, problems);
    if (problems.length > before || !Value.Check(ProviderCommon, common)) continue;
    notes.push(...(await doubtsAbout(tree, pointer, { options, provider: found.provider }, sources.host())));
    configured.set(name, {
      name,
      provider: found.provider,
      options,
      timeout_ms:
        common.timeout_ms ?? found.provider.timeoutMs ?? ProviderCommon.properties.timeout_ms.default,
      warm: common.warm ?? false,
      retries: common.retries ?? ProviderCommon.properties.retries.default,
      concurrency: common.concurrency ?? found.provider.concurrency ?? CONCURRENCY_DEFAULT,
      max_queue: common.max_queue ?? ProviderCommon.properties.max_queue.default,
      allow_fields: common.allow_fields ?? [],
      coalesce_ms: common.coalesce_ms ?? (found.provider.coalesce ? 0 : undefined),
      connection,
      missing_variables: missingUnder(tree, pointer),
    });
  }
  return { names, configured, pluginIds };
}

type Found =
  | { readonly ok: true; readonly provider: Provider }
  | { readonly ok: false; readonly message: string };

async function findPlugin(
  tree: Tree,
  pointer: string,
  plugin: string,
  sources: PluginSources,
  connection: ConnectionOptions | undefined,
): Promise<Found> {
  const host = sources.host(connection);
  const name = shownName(tree, pointer, plugin);
  if (plugin.startsWith(".") || isAbsolute(plugin)) {
    return loadPluginFile(resolve(sources.folder, plugin), asWritten(tree, pointer, plugin), host);
  }
  const bundled = Object.hasOwn(sources.bundled, plugin) ? sources.bundled[plugin] : undefined;
  if (bundled === undefined)
    return { ok: false, message: unknownPlugin(name, plugin, Object.keys(sources.bundled)) };
  const checked = checkProvider(bundled(host));
  if (checked.ok) return checked;
  return { ok: false, message: `the bundled plugin ${name} cannot be used: ${checked.reasons.join("; ")}` };
}

function unknownPlugin(name: string, plugin: string, known: readonly string[]): string {
  if (/[\\/]|\.[cm]?[jt]sx?$/.test(plugin)) {
    return `unknown plugin ${name}; the path of a plugin file starts with ./ or /, relative to this file's folder`;
  }
  const near = nearestName(plugin, known);
  const meant = near === undefined ? "" : `did you mean "${near}"? `;
  return `unknown plugin ${name}; ${meant}bundled are ${known.join(", ")}, and a path starting with ./ names a plugin file`;
}

const COMMON_KEYS = Object.keys(ProviderCommon.properties);

function ownKeys(entry: object): Record<string, unknown> {
  return Object.fromEntries(Object.entries(entry).filter(([key]) => !COMMON_KEYS.includes(key)));
}

function checkOptions(
  tree: Tree,
  pointer: string,
  own: Record<string, unknown>,
  provider: Provider,
  problems: Problem[],
): unknown {
  const { options } = provider;
  if (!isObjectSchema(options)) return own;
  const schema = closedSchema(options);
  const value = Value.Default(schema, own);
  problems.push(...check(tree, { schema, value, pointer, knownBeside: COMMON_KEYS }));
  return value;
}

/** Allowing a field that the plugin does not guard has no effect, while the intended one stays guarded. */
function checkAllowed(
  tree: Tree,
  pointer: string,
  common: object,
  { id, serverFields: known = [] }: Provider,
  problems: Problem[],
): void {
  const allowed: unknown = "allow_fields" in common ? common.allow_fields : [];
  if (!Array.isArray(allowed)) return;
  for (const [place, name] of allowed.entries()) {
    if (typeof name !== "string" || known.includes(name)) continue;
    const at = below(below(pointer, "allow_fields"), place);
    const near = nearestName(name, known);
    const meant =
      near === undefined
        ? known.length === 0
          ? "it restricts none"
          : `there are ${known.join(", ")}`
        : `did you mean "${near}"?`;
    problems.push(
      tree.problem(at, `the plugin ${id} restricts no field ${shownName(tree, at, name)}; ${meant}`),
    );
  }
}

/** The gateway's own keys without those that wait for a variable: they have their defaults until it is set. */
function withoutMissing(tree: Tree, pointer: string, entry: object): object {
  return Object.fromEntries(Object.entries(entry).filter(([key]) => !tree.missing.has(below(pointer, key))));
}

export function missingUnder(tree: Tree, pointer: string): string[] {
  const names = new Set<string>();
  for (const [place, missing] of tree.missing) {
    if (place === pointer || place.startsWith(`${pointer}/`)) for (const name of missing) names.add(name);
  }
  return [...names];
}

/** The entries of what should be a mapping; none if it is something else, which the schema has reported. */
export function entriesOf(value: unknown): [string, unknown][] {
  return typeof value === "object" && value !== null && !Array.isArray(value) ? Object.entries(value) : [];
}

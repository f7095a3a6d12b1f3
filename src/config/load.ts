/**
 * From a routing file to the gateway's configuration, or to everything that is wrong with it.
 * The steps in their order: read, grow the tree (YAML, variables), schema, providers, models, sections, resolve.
 */
import { dirname, resolve } from "node:path";
import { Value } from "@sinclair/typebox/value";
import type { CertificateAndKey, ConnectionOptions } from "../domain/connection-options";
import { coresAllowed } from "../machine/cores";
import { memoryAllowed } from "../machine/memory";
import { check } from "./check";
import { type Reading, readConnection, readPair } from "./connections";
import { DEFAULT_ROUTING_FILE } from "./default";
import { fileSchemaOf } from "./file-schema";
import type { Loaded } from "./gateway-config";
import { checkDefaultModel, checkModels } from "./models";
import { noteUnpriced } from "./prices";
import { byPlace, MOST_PROBLEMS, type Problem, stepsOf } from "./problem";
import { checkProviders, entriesOf, missingUnder, type PluginSources } from "./providers";
import { takePublicKeyFile } from "./public-key-file";
import { type ReadFile, readRoutingFile } from "./read";
import { resolveConfig } from "./resolve";
import { RoutingFile } from "./schema";
import {
  checkAuth,
  checkCapTimeZone,
  checkDatabase,
  checkProcesses,
  type Machine,
  noteOnServer,
} from "./sections";
import { checkFingerprints } from "./space-fingerprints";
import { growTree, type Tree } from "./tree";
import { type FileValue, pathsIn, readValueFiles } from "./value-files";
import { lackOf } from "./variables";

export type {
  ConfiguredModel,
  ConfiguredProvider,
  ConfiguredRoute,
  GatewayConfig,
  Loaded,
} from "./gateway-config";
export { formatProblem, type Problem } from "./problem";

/** Used if no file is named. */
export const USUAL_FILE = "gateway.yaml";
const BUILT_IN = "(built-in configuration)";

export interface Sources extends Pick<PluginSources, "host" | "bundled"> {
  /** The value of `--config`. undefined: ./gateway.yaml if it exists, otherwise the built-in default. */
  readonly file: string | undefined;
  /** Absolute: the current folder. */
  readonly folder: string;
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** The file's content; left out: it is read now. */
  readonly read?: ReadFile;
  /** Milliseconds since 1970, for certificates. */
  readonly now: number;
  /** Left out: the current environment. */
  readonly machine?: Machine;
}

const thisMachine = (): Machine => ({
  cores: coresAllowed(),
  sharesPorts: process.platform === "linux",
  memoryBytes: memoryAllowed(),
});

/**
 * Reads and checks a routing file. It opens no provider and no database; it does run the plugin files that the routing file names.
 * @returns the configuration and notes, or all problems by line. It does not throw, whatever a file contains.
 */
export async function loadConfig(sources: Sources): Promise<Loaded> {
  const { file = USUAL_FILE, environment } = sources;
  const read = sources.read ?? (await readRoutingFile(sources.folder, file));
  if (!read.ok && (sources.file !== undefined || !read.absent)) {
    return {
      ok: false,
      problems: [{ file, line: read.line, column: read.line === 0 ? 0 : 1, path: "", message: read.message }],
    };
  }
  const folder = read.ok ? dirname(resolve(sources.folder, file)) : resolve(sources.folder);
  const text = read.ok ? read.text : DEFAULT_ROUTING_FILE;
  const paths = pathsIn(text);
  const values = await readValueFiles(paths, folder);
  const tree = growTree(text, read.ok ? file : BUILT_IN, { environment, files: values });
  return checkTree(tree, {
    file: read.ok ? file : undefined,
    // The usual file that does not exist yet counts, too: once it is written, it is used.
    files: new Map([[resolve(sources.folder, file), read.ok ? (read.state ?? "") : "ENOENT"]]),
    folder,
    host: sources.host,
    now: sources.now,
    bundled: sources.bundled,
    machine: sources.machine ?? thisMachine(),
    values,
    environment,
  });
}

async function checkTree(
  tree: Tree,
  sources: PluginSources & {
    readonly file: string | undefined;
    readonly files: Map<string, string>;
    readonly machine: Machine;
    readonly now: number;
    readonly values: ReadonlyMap<string, FileValue>;
    readonly environment: Sources["environment"];
  },
): Promise<Loaded> {
  const { problems, notes } = tree;
  const document = tree.value;
  if (problems.length > 0 && document === undefined) return refused(problems);
  if (document === null || document === undefined) {
    // Not the default: a file that an editor or a full disk emptied must not change what a running gateway serves.
    return refused([
      tree.problem(
        "",
        "is empty; expected providers and models (without a file the gateway serves its built-in model)",
      ),
    ]);
  }
  dropEmptySections(document);
  addDefaultModels(document);
  addBootstrapKey(document, sources.environment);
  problems.push(...check(tree, { schema: RoutingFile, value: document, pointer: "" }));
  tellMissingVariables(tree, sources.values, problems, notes);

  const sections = Object.fromEntries(entriesOf(document));
  const { file, folder, files } = sources;
  for (const [path, { state }] of sources.values) files.set(resolve(folder, path), state);
  const keyFile = await takePublicKeyFile(tree, document, folder, problems);
  if (keyFile) files.set(keyFile.path, keyFile.state);
  const reading = { tree, folder, problems, notes, files, now: sources.now };
  const providers = await checkProviders(tree, sections.providers, sources, reading);
  const look = { tree, providers, problems, notes };
  noteUnpriced(checkModels(sections.models, look), sections, look);
  const { default_model } = Object.fromEntries(entriesOf(sections.server));
  checkDefaultModel(default_model, sections.models, { tree, problems });
  if (entriesOf(document).length > 0 && entriesOf(sections.models).length === 0) {
    notes.push(tree.problem("/models", "no model is served: add one under models"));
  }
  const database = sections.database ?? RoutingFile.properties.database.default;
  const place = checkDatabase(tree, database, sources.folder, problems);
  noteOnServer(tree, sections, place, notes);
  const processes = checkProcesses(tree, document, place?.path, sources.machine, problems);
  checkAuth(tree, document, problems, notes);
  const spaceFingerprints = await checkFingerprints(
    tree,
    sections.space_fingerprints,
    sources.folder,
    problems,
  );
  const tls = readTls(reading, sections.server);
  const jwtConnection = readJwtConnection(reading, sections.auth);
  checkCapTimeZone(tree, sections.workspace_defaults, problems);

  if (problems.length > 0) return refused(problems);
  const right = withoutMissing(tree, document);
  if (place === undefined || !Value.Check(RoutingFile, right)) {
    // Every violation is reported above; if one is not, the file is still refused.
    return refused([tree.problem("", "is not a valid routing file")]);
  }
  const resolved = resolveConfig({
    tls,
    jwtConnection,
    memoryBytes: sources.machine.memoryBytes,
    file,
    files,
    folder,
    document: right,
    place,
    spaceFingerprints,
    processes,
    providers: providers.configured,
  });
  const config = { ...resolved, fileSchema: () => fileSchemaOf(sources.bundled, sources.host()) };
  return { ok: true, config, notes: notes.sort(byPlace) };
}

function readTls(reading: Reading, server: unknown): CertificateAndKey | undefined {
  const { tls } = Object.fromEntries(entriesOf(server));
  return typeof tls === "object" && tls !== null
    ? readPair(reading, "/server/tls", tls, ["cert", "key"])
    : undefined;
}

function readJwtConnection(reading: Reading, auth: unknown): ConnectionOptions | undefined {
  const { jwt } = Object.fromEntries(entriesOf(auth));
  return typeof jwt === "object" && jwt !== null ? readConnection(reading, "/auth/jwt", jwt) : undefined;
}

function refused(problems: readonly Problem[]): Loaded {
  const sorted = [...problems].sort(byPlace);
  const last = sorted[MOST_PROBLEMS];
  if (last === undefined) return { ok: false, problems: sorted };
  const message = `and at least ${sorted.length - MOST_PROBLEMS} more problems from here on`;
  return { ok: false, problems: [...sorted.slice(0, MOST_PROBLEMS), { ...last, path: "", message }] };
}

/** `cache:` with all its lines commented out equals no `cache:`. */
function dropEmptySections(document: unknown): void {
  if (typeof document !== "object" || document === null || Array.isArray(document)) return;
  for (const [section, value] of Object.entries(document))
    if (value === null) Reflect.deleteProperty(document, section);
}

/** A file without either (only with a port, say) serves the same as no file: the built-in model. */
function addDefaultModels(document: unknown): void {
  if (typeof document !== "object" || document === null || Array.isArray(document)) return;
  if ("providers" in document || "models" in document) return;
  const defaults = entriesOf(
    growTree(DEFAULT_ROUTING_FILE, BUILT_IN, { environment: {}, files: new Map() }).value,
  );
  for (const [section, value] of defaults)
    if (section === "providers" || section === "models") Reflect.set(document, section, value);
}

/** A container may get a first key without a routing file of its own. */
function addBootstrapKey(
  document: unknown,
  { EMBEDGATE_BOOTSTRAP_KEY_SHA256 }: Sources["environment"],
): void {
  const hash = EMBEDGATE_BOOTSTRAP_KEY_SHA256?.trim();
  if (typeof document !== "object" || document === null || Array.isArray(document) || !hash) return;
  const auth: unknown = Reflect.get(document, "auth") ?? {};
  if (typeof auth !== "object" || auth === null || "bootstrap_key_sha256" in auth) return;
  Reflect.set(document, "auth", { ...auth, bootstrap_key_sha256: hash });
}

function tellMissingVariables(
  tree: Tree,
  files: ReadonlyMap<string, FileValue>,
  problems: Problem[],
  notes: Problem[],
): void {
  const toldProviders = new Set<string>();
  for (const [pointer, names] of tree.missing) {
    const [section, provider, key] = stepsOf(pointer);
    if (section === "providers" && provider !== undefined && key !== undefined) {
      if (key === "plugin" || toldProviders.has(provider)) continue;
      toldProviders.add(provider);
      const all = missingUnder(tree, pointer.split("/").slice(0, 3).join("/"));
      const lack = lackOf(all, files);
      notes.push(
        tree.problem(pointer, `the provider is not configured, and its models are not served: ${lack}`),
      );
    } else {
      const [name = ""] = names;
      const message = name.startsWith("file:")
        ? `${lackOf([name], files)}; write it, or give a default: \${${name}:-value}`
        : `the variable ${name} is not set; set it, or give a default: \${${name}:-value}`;
      problems.push(tree.problem(pointer, message));
    }
  }
}

/** A number of the gateway's own that waits for a variable is still text: its default is used. */
function withoutMissing(tree: Tree, document: unknown): unknown {
  for (const [name, provider] of entriesOf(Object.fromEntries(entriesOf(document)).providers)) {
    for (const [key] of entriesOf(provider)) {
      const pointer = `/providers/${name.replaceAll("~", "~0").replaceAll("/", "~1")}/${key}`;
      if (key !== "plugin" && tree.missing.has(pointer)) Reflect.deleteProperty(Object(provider), key);
    }
  }
  return document;
}

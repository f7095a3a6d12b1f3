/**
 * The last step: turns a valid routing file into the gateway's configuration, with all defaults.
 * The defaults themselves are in the schema.
 */
import { resolve } from "node:path";
import type { CertificateAndKey, ConnectionOptions } from "../domain/connection-options";
import { KnownFacts } from "../domain/facts";
import type { Fingerprint } from "../domain/fingerprint";
import type {
  ConfiguredModel,
  ConfiguredProvider,
  GatewayConfig,
  PostgresConfig,
  SharedConfig,
} from "./gateway-config";
import { MoneySection, type RoutingFile } from "./schema";
import { AuthSection } from "./schema-auth";
import { FilesSection } from "./schema-files";
import { keepOf } from "./schema-keep";
import type { ModelEntry } from "./schema-models";
import { PostgresSection } from "./schema-postgres";
import { ServerSection } from "./schema-server";
import { type SharedSection, SharedServers } from "./schema-shared";
import { AgreementMin, OnDrift, SpaceProbeSection, Unmeasured } from "./schema-spaces";
import { logOf, tracingOf } from "./schema-telemetry";
import { DialectName } from "./schema-values";
import type { DatabasePlace } from "./sections";

export interface Checked {
  readonly processes: number;
  readonly file: string | undefined;
  readonly files: ReadonlyMap<string, string>;
  readonly folder: string;
  /** The memory that the gateway may use in total. */
  readonly memoryBytes: number;
  readonly tls: CertificateAndKey | undefined;
  readonly jwtConnection: ConnectionOptions | undefined;
  readonly document: RoutingFile;
  readonly place: DatabasePlace;
  readonly spaceFingerprints: readonly Fingerprint[];
  readonly providers: ReadonlyMap<string, ConfiguredProvider>;
}

export function resolveConfig(checked: Checked): Omit<GatewayConfig, "fileSchema"> {
  const { tls, jwtConnection, file, files, folder, document, place, processes, providers } = checked;
  const { spaceFingerprints } = checked;
  const { server = {}, auth = {} } = document;
  const { host, port, deadline_ms, max_attempts, max_concurrent_requests } = ServerSection.properties;
  const { drain_ms, grace_ms, idle_timeout_ms, send_timeout_ms } = ServerSection.properties;
  const bodyMemory =
    server.max_body_memory_mb ?? partOf(checked.memoryBytes, BODY_MEMORY_PART, BODY_MEMORY_MB_MAX);
  const jwt = auth.jwt && { ...auth.jwt, ...(jwtConnection && { connection: jwtConnection }) };
  const mode = auth.mode ?? AuthSection.properties.mode.default;
  return {
    file,
    files,
    folder,
    server: {
      host: server.host ?? host.default,
      port: server.port ?? port.default,
      dialect: server.dialect ?? DialectName.default,
      policies: server.policies ?? {},
      default_model: server.default_model,
      cors: server.cors && { origins: server.cors.origins.map((origin) => origin.toLowerCase()) },
      deadline_ms: server.deadline_ms ?? deadline_ms.default,
      max_attempts: server.max_attempts ?? max_attempts.default,
      max_concurrent_requests: server.max_concurrent_requests ?? max_concurrent_requests.default,
      drain_ms: server.drain_ms ?? drain_ms.default,
      grace_ms: server.grace_ms ?? grace_ms.default,
      idle_timeout_ms: server.idle_timeout_ms ?? idle_timeout_ms.default,
      send_timeout_ms: server.send_timeout_ms ?? send_timeout_ms.default,
      max_unsent_mb: server.max_unsent_mb ?? partOf(checked.memoryBytes, UNSENT_PART, UNSENT_MB_MAX),
      max_body_memory_mb: bodyMemory,
      max_body_mb: Math.min(BODY_MB_MAX, bodyMemory),
      tls,
      processes,
    },
    database: {
      path: place.path,
      durability: document.durability ?? "process",
      postgres: place.url === undefined ? undefined : postgresOf(place.url, document.postgres ?? {}),
    },
    keep: keepOf(document.keep),
    log: logOf(document.log),
    tracing: tracingOf(document.tracing),
    // `auto` would leave the gateway open until the first key exists, although the file requires tokens.
    auth: {
      mode: jwt !== undefined && mode === "auto" ? "keys" : mode,
      jwt,
      bootstrapKeySha256: auth.bootstrap_key_sha256?.toLowerCase(),
    },
    // Vectors of callers' texts are cached only if the file says so.
    cache: document.cache ?? false,
    shared: resolveShared(document.shared),
    // With a database server there is no default folder that all machines see: the file must name one.
    batchFiles: filesOf(document.files, place.url === undefined ? place.path : ":memory:", folder),
    money: {
      creditsPerUsd: document.money?.credits_per_usd ?? MoneySection.properties.credits_per_usd.default,
      markup: document.money?.markup ?? MoneySection.properties.markup.default,
      unpriced: document.money?.unpriced ?? "refuse",
      abandoned: document.money?.abandoned ?? "charge",
    },
    spaceProbe:
      document.space_probe === false
        ? undefined
        : {
            every_ms: document.space_probe?.every_ms ?? SpaceProbeSection.properties.every_ms.default,
            check_every_ms:
              document.space_probe?.check_every_ms ?? SpaceProbeSection.properties.check_every_ms.default,
          },
    spaceFingerprints,
    workspaceDefaults: document.workspace_defaults ?? {},
    providers,
    models: new Map(
      Object.entries(document.models ?? {}).map(([id, model]) => [
        id,
        resolveModel(id, model, document.unmeasured ?? Unmeasured.default),
      ]),
    ),
  };
}

function resolveShared(section: SharedSection | undefined): SharedConfig | undefined {
  if (section === undefined) return undefined;
  const servers = typeof section === "string" ? { limits: section, cache: section } : section;
  const { name, machines } = SharedServers.properties;
  return {
    limits: servers.limits,
    cache: servers.cache,
    name: servers.name ?? name.default,
    secret: servers.secret,
    machines: servers.machines ?? machines.default,
  };
}

const MB = 2 ** 20;
const DAY_MS = 86_400_000;

/** With a database in memory there is no default folder: the file must name one. */
function filesOf(
  files: RoutingFile["files"] = {},
  databasePath: string,
  folder: string,
): GatewayConfig["batchFiles"] {
  if (files === false) return undefined;
  const { max_file_mb, max_workspace_mb, expire_after_days } = FilesSection.properties;
  const path =
    files.folder === undefined
      ? databasePath === ":memory:"
        ? undefined
        : `${databasePath}-files`
      : resolve(folder, files.folder);
  if (path === undefined) return undefined;
  return {
    folder: path,
    fileMax: (files.max_file_mb ?? max_file_mb.default) * MB,
    workspaceMax: (files.max_workspace_mb ?? max_workspace_mb.default) * MB,
    expireAfterMs: (files.expire_after_days ?? expire_after_days.default) * DAY_MS,
  };
}

/** 64 MB of text is 2048 inputs of 8192 tokens. */
const BODY_MB_MAX = 64;
/** Measured: while a request is processed, its body takes several times its size, and its answer takes memory, too. */
const BODY_MEMORY_PART = 1 / 16;
const BODY_MEMORY_MB_MAX = 1024;

const UNSENT_PART = 1 / 8;
const UNSENT_MB_MAX = 256;

/** In MB, at least one. */
const partOf = (memoryBytes: number, part: number, most: number): number =>
  Math.min(most, Math.max(1, Math.floor((memoryBytes / 2 ** 20) * part)));

function postgresOf(
  url: string,
  { schema, max_connections, prepare, on_outage, credit_lease }: PostgresSection,
): PostgresConfig {
  const usual = PostgresSection.properties;
  return {
    url,
    schema: schema ?? usual.schema.default,
    maxConnections: max_connections ?? usual.max_connections.default,
    prepare: prepare ?? usual.prepare.default,
    onOutage: on_outage ?? "refuse",
    creditLease: credit_lease,
  };
}

const FACT_KEYS = new Set(Object.keys(KnownFacts.properties));

function resolveModel(
  id: string,
  model: ModelEntry,
  unmeasured: ConfiguredModel["unmeasured"],
): ConfiguredModel {
  const facts: KnownFacts = Object.fromEntries(Object.entries(model).filter(([key]) => FACT_KEYS.has(key)));
  return {
    id,
    alias_of: model.alias_of,
    embeddings: model.embeddings ?? true,
    space: model.space,
    on_drift: model.on_drift ?? OnDrift.default,
    agreement_min: model.agreement_min ?? AgreementMin.default,
    unmeasured: model.unmeasured ?? unmeasured,
    warm: model.warm ?? false,
    hedge_after_ms: model.hedge_after_ms,
    facts,
    routes: (model.routes ?? []).map((route) => ({
      provider: route.provider,
      model: route.model ?? id,
      space: route.space,
      weight: route.weight,
      price: route.price,
      isBatchUpstream: route.batch === "upstream",
      batchPrice: route.batch_price,
    })),
  };
}

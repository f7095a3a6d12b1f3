/**
 * The configuration that a checked routing file becomes, from which the rest of the gateway is built. Types only.
 * A new key of schema.ts gets its resolved form here, filled in by resolve.ts.
 */

import type { Exchange } from "../books/money";
import type { Keep } from "../books/trimming";
import type { CertificateAndKey, ConnectionOptions } from "../domain/connection-options";
import type { KnownFacts } from "../domain/facts";
import type { Fingerprint } from "../domain/fingerprint";
import type { LogSettings } from "../domain/outside";
import type { PolicyOverrides } from "../domain/policies";
import type { TracingSettings } from "../domain/trace";
import type { Provider } from "../plugin";
import type { Problem } from "./problem";
import type { CacheSection } from "./schema";
import type { JwtSection } from "./schema-auth";
import type { DialectName } from "./schema-values";
import type { WorkspaceSection } from "./schema-workspaces";

export interface PostgresConfig {
  /** The URL with its password. */
  readonly url: string;
  readonly schema: string;
  readonly maxConnections: number;
  readonly prepare: boolean;
  readonly onOutage: "refuse" | "spool";
  /** At how many requests a second a workspace's credits are leased; undefined: never. */
  readonly creditLease?: number | undefined;
}

export interface GatewayConfig {
  /** The routing file's path as the user gave it; undefined for the built-in default. */
  readonly file: string | undefined;
  /**
   * The absolute paths of all files that were read for it, each with its state then (src/machine/file-state.ts): the routing file,
   * certificates, and files with values. If one changes, the configuration is read again.
   */
  readonly files: ReadonlyMap<string, string>;
  /** The absolute path from which relative paths start: the file's folder, or the current one. */
  readonly folder: string;
  readonly server: {
    readonly host: string;
    readonly port: number;
    readonly dialect: DialectName;
    readonly policies: PolicyOverrides;
    /** A key of `models`, or an id that matches a pattern there; undefined: requests must name their model. */
    readonly default_model: string | undefined;
    /** Undefined: web pages of other sites may not call the gateway. */
    readonly cors: { readonly origins: readonly string[] } | undefined;
    readonly deadline_ms: number;
    readonly max_attempts: number;
    readonly max_concurrent_requests: number;
    readonly drain_ms: number;
    readonly grace_ms: number;
    readonly idle_timeout_ms: number;
    readonly send_timeout_ms: number;
    readonly max_unsent_mb: number;
    readonly max_body_memory_mb: number;
    /** The limit for one body, computed for the whole gateway, however many processes share its memory. */
    readonly max_body_mb: number;
    /** Undefined: plain HTTP. */
    readonly tls: CertificateAndKey | undefined;
    /** Processes that share the port, with `auto` resolved. 1: the process itself, without copies. */
    readonly processes: number;
  };
  readonly database: {
    /** SQLite's file, or ":memory:"; with PostgreSQL, the path that the names of this machine's own files begin with. */
    readonly path: string;
    readonly durability: "process" | "power";
    /** Undefined: SQLite. */
    readonly postgres: PostgresConfig | undefined;
  };
  readonly keep: Keep;
  readonly log: LogSettings;
  /** Undefined: no traces. */
  readonly tracing: TracingSettings | undefined;
  /** With a `jwt` the mode is never "auto": a gateway that accepts tokens is never open without them. */
  readonly auth: {
    readonly mode: "auto" | "keys" | "open";
    readonly jwt: ConfiguredJwt | undefined;
    /** The hash of the first key, in lower-case hexadecimal digits. */
    readonly bootstrapKeySha256: string | undefined;
  };
  readonly cache: CacheSection | false;
  /** Undefined: this machine shares nothing with others. */
  readonly shared: SharedConfig | undefined;
  /** Undefined: batches are disabled. */
  readonly batchFiles: ConfiguredFiles | undefined;
  readonly money: Exchange & {
    readonly unpriced: "refuse" | "allow";
    readonly abandoned: "charge" | "waive";
  };
  /** Undefined: spaces are not measured. */
  readonly spaceProbe: { readonly every_ms: number; readonly check_every_ms: number } | undefined;
  /** Reference vectors from the routing file. */
  readonly spaceFingerprints: readonly Fingerprint[];
  readonly workspaceDefaults: WorkspaceSection;
  readonly providers: ReadonlyMap<string, ConfiguredProvider>;
  /** The JSON Schema of routing files, for editors; made on demand. */
  readonly fileSchema: () => Readonly<Record<string, unknown>>;
  /** By id or pattern, in the file's order. */
  readonly models: ReadonlyMap<string, ConfiguredModel>;
}

/** URLs of Valkey or Redis servers, including their passwords. */
export interface SharedConfig {
  readonly limits: string | undefined;
  readonly cache: string | undefined;
  readonly name: string;
  /** Undefined: the password of the server with the vectors is used. */
  readonly secret: string | undefined;
  readonly machines: number;
}

export interface ConfiguredFiles {
  /** Absolute. */
  readonly folder: string;
  /** In bytes. */
  readonly fileMax: number;
  readonly workspaceMax: number;
  readonly expireAfterMs: number;
}

/** `connection`: for fetching the issuer's keys. */
export type ConfiguredJwt = JwtSection & { readonly connection?: ConnectionOptions };

export interface ConfiguredProvider {
  readonly name: string;
  readonly provider: Provider;
  /** The plugin's own keys, checked against its schema, with defaults. The provider must not be opened while variables are missing. */
  readonly options: unknown;
  readonly timeout_ms: number;
  /** Its models are called once when the gateway starts. */
  readonly warm: boolean;
  readonly retries: number;
  readonly concurrency: number;
  readonly max_queue: number;
  /** Those of the plugin's `serverFields` that callers may send. */
  readonly allow_fields: readonly string[];
  /** Undefined: requests do not share calls. */
  readonly coalesce_ms: number | undefined;
  /** Undefined: the usual settings. */
  readonly connection: ConnectionOptions | undefined;
  /** Environment variables that this provider needs and that are not set: its models are not served. */
  readonly missing_variables: readonly string[];
}

export interface ConfiguredModel {
  readonly id: string;
  /** Another key of `models`, or an id that matches a pattern there. */
  readonly alias_of: string | undefined;
  /** false: the model is known, but cannot embed; it has no routes. */
  readonly embeddings: boolean;
  readonly space: string | undefined;
  readonly on_drift: "stop" | "warn";
  readonly agreement_min: number;
  readonly unmeasured: "serve" | "refuse";
  /** The model is called once when the gateway starts. */
  readonly warm: boolean;
  /** Undefined: no hedging. */
  readonly hedge_after_ms: number | undefined;
  /** Only the facts from the file itself. */
  readonly facts: KnownFacts;
  readonly routes: readonly ConfiguredRoute[];
}

export interface ConfiguredRoute {
  readonly provider: string;
  /** The model's name at the provider; by default the model's id. Under a pattern it may contain the `*`. */
  readonly model: string;
  readonly space: string | undefined;
  /** Undefined: routes are tried in order, without sharing requests among them. */
  readonly weight: number | undefined;
  /** USD per million input tokens that the provider charges; undefined: the model's price. */
  readonly price: number | undefined;
  /** Lines of batches go to the provider's own batch service. */
  readonly isBatchUpstream: boolean;
  /** USD per million input tokens of those lines; undefined: the usual price. */
  readonly batchPrice: number | undefined;
}

export type Loaded =
  | { readonly ok: true; readonly config: GatewayConfig; readonly notes: readonly Problem[] }
  | { readonly ok: false; readonly problems: readonly Problem[] };

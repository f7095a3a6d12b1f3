/**
 * What a checked routing file becomes: the words that the rest of the gateway is built from. Types only.
 * A new key of schema.ts that something acts on gets its resolved form here, and is filled in by resolve.ts.
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
  /** With its password. */
  readonly url: string;
  readonly schema: string;
  readonly maxConnections: number;
  readonly prepare: boolean;
  readonly onOutage: "refuse" | "spool";
  /** At how many requests a second a workspace's credits are leased; undefined: never. */
  readonly creditLease?: number | undefined;
}

export interface GatewayConfig {
  /** As the user gave it; undefined for the built-in default. */
  readonly file: string | undefined;
  /**
   * All that were read for it, absolute, each with the state it was read in (src/machine/file-state.ts): the routing file, the
   * certificates it names, and the files that values came from. A change of one is a reason to read it again.
   */
  readonly files: ReadonlyMap<string, string>;
  /** Absolute: relative paths start here. The file's folder, else the current one. */
  readonly folder: string;
  readonly server: {
    readonly host: string;
    readonly port: number;
    readonly dialect: DialectName;
    readonly policies: PolicyOverrides;
    /** A key of `models`, or an id that a pattern there takes; undefined: a request must name its model. */
    readonly default_model: string | undefined;
    /** Undefined: no web page of another site may call. */
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
    /** Of one body, as the whole gateway takes it, however many processes share it. */
    readonly max_body_mb: number;
    /** Undefined: plain HTTP. */
    readonly tls: CertificateAndKey | undefined;
    /** Copies that share the port, `auto` counted out: 1 is no copy, but the process itself. */
    readonly processes: number;
  };
  readonly database: {
    /** SQLite's file, or ":memory:"; with PostgreSQL, what the names of this machine's own files begin with. */
    readonly path: string;
    readonly durability: "process" | "power";
    /** Undefined: SQLite. */
    readonly postgres: PostgresConfig | undefined;
  };
  readonly keep: Keep;
  readonly log: LogSettings;
  /** Undefined: no traces. */
  readonly tracing: TracingSettings | undefined;
  /** With a `jwt` the mode is never "auto": the door is never open where tokens are asked for. */
  readonly auth: {
    readonly mode: "auto" | "keys" | "open";
    readonly jwt: ConfiguredJwt | undefined;
    /** Of a first key, in small hexadecimal digits. */
    readonly bootstrapKeySha256: string | undefined;
  };
  readonly cache: CacheSection | false;
  /** Undefined: this machine has nothing in common with others. */
  readonly shared: SharedConfig | undefined;
  /** Undefined: there are no batches. */
  readonly batchFiles: ConfiguredFiles | undefined;
  readonly money: Exchange & {
    readonly unpriced: "refuse" | "allow";
    readonly abandoned: "charge" | "waive";
  };
  /** Undefined: spaces are not measured. */
  readonly spaceProbe: { readonly every_ms: number } | undefined;
  /** Carried with the routing file. */
  readonly spaceFingerprints: readonly Fingerprint[];
  readonly workspaceDefaults: WorkspaceSection;
  readonly providers: ReadonlyMap<string, ConfiguredProvider>;
  /** The JSON Schema of routing files, for editors: made when it is asked for. */
  readonly fileSchema: () => Readonly<Record<string, unknown>>;
  /** By id or pattern, in the file's order. */
  readonly models: ReadonlyMap<string, ConfiguredModel>;
}

/** Addresses of Valkey or Redis servers, with what is secret in them. */
export interface SharedConfig {
  readonly limits: string | undefined;
  readonly cache: string | undefined;
  readonly name: string;
  /** Undefined: the password of the server that the vectors lie on. */
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

/** `connection`: how the issuer's keys are fetched. */
export type ConfiguredJwt = JwtSection & { readonly connection?: ConnectionOptions };

export interface ConfiguredProvider {
  readonly name: string;
  readonly provider: Provider;
  /** The plugin's own keys, checked against its schema, defaults applied. Not to be opened while variables are missing. */
  readonly options: unknown;
  readonly timeout_ms: number;
  /** Its models are asked once when the gateway starts. */
  readonly warm: boolean;
  readonly retries: number;
  readonly concurrency: number;
  readonly max_queue: number;
  /** Of the plugin's `serverFields`, those that callers may send. */
  readonly allow_fields: readonly string[];
  /** Undefined: requests share no calls. */
  readonly coalesce_ms: number | undefined;
  /** Undefined: as to everybody. */
  readonly connection: ConnectionOptions | undefined;
  /** Variables of the environment that this provider needs and that are unset: its models are not served. */
  readonly missing_variables: readonly string[];
}

export interface ConfiguredModel {
  readonly id: string;
  /** Another key of `models`, or an id that a pattern there takes. */
  readonly alias_of: string | undefined;
  /** false: known, but it cannot embed; it has no routes. */
  readonly embeddings: boolean;
  readonly space: string | undefined;
  readonly on_drift: "stop" | "warn";
  readonly agreement_min: number;
  readonly unmeasured: "serve" | "refuse";
  /** Asked once when the gateway starts. */
  readonly warm: boolean;
  /** Undefined: no request is sent twice. */
  readonly hedge_after_ms: number | undefined;
  /** Only what the file itself says. */
  readonly facts: KnownFacts;
  readonly routes: readonly ConfiguredRoute[];
}

export interface ConfiguredRoute {
  readonly provider: string;
  /** The name at the provider: the model's id where the file gives none. Under a pattern it may hold the `*`. */
  readonly model: string;
  readonly space: string | undefined;
  /** Undefined: tried in the order of the routes, not shared out. */
  readonly weight: number | undefined;
  /** USD per million input tokens that the provider asks; undefined: the model's price. */
  readonly price: number | undefined;
  /** Lines of batches go by the provider's own batch service. */
  readonly isBatchUpstream: boolean;
  /** USD per million input tokens of lines that do; undefined: as without a batch. */
  readonly batchPrice: number | undefined;
}

export type Loaded =
  | { readonly ok: true; readonly config: GatewayConfig; readonly notes: readonly Problem[] }
  | { readonly ok: false; readonly problems: readonly Problem[] };

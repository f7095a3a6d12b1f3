/**
 * Everything outside the process, passed in: clock, network, randomness, log. Tests and the simulator pass their own.
 * Only network/real-outside.ts may use the real time, timers, random numbers or connections; nothing else in src/ or plugins/.
 */
import type { EndSignal } from "./ending";
import type { OpenPostgres } from "./postgres";
import type { ValkeyClient } from "./valkey";

export interface Outside {
  /** Milliseconds since 1970. */
  readonly now: () => number;
  /** Milliseconds from an arbitrary start, which never go back: for latencies. */
  readonly monotonic: () => number;
  /** Resolves after `ms`, or rejects with the signal's reason if that fires first. */
  readonly sleep: (ms: number, signal?: EndSignal) => Promise<void>;
  /** Calls `ring` after `ms`, unless the returned function is called before: for timers that are usually cancelled. */
  readonly alarm: (ms: number, ring: () => void) => () => void;
  /** Resolves at the end of this turn of the event loop. Left out: at once. */
  readonly turn?: () => Promise<void>;
  /**
   * For work in slices: resolves when the next slice may run. A turn of the event loop lets one waiter continue at most, and mostly none while
   * others wait for `turn` or `polled`, so that several large requests delay the others no longer than one does. Left out: same as `turn`.
   */
  readonly slice?: () => Promise<void>;
  /** Resolves once the event loop has polled the network; left out: same as `turn`. */
  readonly polled?: () => Promise<void>;
  /** How many Workers may do work that would block the event loop. Left out: none, and that work is done in turns. */
  readonly threads?: number;
  /** The cores that this process can use. Left out: one. */
  readonly cores?: number;
  /** Connects to a Valkey or Redis server, without waiting for it. Left out: not available. */
  readonly valkey?: (url: string) => Promise<ValkeyClient>;
  /** Connects to a PostgreSQL server. Left out: with Bun's own client. */
  readonly postgres?: OpenPostgres;
  /** Looks the IP addresses of a host's name up, anew each time. Left out: whoever connects does. */
  readonly addressesOf?: (name: string) => Promise<readonly string[]>;
  readonly fetch: (url: string, init: RequestInit) => Promise<Fetched>;
  /** A number in [0, 1). */
  readonly random: () => number;
  /** Unguessable bytes, for keys and ids. */
  readonly randomBytes: (count: number) => Uint8Array;
  /** The process's environment variables. */
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** The text of a file; undefined if it does not exist or cannot be read. */
  readonly readFile: (path: string) => Promise<string | undefined>;
  readonly log: (level: LogLevel, message: string, about?: Readonly<Record<string, unknown>>) => void;
  /** Changes how the log is written. Left out: that cannot be changed. */
  readonly logBy?: (settings: LogSettings) => void;
}

/** The part of a Response that is used. */
export type Fetched = Pick<Response, "status" | "headers" | "body" | "arrayBuffer"> & {
  /** The decompressed body, if it was already read to its end. */
  readonly whole?: Uint8Array<ArrayBuffer>;
};

export type LogLevel = "info" | "warn" | "error";

/** The routing file's settings for the log. */
export interface LogSettings {
  /** The least important lines that are written. */
  readonly level: LogLevel;
  readonly format: "auto" | "json" | "pretty";
  /** Whether answered requests have a line. */
  readonly requests: boolean;
}

/**
 * The world outside the process, passed in: clock, network, randomness, log. Tests and the simulator pass their own.
 * Nothing in src/ or plugins/ but network/real-outside.ts may ask for the time, a timer, a random number or a connection.
 */
import type { EndSignal } from "./ending";
import type { OpenPostgres } from "./postgres";
import type { ValkeyClient } from "./valkey";

export interface Outside {
  /** Milliseconds since 1970. */
  readonly now: () => number;
  /** Milliseconds from some start, never going back: for latencies. */
  readonly monotonic: () => number;
  /** Resolves after `ms`; rejects with the signal's reason when it fires first. */
  readonly sleep: (ms: number, signal?: EndSignal) => Promise<void>;
  /** Calls `ring` after `ms`, unless what it returns is called before: for what is nearly always called off. */
  readonly alarm: (ms: number, ring: () => void) => () => void;
  /** Resolves once what is at hand in this turn of the event loop has been seen to. Left out: at once. */
  readonly turn?: () => Promise<void>;
  /** Resolves once the event loop has polled the network; left out: same as `turn`. */
  readonly polled?: () => Promise<void>;
  /** Workers that may do what would hold up the event loop. Left out: none, it is done in turns. */
  readonly threads?: number;
  /** That this process may count on. Left out: one. */
  readonly cores?: number;
  /** Connects to a Valkey or Redis server, without waiting for it. Left out: there is none to be had. */
  readonly valkey?: (url: string) => Promise<ValkeyClient>;
  /** Connects to a PostgreSQL server. Left out: with Bun's own client. */
  readonly postgres?: OpenPostgres;
  readonly fetch: (url: string, init: RequestInit) => Promise<Fetched>;
  /** A number in [0, 1). */
  readonly random: () => number;
  /** Unguessable bytes, for keys and ids. */
  readonly randomBytes: (count: number) => Uint8Array;
  /** The variables that the process was started with. */
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** The text of a file; undefined where there is none that can be read. */
  readonly readFile: (path: string) => Promise<string | undefined>;
  readonly log: (level: LogLevel, message: string, about?: Readonly<Record<string, unknown>>) => void;
  /** From now on the log is written so. Left out: it is written as it is. */
  readonly logBy?: (settings: LogSettings) => void;
}

/** What of an answer is asked for. */
export type Fetched = Pick<Response, "status" | "headers" | "body" | "arrayBuffer"> & {
  /** The unpacked body, where it was read to its end already. */
  readonly whole?: Uint8Array<ArrayBuffer>;
};

export type LogLevel = "info" | "warn" | "error";

/** How the routing file wants the log. */
export interface LogSettings {
  /** The least important lines that are written. */
  readonly level: LogLevel;
  readonly format: "auto" | "json" | "pretty";
  /** Whether answered requests have a line. */
  readonly requests: boolean;
}

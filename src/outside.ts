/**
 * The world outside the process, passed in: clock, network, randomness, log. Tests and the simulator pass their own.
 * Nothing else in src/ or plugins/ may ask for the time, a timer, a random number or a connection.
 */
import type { EndSignal } from "./ending";
import { createPlainHttp } from "./network/plain-http";
import { coresHere } from "./processes/cores";

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
  /** Workers that may do what would hold up the event loop. Left out: none, it is done in turns. */
  readonly threads?: number;
  /** That this process may count on. Left out: one. */
  readonly cores?: number;
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
}

/** What of an answer is asked for. */
export type Fetched = Pick<Response, "status" | "headers" | "body" | "arrayBuffer"> & {
  /** The unpacked body, where it was read to its end already. */
  readonly whole?: Uint8Array<ArrayBuffer>;
};

export type LogLevel = "info" | "warn" | "error";

function sleep(ms: number, signal?: EndSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) return reject(signal.reason);
    const stop = () => {
      clearTimeout(timer);
      reject(signal?.reason);
    };
    const timer = setTimeout(() => {
      signal?.removeEventListener("abort", stop);
      resolve();
    }, ms);
    signal?.addEventListener("abort", stop);
  });
}

function alarm(ms: number, ring: () => void): () => void {
  const timer = setTimeout(ring, ms);
  return () => clearTimeout(timer);
}

function readFile(path: string): Promise<string | undefined> {
  return Bun.file(path)
    .text()
    .catch(() => undefined);
}

/** One line of JSON on standard error, so that standard output stays for what was asked for. */
function log(level: LogLevel, message: string, about: Readonly<Record<string, unknown>> = {}): void {
  console.error(JSON.stringify({ time: new Date().toISOString(), level, message, ...about }));
}

/** One core is the event loop's own. More than a few would only take memory. */
const threads = Math.max(1, Math.min(4, coresHere() - 1));

const plainHttp = createPlainHttp(
  (url, init) => fetch(url, init),
  () => performance.now(),
  process.env,
);

export const realOutside: Outside = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  sleep,
  alarm,
  turn: () => new Promise((resolve) => setImmediate(resolve)),
  threads,
  cores: coresHere(),
  fetch: plainHttp.send,
  random: () => Math.random(),
  randomBytes: (count) => crypto.getRandomValues(new Uint8Array(count)),
  environment: process.env,
  readFile,
  log,
};

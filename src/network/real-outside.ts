/**
 * The real world outside: this machine's clock, timers, network and randomness, and a log on standard error.
 * A new member of src/domain/outside.ts is made here, and its fake for tests in test/fake-outside.ts.
 */
import { lookup } from "node:dns/promises";
import type { EndSignal } from "../domain/ending";
import type { Outside } from "../domain/outside";
import { coresHere } from "../machine/cores";
import { createTurns } from "../machine/turns";
import { createHttpClient } from "./http-client";
import { createLog } from "./log";

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

/** One core is left for the event loop. More than a few threads would only use memory. */
const threads = Math.max(1, Math.min(4, coresHere() - 1));

const { turn, polled, slice } = createTurns(setImmediate, () => performance.now());

/** Not Bun's own lookup, which remembers an address for 30 s. */
const addressesOf = async (name: string) => (await lookup(name, { all: true })).map(({ address }) => address);

/** On standard error, so that standard output has only the command's output. */
const log = createLog({
  write: (line) => console.error(line),
  now: () => Date.now(),
  isTerminal: process.stderr.isTTY === true,
  hasColours: process.env.NO_COLOR === undefined,
});

const httpClient = createHttpClient(
  (url, init) => fetch(url, init),
  () => performance.now(),
  process.env,
  polled,
  slice,
);

export const realOutside: Outside = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  sleep,
  alarm,
  turn,
  slice,
  polled,
  threads,
  cores: coresHere(),
  // Loaded on demand, so that the start is faster without it.
  valkey: async (url) => (await import("./valkey-client")).connectValkey(url),
  addressesOf,
  fetch: httpClient.send,
  random: () => Math.random(),
  randomBytes: (count) => crypto.getRandomValues(new Uint8Array(count)),
  environment: process.env,
  readFile,
  log: log.write,
  logBy: log.by,
};

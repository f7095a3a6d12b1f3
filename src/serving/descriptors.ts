/**
 * New connections when the process is out of file descriptors (EMFILE): the log and the metrics report it, and they are kept
 * away until some are free. Otherwise the event loop would be woken again and again, which uses a whole core.
 * src/machine/steering.ts keeps connections away from a listener.
 */
import { closeSync, openSync, readFileSync } from "node:fs";
import type { Metrics } from "../admin/metrics";
import type { Outside } from "../domain/outside";
import { dropWaiting, ignoreNewConnections, takeNewConnections } from "../machine/steering";

const LOOK_EVERY_MS = 1_000;
/** While there are none: how long the event loop may be woken for connections that it cannot accept. */
const LOOK_AGAIN_MS = 100;
/** The part of the limit that is reserved for calls to providers, the database and other files. */
const RESERVE_PART = 1 / 32;
const RESERVE_MIN = 8;
const RESERVE_MAX = 256;
/** Reserved descriptors, because the remedy itself needs some. */
const SPARE_COUNT = 4;

/** @returns a function that ends the watching and leaves the listeners unchanged */
export function watchDescriptors(
  metrics: Pick<Metrics, "descriptorsUsedUp">,
  { alarm, log }: Pick<Outside, "alarm" | "log">,
): () => void {
  const limit = limitHere();
  const reserve = Math.min(RESERVE_MAX, Math.max(RESERVE_MIN, Math.floor(limit * RESERVE_PART)));
  const spare = openSome(SPARE_COUNT);
  let isShort = false;

  function look(): void {
    const free = freeOf(limit);
    if (!isShort && free <= reserve) {
      isShort = true;
      metrics.descriptorsUsedUp();
      withSpare(() => ignoreNewConnections());
      log("error", "limit of open files reached: new connections wait until some are closed", {
        limit,
        what_helps: "a higher limit for open files (ulimit -n, or LimitNOFILE of a systemd unit)",
      });
    } else if (isShort && free > 2 * reserve) {
      isShort = false;
      takeNewConnections();
      log("info", "open files are below the limit again: new connections are accepted");
    }
    // Connections that came before are accepted as far as possible, and cannot wait here otherwise.
    if (isShort && free === 0) withSpare(() => dropWaiting());
    callOff = alarm(isShort ? LOOK_AGAIN_MS : LOOK_EVERY_MS, look);
  }

  function withSpare(work: () => void): void {
    for (const descriptor of spare.splice(0)) closeSync(descriptor);
    work();
    spare.push(...openSome(SPARE_COUNT));
  }

  let callOff = alarm(LOOK_EVERY_MS, look);
  return () => {
    callOff();
    for (const descriptor of spare.splice(0)) closeSync(descriptor);
  };
}

/** The system assigns the lowest free number: near the limit there are few left. */
function freeOf(limit: number): number {
  const [lowest] = openSome(1);
  if (lowest === undefined) return 0;
  closeSync(lowest);
  return limit - lowest;
}

/** All that are left. */
function openSome(count: number): number[] {
  const opened: number[] = [];
  try {
    while (opened.length < count) opened.push(openSync("/dev/null", "r"));
  } catch {
    // EMFILE ends the loop: it is there to find the limit.
  }
  return opened;
}

/** Infinity if the system does not say: then it is noticed only once none is left. */
function limitHere(): number {
  try {
    const [, soft] = /^Max open files +(\d+)/m.exec(readFileSync("/proc/self/limits", "utf8")) ?? [];
    return soft === undefined ? Number.POSITIVE_INFINITY : Number(soft);
  } catch {
    return Number.POSITIVE_INFINITY;
  }
}

/**
 * Vectors that several machines keep together on a shared server, and marks of those that one of them is having embedded just now. What is not
 * exactly what a gateway with the same secret wrote under that key is no entry at all: a wrong one is a miss, and so is a late one.
 * What is shared of a vector is its row (row.ts), which its key's space, size and workspace are proved with.
 */
import { timingSafeEqual } from "node:crypto";
import type { EndSignal } from "../domain/ending";
import type { Outside } from "../domain/outside";
import { unlessAborted } from "../domain/until";
import type { Reply } from "../domain/valkey";
import type { Link } from "../valkey/link";
import { type Names, SEAL_BYTES } from "../valkey/names";
import { type CacheEntry, type CacheKey, refuseUnsound } from "./entry";
import { fromRow, toRow } from "./row";
import { openSharedMarks } from "./shared-marks";
import { inCommands, listOf, type Placed } from "./shared-places";

export interface SharedVectors {
  /** Those that are there. @throws the signal's reason */
  find(keys: readonly CacheKey[], signal: EndSignal): Promise<ReadonlyMap<CacheKey, CacheEntry>>;
  /** Writes them when it can, and takes their marks away then. */
  keep(entries: ReadonlyMap<CacheKey, CacheEntry>): void;
  /** Marks keys without a mark. @returns those that another machine is fetching, or has just fetched @throws the signal's reason, with nothing marked for long */
  claim(keys: readonly CacheKey[], signal: EndSignal): Promise<ReadonlySet<CacheKey>>;
  /** Waits until each has come, or its mark has gone. @returns those that came @throws the signal's reason */
  arrivals(keys: ReadonlySet<CacheKey>, signal: EndSignal): Promise<ReadonlyMap<CacheKey, CacheEntry>>;
  /** Takes the own marks of these away: they will not come. */
  release(keys: Iterable<CacheKey>): void;
  close(): Promise<void>;
}

/** A cache of more than a week holds what nobody asks for; and a policy for keys that expire needs some that do. */
const KEPT_MS = 7 * 24 * 3_600_000;
/** In one command, so that none takes long: of 1536 numbers each, 400 KB. */
const KEYS_A_COMMAND = 64;
const COMMANDS_AT_ONCE = 4;
/** Of one request, for all its keys; what was not found by then is a miss. */
const FIND_MS_MAX = 250;
/** In a turn of writing, and waiting for one: what comes when no more fits is not shared. */
const TURN_BYTES = 256 * 1024;
const QUEUE_BYTES_MAX = 32 * 2 ** 20;
const WAIT_MS_MIN = 10;
const WAIT_MS_MAX = 150;

export interface SharedVectorsParts {
  readonly link: Link;
  readonly names: Pick<Names, "vector" | "seal">;
  readonly outside: Pick<Outside, "alarm" | "sleep" | "monotonic" | "randomBytes">;
  /** Told of each value that was not what a gateway wrote. */
  readonly foundWrong: () => void;
}

export function openSharedVectors({ link, names, outside, foundWrong }: SharedVectorsParts): SharedVectors {
  const marks = openSharedMarks(link, outside);
  const queue = new Map<CacheKey, Uint8Array>();
  let queueBytes = 0;
  let writing: Promise<void> | undefined;
  const placesOf = (keys: Iterable<CacheKey>): readonly Placed[] =>
    [...keys].map((key) => ({ key, ...names.vector(key) }));

  function entryOf({ key, value: name }: Placed, sealed: Reply | undefined): CacheEntry | undefined {
    if (!(sealed instanceof Uint8Array)) return undefined;
    const row = sealed.subarray(SEAL_BYTES);
    const entry = isSealed(name, sealed, row) ? fromRow(key, row) : undefined;
    try {
      if (entry) refuseUnsound(entry);
    } catch {
      // Sealed by a gateway that had it wrong itself.
      foundWrong();
      return undefined;
    }
    if (!entry) foundWrong();
    return entry;
  }

  function isSealed(name: string, sealed: Uint8Array, row: Uint8Array): boolean {
    return (
      sealed.byteLength > SEAL_BYTES && timingSafeEqual(sealed.subarray(0, SEAL_BYTES), names.seal(name, row))
    );
  }

  async function find(
    keys: readonly CacheKey[],
    signal: EndSignal,
  ): Promise<ReadonlyMap<CacheKey, CacheEntry>> {
    const found = new Map<CacheKey, CacheEntry>();
    if (!link.isUp()) return found;
    const commands = inCommands(placesOf(keys), KEYS_A_COMMAND);
    const until = outside.monotonic() + FIND_MS_MAX;
    const work = async () => {
      for (let next = commands.shift(); next && outside.monotonic() < until; next = commands.shift()) {
        const asked = next;
        const values = await link.call(
          "MGET",
          asked.map(({ value }) => value),
          listOf(asked.length),
        );
        if (values === undefined) return;
        for (const [i, placed] of asked.entries()) {
          const entry = entryOf(placed, values[i]);
          if (entry) found.set(placed.key, entry);
        }
      }
    };
    await unlessAborted(signal, Promise.all(Array.from({ length: COMMANDS_AT_ONCE }, work)));
    return found;
  }

  async function writeAll(): Promise<void> {
    for (;;) {
      if (queue.size === 0) {
        // In one step with the look: what is kept right after it begins the next.
        writing = undefined;
        return;
      }
      const turn: (Placed & { readonly sealed: Uint8Array })[] = [];
      let bytes = 0;
      for (const [key, row] of queue) {
        if (turn.length > 0 && bytes + row.byteLength > TURN_BYTES) break;
        bytes += row.byteLength;
        queueBytes -= row.byteLength;
        queue.delete(key);
        const place = names.vector(key);
        turn.push({ key, ...place, sealed: Buffer.concat([names.seal(place.value, row), row]) });
      }
      await Promise.all(
        turn.map(({ value, sealed }) =>
          link.call("SET", [value, sealed, "PX", KEPT_MS], (reply) => reply ?? undefined),
        ),
      );
      // Whether or not it was taken: whoever waits looks for the value first.
      await marks.release(turn.map(({ key }) => key));
    }
  }

  function keep(entries: ReadonlyMap<CacheKey, CacheEntry>): void {
    if (!link.isUp()) {
      release(entries.keys());
      return;
    }
    const dropped: CacheKey[] = [];
    for (const [key, entry] of entries) {
      const row = toRow(key, entry);
      if (queueBytes + row.byteLength > QUEUE_BYTES_MAX) {
        dropped.push(key);
        continue;
      }
      queueBytes += row.byteLength - (queue.get(key)?.byteLength ?? 0);
      queue.set(key, row);
    }
    if (dropped.length > 0) release(dropped);
    if (queue.size > 0) writing ??= writeAll();
  }

  function release(keys: Iterable<CacheKey>): void {
    void marks.release(keys);
  }

  return {
    find,
    keep,
    release,
    async claim(keys, signal) {
      const claimed = marks.claim(placesOf(keys));
      try {
        return await unlessAborted(signal, claimed);
      } catch (thrown) {
        // Not before it is known which of them they are.
        void claimed.then(() => marks.release(keys));
        throw thrown;
      }
    },
    async arrivals(keys, signal) {
      const arrived = new Map<CacheKey, CacheEntry>();
      let waiting = placesOf(keys);
      for (let waitMs = WAIT_MS_MIN; waiting.length > 0; waitMs = Math.min(WAIT_MS_MAX, waitMs * 1.5)) {
        const still: Placed[] = [];
        for (const asked of inCommands(waiting, KEYS_A_COMMAND)) {
          const both = asked.flatMap(({ value, mark }) => [value, mark]);
          const replies = await unlessAborted(signal, link.call("MGET", both, listOf(both.length)));
          // Without an answer marks are unknown: then each machine fetches by itself.
          if (replies === undefined) return arrived;
          for (const [i, placed] of asked.entries()) {
            const entry = entryOf(placed, replies[2 * i]);
            if (entry) arrived.set(placed.key, entry);
            else if (replies[2 * i + 1] !== null) still.push(placed);
          }
        }
        waiting = still;
        if (waiting.length > 0) await outside.sleep(waitMs, signal);
      }
      return arrived;
    },
    async close() {
      await writing;
      marks.close();
    },
  };
}

/**
 * Vectors that several machines share on a server, and marks of those that a machine is fetching now. A value that is not
 * exactly what a gateway with the same secret wrote under that key is ignored: a wrong value is a miss, and so is a late one.
 * What is shared is the vector's row (row.ts), authenticated together with its key's space, dimensions and workspace.
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
  /** The entries found. @throws the signal's reason */
  find(keys: readonly CacheKey[], signal: EndSignal): Promise<ReadonlyMap<CacheKey, CacheEntry>>;
  /** Writes the entries when it can, and then removes their marks. */
  keep(entries: ReadonlyMap<CacheKey, CacheEntry>): void;
  /** Marks keys without a mark. @returns keys that another machine is fetching or has just fetched @throws the signal's reason; no mark then stays for long */
  claim(keys: readonly CacheKey[], signal: EndSignal): Promise<ReadonlySet<CacheKey>>;
  /** Waits until each vector has arrived or its mark is gone. @returns those that arrived @throws the signal's reason */
  arrivals(keys: ReadonlySet<CacheKey>, signal: EndSignal): Promise<ReadonlyMap<CacheKey, CacheEntry>>;
  /** Removes our own marks on these keys: their vectors will not come. */
  release(keys: Iterable<CacheKey>): void;
  close(): Promise<void>;
}

/** After a week nobody asks for an entry any more; and an eviction policy for expiring keys needs keys that expire. */
const KEPT_MS = 7 * 24 * 3_600_000;
/** Per command, so that none takes long: with 1536 numbers each, 400 KB. */
const KEYS_A_COMMAND = 64;
const COMMANDS_AT_ONCE = 4;
/** For all keys of one request; what was not found by then is a miss. */
const FIND_MS_MAX = 250;
/** Limit of one turn of writing, and of what waits for the next one: what does not fit is not shared. */
const TURN_BYTES = 256 * 1024;
const QUEUE_BYTES_MAX = 32 * 2 ** 20;
const WAIT_MS_MIN = 10;
const WAIT_MS_MAX = 150;

export interface SharedVectorsParts {
  readonly link: Link;
  readonly names: Pick<Names, "vector" | "seal">;
  readonly outside: Pick<Outside, "alarm" | "sleep" | "monotonic" | "randomBytes">;
  /** Called for each value that a gateway did not write. */
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
      // The value was authenticated by a gateway, but is itself wrong.
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
        // In the same step as the check: what is kept right after it starts the next turn.
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
      // Whether or not the value was stored: a waiting machine looks for the value first.
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
        // Not before it is known which of the marks are ours.
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
          // Without an answer the marks are unknown: each machine then fetches by itself.
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

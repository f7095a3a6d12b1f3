/**
 * Vectors on disk, in a file of their own, so that nothing that goes wrong here can touch the ledger. Reads are answered at once;
 * writes wait in a queue and are written in short turns between requests. Whatever fails, the cache finds less, and no request fails.
 * What SQLite does is in disk-file.ts; how the queue, the clock and the failures play together is here.
 */
import type { Outside } from "../domain/outside";
import { type Change, type DiskFile, deleteFile, faultOf, openFile } from "./disk-file";
import type { CacheEntry, CacheKey } from "./entry";
import { fromRow, toRow } from "./row";

export interface Disk {
  /** The entries found for the keys; each entry's numbers are the caller's own. Counts as a use. */
  find(keys: readonly CacheKey[]): ReadonlyMap<CacheKey, CacheEntry>;
  /** Counts as a use of what another cache answered, so that the hottest are not the first to go here. */
  use(keys: readonly CacheKey[]): void;
  /** Keeps a copy, written soon. While the queue is full, nothing is kept. */
  keep(key: CacheKey, entry: CacheEntry): void;
  /** Bytes in use in the file as of the last write, and whether the disk cache works. */
  state(): { readonly bytes: number; readonly on: boolean };
  /** Writes what waits, if the file lets it. */
  close(): Promise<void>;
}

type Needs = Pick<Outside, "sleep" | "now" | "monotonic" | "random" | "log">;

/** How long a write waits for others to be written with it. */
const GATHER_MS = 250;
/** One transaction: some milliseconds of a blocked event loop. */
const TURN_BYTES_MAX = 1_000_000;
const TURN_CHANGES_MAX = 512;
/** Written without gathering further. */
const QUEUE_LARGE_BYTES = 4_000_000;
const QUEUE_BYTES_MAX = 32_000_000;
const LOCK_WAIT_MS = 5_000;
/** A use is written once in a while only: exact order would cost a write for each hit. */
const USES_REMEMBERED_MAX = 50_000;
const USES_FORGOTTEN_AFTER_MS = 10 * 60_000;

/** @param bytesMax of the file and its log together */
export function openDisk(path: string, bytesMax: number, outside: Needs): Disk {
  const queue = new Map<CacheKey, Change>();
  let queueBytes = 0;
  let file: DiskFile | undefined;
  let off = false;
  let startedOver = false;
  let closing = false;
  let bytes = 0;
  let lastUse = 0;
  const usedLately = new Set<CacheKey>();
  let usedLatelySince = outside.monotonic();
  let writing: Promise<void> | undefined;
  let hurry = new AbortController();
  const rowBytesMax = Math.min(TURN_BYTES_MAX, bytesMax / 32);
  const turnBytesMax = rowBytesMax;

  /** Strictly growing, in microseconds. */
  function nextUse(): number {
    lastUse = Math.max(lastUse + 1, outside.now() * 1_000);
    return lastUse;
  }

  function turnOff(cause: unknown): void {
    if (off) return;
    off = true;
    closeFile();
    queue.clear();
    queueBytes = 0;
    usedLately.clear();
    bytes = 0;
    outside.log("warn", "the disk cache is off until the next start", { path, reason: reasonOf(cause) });
  }

  function closeFile(): void {
    const closed = file;
    file = undefined;
    try {
      closed?.close();
    } catch (cause) {
      outside.log("warn", "the disk cache did not close cleanly", { path, reason: reasonOf(cause) });
    }
  }

  /** Once: a file that is damaged again right away would be recreated in a loop. */
  function startOver(cause: unknown): void {
    if (startedOver) {
      turnOff(cause);
      return;
    }
    startedOver = true;
    closeFile();
    try {
      deleteFile(path);
      outside.log("warn", "the disk cache starts empty", { path, reason: reasonOf(cause) });
    } catch (failure) {
      turnOff(failure);
    }
  }

  /** Runs a piece of work on the file; undefined where it could not be done, which is "locked" or already dealt with. */
  function attempt<Value>(work: (file: DiskFile) => Value): { value: Value } | "locked" | undefined {
    try {
      if (off) return undefined;
      file ??= openFile(path, bytesMax);
      return { value: work(file) };
    } catch (cause) {
      const fault = faultOf(cause);
      if (fault === "locked") return "locked";
      if (fault === "damaged") startOver(cause);
      else turnOff(cause);
      return undefined;
    }
  }

  function enqueue(change: Change): void {
    queueBytes += sizeOf(change) - sizeOf(queue.get(change.key));
    queue.set(change.key, change);
    if (queueBytes >= QUEUE_LARGE_BYTES) hurry.abort();
    startWriting();
  }

  function startWriting(): void {
    if (writing || off || closing) return;
    writing = gatherAndWrite().finally(() => {
      writing = undefined;
    });
  }

  async function gatherAndWrite(): Promise<void> {
    hurry = new AbortController();
    if (queueBytes < QUEUE_LARGE_BYTES) {
      // Woken early is as good as having slept.
      await outside.sleep(GATHER_MS, hurry.signal).catch(() => undefined);
    }
    await writeAll();
  }

  /** Turn by turn, with other work let in between, until nothing waits. */
  async function writeAll(): Promise<void> {
    let giveUpAt = outside.monotonic() + LOCK_WAIT_MS;
    for (;;) {
      const done = attempt(turn);
      if (off) return;
      if (done === "locked") {
        if (outside.monotonic() >= giveUpAt) return turnOff(new Error("another process holds its lock"));
        // Jitter, so that two waiting processes do not meet again and again.
        await outside.sleep(20 + outside.random() * 30);
        continue;
      }
      if (done) {
        giveUpAt = outside.monotonic() + LOCK_WAIT_MS;
        if (!done.value) return;
      }
      // At the end there is no other work.
      if (!closing) await outside.sleep(0);
    }
  }

  /** True: there is more to do. */
  function turn(open: DiskFile): boolean {
    const changes: Change[] = [];
    let size = 0;
    for (const change of queue.values()) {
      size += sizeOf(change);
      if (changes.length > 0 && (size > turnBytesMax || changes.length >= TURN_CHANGES_MAX)) break;
      changes.push(change);
    }
    if (changes.length > 0 && open.write(changes)) {
      for (const change of changes) {
        queue.delete(change.key);
        queueBytes -= sizeOf(change);
      }
    }
    const toShrink = open.shrink();
    bytes = open.bytes();
    return queue.size > 0 || toShrink;
  }

  function use(keys: readonly CacheKey[]): void {
    if (off) return;
    if (outside.monotonic() - usedLatelySince >= USES_FORGOTTEN_AFTER_MS) {
      usedLately.clear();
      usedLatelySince = outside.monotonic();
    }
    for (const key of keys) {
      // What waits to be written, or to be deleted, stays that.
      if (usedLately.has(key) || queue.has(key) || usedLately.size >= USES_REMEMBERED_MAX) continue;
      usedLately.add(key);
      enqueue({ key, row: undefined, used: nextUse() });
    }
  }

  // A first look, so that what is wrong with the file is told at the start. A locked one is opened with the first write.
  const opened = attempt((open) => ({ bytes: open.bytes(), toShrink: open.shrink() }));
  if (opened === undefined) attempt((open) => open.bytes());
  else if (opened !== "locked") {
    bytes = opened.value.bytes;
    if (opened.value.toShrink) startWriting();
  }

  return {
    find(keys) {
      const found = new Map<CacheKey, CacheEntry>();
      if (off) return found;
      const toRead: CacheKey[] = [];
      for (const key of keys) {
        const { row } = queue.get(key) ?? {};
        // Deleted, or a use: only the first of these says that the file has nothing.
        if (row === undefined) toRead.push(key);
        const entry = row ? fromRow(key, row) : undefined;
        if (entry) found.set(key, entry);
      }
      if (toRead.length === 0) return found;
      const read = attempt((open) => open.read(toRead));
      if (typeof read !== "object") return found;
      const good: CacheKey[] = [];
      for (const { key, row } of read.value) {
        const entry = fromRow(key, row);
        if (entry) {
          found.set(key, entry);
          good.push(key);
        } else if (!off) enqueue({ key, row: null, used: nextUse() });
      }
      use(good);
      return found;
    },
    use,
    keep(key, entry) {
      const row = toRow(key, entry);
      if (off || row.byteLength > rowBytesMax || queueBytes + row.byteLength > QUEUE_BYTES_MAX) return;
      usedLately.delete(key);
      enqueue({ key, row, used: nextUse() });
    },
    state: () => ({ bytes, on: !off }),
    async close() {
      closing = true;
      hurry.abort();
      await writing;
      if (!off && queue.size > 0) await writeAll();
      closeFile();
      off = true;
    },
  };
}

/** In the queue: the row, its key and the objects around them. */
function sizeOf(change: Change | undefined): number {
  return change ? (change.row?.byteLength ?? 0) + 200 : 0;
}

const reasonOf = (cause: unknown): string => (cause instanceof Error ? cause.message : String(cause));

/**
 * Vectors on disk, in a separate file, so that no failure here can affect the ledger. Reads are immediate;
 * writes are queued and written in short turns between requests. If anything fails, the cache finds less, and no request fails.
 * disk-file.ts talks to SQLite; the queue, the timing and the handling of failures are here.
 */
import type { Outside } from "../domain/outside";
import { type Change, type DiskFile, deleteFile, faultOf, openFile } from "./disk-file";
import type { CacheEntry, CacheKey } from "./entry";
import { fromRow, toRow } from "./row";

export interface Disk {
  /** The entries found for the keys; the caller may change an entry's numbers. Counts as a use. */
  find(keys: readonly CacheKey[]): ReadonlyMap<CacheKey, CacheEntry>;
  /** Records a use of entries that another cache answered, so that the most used ones are not deleted first here. */
  use(keys: readonly CacheKey[]): void;
  /** Stores a copy; it is written soon. While the queue is full, nothing is stored. */
  keep(key: CacheKey, entry: CacheEntry): void;
  /** Bytes in use in the file as of the last write, and whether the disk cache works. */
  state(): { readonly bytes: number; readonly on: boolean };
  /** Writes what is queued, if possible. */
  close(): Promise<void>;
}

type Needs = Pick<Outside, "sleep" | "now" | "monotonic" | "random" | "log">;

/** How long a write waits so that others are written with it. */
const GATHER_MS = 250;
/** One transaction: blocks the event loop for some milliseconds. */
const TURN_BYTES_MAX = 1_000_000;
const TURN_CHANGES_MAX = 512;
/** A queue of this size is written without waiting for more. */
const QUEUE_LARGE_BYTES = 4_000_000;
const QUEUE_BYTES_MAX = 32_000_000;
const LOCK_WAIT_MS = 5_000;
/** A use is written only from time to time: the exact order would need a write for each hit. */
const USES_REMEMBERED_MAX = 50_000;
const USES_FORGOTTEN_AFTER_MS = 10 * 60_000;

/** @param bytesMax limit of the file and its log together */
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

  /** Strictly increasing, in microseconds. */
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

  /** Only once: a file that is damaged again right away would be recreated in a loop. */
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

  /** Does work on the file; returns undefined if it could not be done and the failure was handled, or "locked". */
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
      // Being woken early is fine.
      await outside.sleep(GATHER_MS, hurry.signal).catch(() => undefined);
    }
    await writeAll();
  }

  /** In turns, with other work in between, until the queue is empty. */
  async function writeAll(): Promise<void> {
    let giveUpAt = outside.monotonic() + LOCK_WAIT_MS;
    for (;;) {
      const done = attempt(turn);
      if (off) return;
      if (done === "locked") {
        if (outside.monotonic() >= giveUpAt) return turnOff(new Error("another process holds its lock"));
        // Jitter, so that two waiting processes do not collide again and again.
        await outside.sleep(20 + outside.random() * 30);
        continue;
      }
      if (done) {
        giveUpAt = outside.monotonic() + LOCK_WAIT_MS;
        if (!done.value) return;
      }
      // At shutdown there is no other work.
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
      // Rows that wait to be written or deleted stay as they are.
      if (usedLately.has(key) || queue.has(key) || usedLately.size >= USES_REMEMBERED_MAX) continue;
      usedLately.add(key);
      enqueue({ key, row: undefined, used: nextUse() });
    }
  }

  // Opened once now, so that problems with the file are reported at the start. A locked file is opened with the first write.
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
        // A queued row is null (deleted) or undefined (a use): only null says that the file has nothing.
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

/** Size in the queue: the row, its key and the objects around them. */
function sizeOf(change: Change | undefined): number {
  return change ? (change.row?.byteLength ?? 0) + 200 : 0;
}

const reasonOf = (cause: unknown): string => (cause instanceof Error ? cause.message : String(cause));

/**
 * Writes finished chunks: first the vectors, then the journal's record of them. Both are flushed to the disk while further calls run, because
 * a flush can take as long as a call; a limited number of chunks may wait for it.
 */
import { GatewayError } from "../domain/errors";
import type { Chunk } from "./chunks";
import type { Embedded } from "./isolate";
import type { ChunkRecord, Journal, Made } from "./journal";
import { type Layout, openVectorFile, type VectorFile } from "./vector-file";

export interface Finished {
  readonly chunk: Chunk;
  readonly embedded: Embedded;
  readonly cost: bigint | null;
}

export interface Committing {
  /** Everything is written once it resolves: kill -9 loses nothing of it. @throws GatewayError if the vectors do not match those written before */
  commit(finished: Finished): Promise<void>;
  /** Everything that was committed is on the disk once it resolves. */
  flush(): Promise<void>;
  /** undefined until the first vector has arrived. */
  readonly made: Made | undefined;
  /** The file, for complete.ts. */
  readonly file: VectorFile | undefined;
  close(): Promise<void>;
}

export interface Into {
  readonly path: string;
  readonly layout: Layout;
  readonly rows: number;
  readonly journal: Pick<Journal, "write" | "sync">;
  /** What earlier runs have made. */
  readonly made: Made | undefined;
  /** How many records the journal has. */
  readonly records: number;
}

/** Chunks that a crash of the machine may lose in addition to those in flight. */
const UNSYNCED_MAX = 64;

export async function openCommitting({
  path,
  layout,
  rows,
  journal,
  made: before,
  records: recordsBefore,
}: Into): Promise<Committing> {
  let made = before;
  let file = made && (await openVectorFile(path, layout, { rows, dimensions: made.dimensions }));
  let waiting: { readonly finished: Finished; readonly done: PromiseWithResolvers<void> }[] = [];
  let writing: Promise<void> | undefined;
  let records = recordsBefore;
  let synced = recordsBefore;
  let syncing: Promise<void> | undefined;

  async function write({ chunk, embedded }: Finished): Promise<void> {
    const rowsHere: number[] = [];
    const vectors: Float32Array[] = [];
    for (const [place, outcome] of embedded.outcomes.entries()) {
      if (typeof outcome === "string") continue;
      rowsHere.push(chunk.rows[place] ?? 0);
      vectors.push(outcome);
    }
    const [first] = vectors;
    if (first === undefined) return;
    const here: Made = { dimensions: first.length, space: embedded.space };
    made ??= here;
    if (here.dimensions !== made.dimensions || here.space !== made.space)
      throw new GatewayError(
        "space_mismatch",
        `The vectors would be in the space '${here.space}@${here.dimensions}', but those before are in '${made.space}@${made.dimensions}'.`,
      );
    if (file === undefined) {
      file = await openVectorFile(path, layout, { rows, dimensions: made.dimensions });
      await file.sync();
      await journal.write([{ made }]);
    }
    await file.write(rowsHere, vectors);
  }

  async function writeAll(): Promise<void> {
    while (waiting.length > 0) {
      const now = waiting;
      waiting = [];
      try {
        if (records - synced >= UNSYNCED_MAX) await flushOnce();
        for (const { finished } of now) await write(finished);
        await journal.write(now.map(({ finished }) => recordOf(finished)));
        records += now.length;
        for (const { done } of now) done.resolve();
        // Its error is thrown by the next flush, which comes before the job ends.
        flushOnce().catch(() => undefined);
      } catch (thrown) {
        for (const { done } of now) done.reject(thrown);
      }
    }
    writing = undefined;
  }

  /** One flush at a time: a call during a flush gets that one. */
  function flushOnce(): Promise<void> {
    syncing ??= flushNow().finally(() => {
      syncing = undefined;
    });
    return syncing;
  }

  async function flushNow(): Promise<void> {
    const count = records;
    if (count === synced) return;
    await file?.sync();
    await journal.write([{ synced: count }]);
    await journal.sync();
    synced = count;
  }

  return {
    async commit(finished) {
      const done = Promise.withResolvers<void>();
      waiting.push({ finished, done });
      writing ??= writeAll();
      await done.promise;
    },
    async flush() {
      await writing;
      while (synced < records) await flushOnce();
    },
    get made() {
      return made;
    },
    get file() {
      return file;
    },
    async close() {
      await writing;
      await syncing?.catch(() => undefined);
      await file?.close();
    },
  };
}

function recordOf({ chunk, embedded, cost }: Finished): ChunkRecord {
  const refused = embedded.outcomes.flatMap((outcome, place) =>
    typeof outcome === "string" ? [{ row: chunk.rows[place] ?? 0, reason: outcome }] : [],
  );
  return {
    chunk: chunk.number,
    tokens: embedded.tokens,
    cost: cost === null ? null : String(cost),
    ...(embedded.truncated > 0 && { truncated: embedded.truncated }),
    ...(refused.length > 0 && { refused }),
  };
}

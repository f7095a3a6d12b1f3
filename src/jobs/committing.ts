/**
 * What is finished goes to the disk: the vectors, then the journal's record of them. Chunks that are finished at one time go together, so
 * that each waits for two syncs at most.
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
  /** On the disk once it resolves. @throws GatewayError where the vectors do not go with those that are there */
  commit(finished: Finished): Promise<void>;
  /** undefined as long as no vector has come. */
  readonly made: Made | undefined;
  /** The file, for complete.ts. */
  readonly file: VectorFile | undefined;
  close(): Promise<void>;
}

export interface Into {
  readonly path: string;
  readonly layout: Layout;
  readonly rows: number;
  readonly journal: Pick<Journal, "write">;
  /** What runs before have made. */
  readonly made: Made | undefined;
}

export async function openCommitting({
  path,
  layout,
  rows,
  journal,
  made: before,
}: Into): Promise<Committing> {
  let made = before;
  let file = made && (await openVectorFile(path, layout, { rows, dimensions: made.dimensions }));
  let waiting: { readonly finished: Finished; readonly done: PromiseWithResolvers<void> }[] = [];
  let writing: Promise<void> | undefined;

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
        for (const { finished } of now) await write(finished);
        await file?.sync();
        await journal.write(now.map(({ finished }) => recordOf(finished)));
        for (const { done } of now) done.resolve();
      } catch (thrown) {
        for (const { done } of now) done.reject(thrown);
      }
    }
    writing = undefined;
  }

  return {
    async commit(finished) {
      const done = Promise.withResolvers<void>();
      waiting.push({ finished, done });
      writing ??= writeAll();
      await done.promise;
    },
    get made() {
      return made;
    },
    get file() {
      return file;
    },
    async close() {
      await writing;
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

/** The parts of batches that were sent to providers' own batch services: all SQL for them. */
import type { Store } from "../db/open";

export interface UpstreamRecord {
  /** Our own mark for the batch, which the provider stores too. */
  readonly tag: string;
  readonly batch: string;
  readonly place: number;
  readonly provider: string;
  /** The model's name at the provider. */
  readonly model: string;
  /** A hash of its calls' fields other than inputs. */
  readonly words: string;
  readonly from_line: number;
  readonly to_line: number;
  /** Null from just before the batch is submitted until the submission is confirmed. */
  readonly upstream_id: string | null;
  /** Whether its results were fetched. */
  readonly has_ended: boolean;
}

export interface UpstreamRecords {
  of(batch: string): Promise<readonly UpstreamRecord[]>;
  put(record: UpstreamRecord): Promise<void>;
  submitted(tag: string, upstreamId: string): Promise<void>;
  ended(tag: string): Promise<void>;
}

interface Row {
  readonly tag: string;
  readonly batch: string;
  readonly place: bigint;
  readonly provider: string;
  readonly model: string;
  readonly words: string;
  readonly from_line: bigint;
  readonly to_line: bigint;
  readonly upstream_id: string | null;
  readonly has_ended: bigint;
}

export function openUpstreamRecords({
  database,
  read,
  write,
}: Pick<Store, "database" | "read" | "write">): UpstreamRecords {
  const select = database.query<Row, [string]>(
    "SELECT * FROM upstream_batches WHERE batch = ?1 ORDER BY place",
  );
  const insert = database.query<unknown, [string, string, number, string, string, string, number, number]>(
    "INSERT INTO upstream_batches (tag, batch, place, provider, model, words, from_line, to_line) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
  );
  const setId = database.query<unknown, [string, string]>(
    "UPDATE upstream_batches SET upstream_id = ?2 WHERE tag = ?1",
  );
  const setEnded = database.query<unknown, [string]>(
    "UPDATE upstream_batches SET has_ended = 1 WHERE tag = ?1",
  );
  return {
    of: async (batch) =>
      read(() => select.all(batch)).map((row) => ({
        ...row,
        place: Number(row.place),
        from_line: Number(row.from_line),
        to_line: Number(row.to_line),
        has_ended: row.has_ended === 1n,
      })),
    put: ({ tag, batch, place, provider, model, words, from_line, to_line }) =>
      write(() => void insert.run(tag, batch, place, provider, model, words, from_line, to_line)),
    submitted: (tag, id) => write(() => void setId.run(tag, id)),
    ended: (tag) => write(() => void setEnded.run(tag)),
  };
}

/**
 * The sums of a finished day by metadata, of all workspaces together: of each key, of its values, and which values had the most requests. Part
 * of regrouping.ts, which says when; src/books/metadata-groups.ts reads them.
 */
import type { Database } from "bun:sqlite";
import { MARK } from "./metadata-rollups";
import { SUMS } from "./rollups";

/** Of metadata_days, per step. */
const BITE_ROWS = 400;
/** Values of a key that a day names for the ranking of a longer time. */
export const LEADING_MAX = 200;

export interface MetadataRegrouping {
  /** Whether a workspace's metadata of that day is not summed: there was too much of it. */
  isMarked(day: number): boolean;
  drop(day: number): void;
  /** Adds one bite. @param done what the step before returned, at first 0 @returns undefined once the day is grouped */
  add(day: number, done: number): number | undefined;
}

const amounts = SUMS.map((name) => `sum(${name})`).join(", ");
const added = (table: string) =>
  SUMS.map((name) => `${name} = ${table}.${name} + excluded.${name}`).join(", ");
const BITE = `(SELECT * FROM metadata_days WHERE started_at = ?1
    ORDER BY workspace, metadata_key, is_rest, value, status, code LIMIT ${BITE_ROWS} OFFSET ?2)`;

/** Every method must run inside a transaction. */
export function openMetadataRegrouping(database: Database): MetadataRegrouping {
  const marked = database.query<unknown, [number]>(
    `SELECT 1 FROM metadata_days WHERE started_at = ?1 AND metadata_key = '${MARK}' LIMIT 1`,
  );
  const gone = ["metadata_key_sums", "metadata_value_sums", "metadata_leading"].map((table) =>
    database.query<unknown, [number]>(`DELETE FROM ${table} WHERE started_at = ?1`),
  );
  const count = database.query<{ readonly rows: bigint }, [number, number]>(
    `SELECT count(*) AS rows FROM ${BITE}`,
  );
  const keys = database.query<unknown, [number, number]>(
    `INSERT INTO metadata_key_sums (started_at, metadata_key, status, code, ${SUMS.join(", ")})
     SELECT started_at, metadata_key, status, code, ${amounts} FROM ${BITE} WHERE true GROUP BY metadata_key, status, code
     ON CONFLICT (started_at, metadata_key, status, code) DO UPDATE SET ${added("metadata_key_sums")}`,
  );
  const values = database.query<unknown, [number, number]>(
    `INSERT INTO metadata_value_sums (started_at, metadata_key, value, status, code, ${SUMS.join(", ")})
     SELECT started_at, metadata_key, value, status, code, ${amounts} FROM ${BITE} WHERE is_rest = 0
     GROUP BY metadata_key, value, status, code
     ON CONFLICT (started_at, metadata_key, value, status, code) DO UPDATE SET ${added("metadata_value_sums")}`,
  );
  const keyAt = database.query<{ readonly name: string }, [number, number]>(
    "SELECT DISTINCT metadata_key AS name FROM metadata_key_sums WHERE started_at = ?1 ORDER BY metadata_key LIMIT 1 OFFSET ?2",
  );
  const lead = database.query<unknown, [number, string]>(
    `INSERT INTO metadata_leading (started_at, metadata_key, value, requests, tokens_upstream)
     SELECT started_at, metadata_key, value, sum(requests), sum(tokens_upstream) FROM metadata_value_sums
     WHERE started_at = ?1 AND metadata_key = ?2 GROUP BY value ORDER BY 4 DESC, 5 DESC, value LIMIT ${LEADING_MAX}`,
  );

  return {
    isMarked: (day) => marked.get(day) !== null,
    drop(day) {
      for (const query of gone) query.run(day);
    },
    add(day, done) {
      // The keys come after the rows, and are counted downwards.
      if (done >= 0) {
        const rows = Number(count.get(day, done)?.rows ?? 0n);
        keys.run(day, done);
        values.run(day, done);
        return rows < BITE_ROWS ? -1 : done + rows;
      }
      const key = keyAt.get(day, -1 - done)?.name;
      if (key === undefined) return undefined;
      lead.run(day, key);
      return done - 1;
    },
  };
}

/** The parts of batches that were sent to providers' batch services, in PostgreSQL. src/books/upstream-batches.ts describes a record. */
import type { UpstreamRecord, UpstreamRecords } from "../../books/upstream-batches";
import { storable } from "./base";
import type { Pool } from "./pool";

type Counts = "place" | "from_line" | "to_line";
type Row = Omit<UpstreamRecord, Counts> & { readonly [Name in Counts]: bigint };

export function openPostgresUpstreamRecords(pool: Pool): UpstreamRecords {
  return {
    async of(batch) {
      const rows = await pool.run(({ query }) =>
        query<Row>("SELECT * FROM @upstream_batches WHERE batch = $1 ORDER BY place", [batch]),
      );
      return rows.map((row) => ({
        ...row,
        place: Number(row.place),
        from_line: Number(row.from_line),
        to_line: Number(row.to_line),
      }));
    },
    // Tags are unique: the record exists already where the first try's acknowledgement was lost.
    async put({ tag, batch, place, provider, model, words, from_line, to_line }) {
      await pool.run(({ query }) =>
        query(
          `INSERT INTO @upstream_batches (tag, batch, place, provider, model, words, from_line, to_line)
           VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT (tag) DO NOTHING`,
          [tag, batch, place, provider, storable(model), words, from_line, to_line],
        ),
      );
    },
    async submitted(tag, id) {
      await pool.run(({ query }) =>
        query("UPDATE @upstream_batches SET upstream_id = $2 WHERE tag = $1", [tag, id]),
      );
    },
    async ended(tag) {
      await pool.run(({ query }) =>
        query("UPDATE @upstream_batches SET has_ended = true WHERE tag = $1", [tag]),
      );
    },
  };
}

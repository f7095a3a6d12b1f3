/** The last measurement of each route, in PostgreSQL. The interface is in src/spaces/records.ts. */
import { Value } from "@sinclair/typebox/value";
import { PROBES_VERSION } from "../../domain/probes";
import { Cosines, type RouteRecord, type RouteRecords } from "../../spaces/records";
import type { Pool } from "./pool";

type Row = Omit<RouteRecord, "cosines" | "measuredAt"> & {
  readonly cosines: string;
  readonly measured_at: bigint;
};

const COLUMNS = "claim, provider, model, claimed, space, serves, cosine, cosines, says, measured_at";

export function openPostgresRecords(pool: Pool): RouteRecords {
  return {
    async put({ claim, claimed, provider, model, space, serves, cosine, cosines, says, measuredAt }) {
      await pool.run(({ query }) =>
        query(
          `INSERT INTO @space_routes (${COLUMNS}, probes) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
           ON CONFLICT (claim, provider, model) DO UPDATE SET claimed = excluded.claimed, space = excluded.space, serves = excluded.serves,
             cosine = excluded.cosine, cosines = excluded.cosines, says = excluded.says, measured_at = excluded.measured_at, probes = excluded.probes`,
          [
            claim,
            provider,
            model,
            claimed,
            space,
            serves,
            cosine,
            JSON.stringify(cosines),
            says,
            measuredAt,
            PROBES_VERSION,
          ],
        ),
      );
    },
    async of(space) {
      const rows = await pool.run(({ query }) =>
        query<Row>(
          `SELECT ${COLUMNS} FROM @space_routes WHERE (claimed = $1 OR space = $1) AND probes = $2
           ORDER BY claim COLLATE "C", provider COLLATE "C", model COLLATE "C"`,
          [space, PROBES_VERSION],
        ),
      );
      return rows.map(({ cosines, measured_at, ...row }) => ({
        ...row,
        cosines: Value.Parse(Cosines, JSON.parse(cosines)),
        measuredAt: Number(measured_at),
      }));
    },
  };
}

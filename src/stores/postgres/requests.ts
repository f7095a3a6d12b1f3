/** Single requests, read from the ledger in PostgreSQL. Filters are defined in src/books/requests.ts. */
import { MINUTE_MS, REQUEST_COLUMNS, type RecordedRequest, type Requests } from "../../books/requests";
import { timeOf } from "../../domain/request-id";
import type { Parameter } from "./connection";
import type { Pool } from "./pool";

/** Bun reads 32-bit columns as numbers, others as bigints. */
export type RequestRow = Omit<RecordedRequest, "status" | "upstream_status"> & {
  readonly status: number;
  readonly upstream_status: number | null;
};

export const SELECTED = REQUEST_COLUMNS.replace(", user,", ', "user",');
const LATEST_FIRST = 'ORDER BY started_at DESC, request_id COLLATE "C" DESC';

export const recorded = (row: RequestRow): RecordedRequest => ({
  ...row,
  status: BigInt(row.status),
  upstream_status: row.upstream_status === null ? null : BigInt(row.upstream_status),
});

export function openPostgresRequests(pool: Pool): Requests {
  const ask = async (where: string, values: readonly Parameter[]) => {
    const rows = await pool.run(({ query }) =>
      query<RequestRow>(`SELECT ${SELECTED} FROM @ledger WHERE ${where}`, values),
    );
    return rows.map(recorded);
  };
  return {
    list({ since, statuses, workspace, model, provider, code }, most) {
      const values: Parameter[] = [since];
      const conditions = ["started_at >= $1"];
      const only = (condition: (parameter: string) => string, value: string | number | undefined) => {
        if (value !== undefined) conditions.push(condition(`$${values.push(value)}`));
      };
      only((from) => `status >= ${from}`, statuses?.from);
      only((to) => `status <= ${to}`, statuses?.to);
      only((one) => `workspace = ${one}`, workspace);
      only((one) => `model = ${one}`, model);
      // Where several providers answered, their names are separated by commas.
      only((one) => `strpos(', ' || provider || ', ', ', ' || ${one}::text || ', ') > 0`, provider);
      only((one) => `coalesce(error, '') = ${one}`, code);
      return ask(`${conditions.join(" AND ")} ${LATEST_FIRST} LIMIT $${values.push(most)}`, values);
    },
    async show(id) {
      const [row] = await ask("request_id = $1", [id]);
      return row;
    },
    async refusedWith(id) {
      const at = timeOf(id);
      if (at === undefined) return [];
      const from = at - (at % MINUTE_MS);
      return ask("refusals IS NOT NULL AND started_at >= $1 AND started_at < $2 ORDER BY started_at", [
        from,
        from + MINUTE_MS,
      ]);
    },
  };
}

/** Pages of single requests from PostgreSQL. Filters are defined in src/books/request-pages.ts. */
import { cursorIn, type RequestPages, storyOf } from "../../books/request-pages";
import type { Parameter } from "./connection";
import type { Pool } from "./pool";
import { type RequestRow, recorded, SELECTED } from "./requests";
import { pairsIn } from "./usage";

const FAR = Number.MAX_SAFE_INTEGER;

export function openPostgresRequestPages(pool: Pool): RequestPages {
  return {
    async page(asked) {
      const { since = 0, until = FAR, most, statuses } = asked;
      const start = asked.cursor === undefined ? { at: until, id: "" } : cursorIn(asked.cursor);
      const values: Parameter[] = [since, until, start.at, start.id];
      const parameter = (value: string) => `$${values.push(value)}::text`;
      const conditions = [
        "started_at >= $1",
        "started_at < $2",
        `(started_at, request_id COLLATE "C") < ($3::bigint, $4::text)`,
      ];
      const only = (condition: (parameter: string) => string, value: string | undefined) => {
        if (value !== undefined) conditions.push(condition(parameter(value)));
      };
      only((one) => `workspace = ${one}`, asked.workspace);
      only((one) => `workspace <> ${one}`, asked.not_workspace);
      only((one) => `key_id = ${one}`, asked.key_id);
      only((one) => `model = ${one}`, asked.model);
      // Where several providers answered, their names are separated by commas.
      only((one) => `strpos(', ' || provider || ', ', ', ' || ${one} || ', ') > 0`, asked.provider);
      if (statuses)
        conditions.push(
          `status ${statuses.isNot ? "NOT " : ""}BETWEEN $${values.push(statuses.from)}::integer AND $${values.push(statuses.to)}::integer`,
        );
      only((one) => `coalesce(error, '') = ${one}`, asked.code);
      only((one) => `coalesce(kind, '') = ${one}`, asked.kind);
      conditions.push(...pairsIn(asked.metadata, parameter));
      const found = await pool.run(({ query }) =>
        query<RequestRow>(
          `SELECT ${SELECTED} FROM @ledger WHERE ${conditions.join(" AND ")}
           ORDER BY started_at DESC, request_id COLLATE "C" DESC LIMIT $${values.push(most + 1)}::integer`,
          values,
        ),
      );
      const rows = found.slice(0, most).map(recorded);
      const last = rows.at(-1);
      if (found.length <= most || last === undefined)
        return { rows, next: undefined, lookedBackTo: undefined };
      return { rows, next: `${last.started_at}.${last.request_id}`, lookedBackTo: Number(last.started_at) };
    },
    async story(id) {
      const [row] = await pool.run(({ query }) =>
        query<RequestRow>(`SELECT ${SELECTED} FROM @ledger WHERE request_id = $1`, [id]),
      );
      return row && storyOf(recorded(row));
    },
  };
}

/** Lines of invoices by day and model, kept in PostgreSQL. What they are and when they hold is src/books/invoice-days.ts's. */
import { COMPARED, type Compared, DAY_LINE, type DayLine, marked } from "../../books/invoice-days";
import type { DaysLine } from "../../books/statements";
import { UNIT_MS } from "../../books/times";
import { ALL_ROWS } from "./all-rows";
import type { Connection } from "./connection";
import { sumsOver } from "./sums";

const DAY = `started_at - started_at % ${UNIT_MS.day}`;

const SUMS = `SELECT ${DAY} AS day, model, status::bigint AS status, ${COMPARED.map((name) => `sum(${name})::bigint AS ${name}`).join(", ")}
  FROM ${sumsOver([UNIT_MS.day, UNIT_MS.hour], "$2", "$3")} AS found WHERE workspace = $1 GROUP BY 1, 2, 3 ORDER BY 1, model COLLATE "C", 3`;
const KEPT = `SELECT day, sums, ${DAY_LINE.join(", ")} FROM @invoice_days WHERE workspace = $1 AND day >= $2 AND day < $3`;
const OF_ROWS = `SELECT model, coalesce(sum(row_count) FILTER (WHERE status = 200), 0)::bigint AS requests, sum(tokens_billed)::bigint AS tokens_billed,
    min(price) AS least_price, max(price) AS most_price, sum(cost_pico_usd)::bigint AS cost_pico_usd, sum(micro_credits)::bigint AS micro_credits,
    sum(femto_credits_rounded)::bigint AS femto_credits_rounded
  FROM ${ALL_ROWS} AS every_row WHERE workspace = $1 AND started_at >= $2 AND started_at < $3 GROUP BY model ORDER BY model COLLATE "C"`;

/**
 * @param from,to start of the first day, and of the day after the last
 * @param mayKeepLast whether the last day's lines are kept, too: it is finished
 * @returns their lines; those that were summed now are kept, but for the last day with a request, which still changes
 */
export async function dayLines(
  { query }: Connection,
  workspace: string,
  from: number,
  to: number,
  mayKeepLast = false,
): Promise<readonly DaysLine[]> {
  // Sums are read before rows: rows that are settled in between make the day be summed anew the next time.
  const sums = Map.groupBy(
    await query<Compared & { readonly day: bigint }>(SUMS, [workspace, from, to]),
    ({ day }) => Number(day),
  );
  const kept = Map.groupBy(
    await query<DayLine & { readonly day: bigint; readonly sums: string }>(KEPT, [workspace, from, to]),
    ({ day }) => Number(day),
  );
  const last = Math.max(...sums.keys());
  const lines: DaysLine[] = [];
  for (const [day, compared] of sums) {
    const now = marked(compared);
    const known = kept.get(day) ?? [];
    const isKnown = known.length > 0 && known.every((line) => line.sums === now);
    const found = isKnown
      ? known.map(({ sums: _, ...line }) => line)
      : await query<DayLine>(OF_ROWS, [workspace, day, day + UNIT_MS.day]);
    if (!isKnown && (mayKeepLast || day < last)) await keep(query, workspace, day, now, found);
    lines.push(...found.map((line) => ({ ...line, day })));
  }
  return lines;
}

async function keep(
  query: Connection["query"],
  workspace: string,
  day: number,
  sums: string,
  lines: readonly DayLine[],
): Promise<void> {
  // Of two that keep a day at once, the one that comes second finds the first one's lines, which may be others.
  await query("DELETE FROM @invoice_days WHERE workspace = $1 AND day = $2", [workspace, day]);
  for (const line of lines)
    await query(
      `INSERT INTO @invoice_days (workspace, day, sums, ${DAY_LINE.join(", ")}) VALUES ($1, $2, $3, ${DAY_LINE.map((_, i) => `$${i + 4}`).join(", ")})
       ON CONFLICT (day, hash) DO UPDATE SET ${["sums", ...DAY_LINE].map((name) => `${name} = excluded.${name}`).join(", ")}`,
      [workspace, day, sums, ...DAY_LINE.map((name) => line[name])],
    );
}

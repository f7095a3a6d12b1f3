/**
 * Lines of invoices by day and model, kept once they are summed from the ledger's rows, so that a month of a million requests is told in
 * milliseconds. With its lines a day keeps the sums by time (rollups.ts) that it had: a row that is settled later changes those, and the day is
 * summed anew. A further column of an invoice is one here and in DAY_LINE (and in src/stores/postgres/invoice-days.ts).
 */
import type { Store } from "../db/open";
import type { Outside } from "../domain/outside";
import { ALL_ROWS } from "./all-rows";
import { UNIT_MS } from "./times";

/** What a workspace's requests of one day (UTC) and model come to. */
export interface DayLine {
  readonly model: string;
  /** Answered requests only. */
  readonly requests: bigint;
  readonly tokens_billed: bigint;
  /** Pico-USD per token, the lowest and the highest: null if nothing was billed, -1 if one was no whole number. */
  readonly least_price: bigint | null;
  readonly most_price: bigint | null;
  readonly cost_pico_usd: bigint;
  readonly micro_credits: bigint;
  readonly femto_credits_rounded: bigint;
}

/** In the order of the columns. */
export const DAY_LINE = [
  "model",
  "requests",
  "tokens_billed",
  "least_price",
  "most_price",
  "cost_pico_usd",
  "micro_credits",
  "femto_credits_rounded",
] as const satisfies readonly (keyof DayLine)[];

/** Sums by model and status that every change of a settled row changes. */
export const COMPARED = [
  "requests",
  "inputs",
  "tokens",
  "tokens_billed",
  "cost_pico_usd",
  "micro_credits",
] as const;
export type Compared = { readonly model: string; readonly status: bigint } & {
  readonly [Name in (typeof COMPARED)[number]]: bigint;
};

/** As text, for comparison. */
export const marked = (sums: readonly Compared[]): string =>
  new Bun.CryptoHasher("sha256")
    .update(
      JSON.stringify(
        sums.map((one) => [one.model, one.status, ...COMPARED.map((name) => one[name])].map(String)),
      ),
    )
    .digest("hex");

/** @param day its start, in milliseconds @param mayKeep not for a day that still changes */
export type DayLinesOf = (workspace: string, day: number, mayKeep: boolean) => Promise<readonly DayLine[]>;

/** About how many rows are read in one turn of the event loop. */
const ROWS_IN_A_TURN = 10_000;

export function openInvoiceDays(
  { database, read, write }: Pick<Store, "database" | "read" | "write">,
  { turn = () => Promise.resolve() }: Pick<Outside, "turn"> = {},
): DayLinesOf {
  const each = Array.from({ length: UNIT_MS.day / UNIT_MS.hour }, (_, i) => `?2 + ${i * UNIT_MS.hour}`).join(
    ", ",
  );
  // Each hour is looked up by itself: the index has the time before the workspace.
  const compared = database.query<Compared, [string, number]>(
    `SELECT model, status, ${COMPARED.map((name) => `sum(${name}) AS ${name}`).join(", ")} FROM (
       SELECT * FROM rollups WHERE unit_ms = ${UNIT_MS.hour} AND started_at IN (${each}) AND workspace = ?1
       UNION ALL SELECT * FROM rollups WHERE unit_ms = ${UNIT_MS.day} AND started_at = ?2 AND workspace = ?1)
     GROUP BY model, status ORDER BY model, status`,
  );
  const kept = database.query<DayLine & { readonly sums: string }, [string, number]>(
    `SELECT sums, ${DAY_LINE.join(", ")} FROM invoice_days WHERE workspace = ?1 AND day = ?2`,
  );
  const summed = database.query<DayLine, [string, number, number]>(
    `SELECT model, sum(iif(status = 200, row_count, 0)) AS requests, sum(tokens_billed) AS tokens_billed, min(price) AS least_price,
       max(price) AS most_price, sum(cost_pico_usd) AS cost_pico_usd, sum(micro_credits) AS micro_credits,
       sum(femto_credits_rounded) AS femto_credits_rounded
     FROM ${ALL_ROWS} WHERE workspace = ?1 AND started_at >= ?2 AND started_at < ?3 GROUP BY model ORDER BY model`,
  );
  const drop = database.query<unknown, [string, number]>(
    "DELETE FROM invoice_days WHERE workspace = ?1 AND day = ?2",
  );
  const put = database.query<unknown, (string | number | bigint | null)[]>(
    `INSERT INTO invoice_days (workspace, day, sums, ${DAY_LINE.join(", ")}) VALUES (?, ?, ?, ${DAY_LINE.map(() => "?").join(", ")})`,
  );

  return async (workspace, day, mayKeep) => {
    const [sums, known] = read(() => [compared.all(workspace, day), kept.all(workspace, day)] as const);
    const now = marked(sums);
    if (known[0]?.sums === now) return known.map(({ sums: _, ...line }) => line);
    // Sums are read before rows: rows that are settled in between make the day be summed anew the next time.
    const requests = sums.reduce((all, one) => all + Number(one.requests), 0);
    const step = Math.ceil(UNIT_MS.day / Math.max(1, Math.ceil(requests / ROWS_IN_A_TURN)));
    const lines: DayLine[] = [];
    for (let at = day; at < day + UNIT_MS.day; at += step) {
      if (at > day) await turn();
      const until = Math.min(day + UNIT_MS.day, at + step);
      for (const line of read(() => summed.all(workspace, at, until))) joinTo(lines, line);
    }
    if (mayKeep && lines.length > 0)
      await write(() => {
        drop.run(workspace, day);
        for (const line of lines) put.run(workspace, day, now, ...DAY_LINE.map((name) => line[name]));
      });
    return lines;
  };
}

function joinTo(lines: DayLine[], line: DayLine): void {
  const place = lines.findIndex(({ model }) => model === line.model);
  const known = lines[place];
  if (known === undefined) lines.push(line);
  else lines[place] = together(known, line);
}

const least = (a: bigint | null, b: bigint | null) => (a === null ? b : b === null || a < b ? a : b);
const most = (a: bigint | null, b: bigint | null) => (a === null ? b : b === null || a > b ? a : b);

/** The sums of both, with what else the first one has. */
export const together = <Line extends Omit<DayLine, "model">>(
  one: Line,
  other: Omit<DayLine, "model">,
): Line => ({
  ...one,
  requests: one.requests + other.requests,
  tokens_billed: one.tokens_billed + other.tokens_billed,
  least_price: least(one.least_price, other.least_price),
  most_price: most(one.most_price, other.most_price),
  cost_pico_usd: one.cost_pico_usd + other.cost_pico_usd,
  micro_credits: one.micro_credits + other.micro_credits,
  femto_credits_rounded: one.femto_credits_rounded + other.femto_credits_rounded,
});

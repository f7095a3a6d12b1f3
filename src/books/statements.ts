/**
 * What a workspace paid, from its settled requests: spending so far, every change of its balance, a month's invoice.
 * All of it adds up to the ledger's own sums. Days and months are UTC. A new column of a statement is a sum here.
 */

import type { Store } from "../db/open";
import { GatewayError } from "../domain/errors";
import type { Outside } from "../domain/outside";
import { openCharges } from "./charges";
import { type DayLine, openInvoiceDays, together } from "./invoice-days";
import { ceilingOf, FEMTO_CREDITS_PER_MICRO_CREDIT } from "./money";
import { periodAt } from "./periods";
import { UNIT_MS } from "./times";

/** In pico-USD. */
export interface Spent {
  readonly today: bigint;
  readonly thisMonth: bigint;
}

/** A grant, or the requests of a day: requests before and after a grant of that day are separate lines. */
export interface HistoryLine {
  /** Milliseconds since 1970; for requests, the time of the first one. */
  readonly at: number;
  readonly kind: "grant" | "requests";
  readonly note: string;
  readonly requests: bigint;
  /** The cost of the requests, in micro-credits like the amounts below. */
  readonly cost: bigint;
  /** The change of the balance. It differs from the cost while the workspace had no limit. */
  readonly change: bigint;
  /** The balance after this line: the sum of all changes so far. */
  readonly balance: bigint;
}

export const INVOICE_GROUPS = ["day", "model"] as const;
export type InvoiceGroup = (typeof INVOICE_GROUPS)[number];

export interface InvoiceLine {
  /** undefined if lines are not grouped by day. */
  readonly day: string | undefined;
  /** undefined if lines are not grouped by model. */
  readonly model: string | undefined;
  /** Answered requests only. */
  readonly requests: bigint;
  readonly tokens_billed: bigint;
  /** Pico-USD per token; null if it changed within the line, or if nothing was billed. */
  readonly price: bigint | null;
  readonly cost_pico_usd: bigint;
  readonly micro_credits: bigint;
}

export interface Invoice {
  readonly lines: readonly InvoiceLine[];
  readonly total: Pick<InvoiceLine, "requests" | "tokens_billed" | "cost_pico_usd" | "micro_credits">;
}

export interface Statements {
  /** @param timeZone time zone of the workspace's caps; undefined: UTC */
  spent(workspace: string, at: number, timeZone?: string): Promise<Spent>;
  history(workspace: string): Promise<readonly HistoryLine[]>;
  /** @param month for example 2026-11 @throws GatewayError invalid for another text */
  invoice(workspace: string, month: string, by: readonly InvoiceGroup[]): Promise<Invoice>;
}

export type Change = Omit<HistoryLine, "balance">;

export function openStatements(
  { database, read, write }: Pick<Store, "database" | "read" | "write">,
  { turn = () => Promise.resolve() }: Pick<Outside, "turn"> = {},
): Statements {
  const spending = database.query<
    { readonly today: bigint; readonly month: bigint },
    [string, string, string]
  >(
    `SELECT coalesce(sum(iif(day = ?2, cost_pico_usd, 0)), 0) AS today, coalesce(sum(cost_pico_usd), 0) AS month
     FROM spending WHERE workspace = ?1 AND day >= ?3`,
  );
  const grants = database.query<{ at: bigint; note: string; change: bigint }, [string]>(
    "SELECT granted_at AS at, note, micro_credits AS change FROM credit_grants WHERE workspace = ?1 ORDER BY id",
  );
  const charges = openCharges({ database, read });
  const dayLines = openInvoiceDays({ database, read, write }, { turn });
  const span = database.query<{ first: bigint | null; last: bigint | null }, [string]>(
    // Separate queries: only then does SQLite read just the end of the index.
    `SELECT min(at) AS first, max(at) AS last FROM (
       SELECT min(started_at) AS at FROM ledger WHERE workspace = ?1 UNION ALL SELECT max(started_at) FROM ledger WHERE workspace = ?1
       UNION ALL SELECT min(first_at) FROM ledger_days WHERE workspace = ?1 UNION ALL SELECT max(first_at) FROM ledger_days WHERE workspace = ?1)`,
  );

  return {
    async spent(workspace, at, timeZone) {
      const { day, monthBegins } = periodAt(at, timeZone);
      const sums = read(() => spending.get(workspace, day, monthBegins));
      return { today: sums?.today ?? 0n, thisMonth: sums?.month ?? 0n };
    },
    async history(workspace) {
      for (let again = 0; ; again++) {
        const given = read(() => grants.all(workspace)).map(changeOfGrant);
        const requests: Change[] = [];
        // A day's requests before and after a grant are two lines.
        for (const [from, to] of daysBetween(
          wholeDays(spanOf(workspace)),
          given.map(({ at }) => at),
        )) {
          const charged = charges(workspace, from, to);
          if (charged) requests.push(changeOfRequests(charged));
          await turn();
        }
        // If a grant was made meanwhile, it would be missing between the charges before and after it.
        const isWhole = read(() => grants.all(workspace)).length === given.length;
        if (isWhole || again >= HISTORY_READS_MAX) return running([...given, ...requests]);
      }
    },
    async invoice(workspace, month, by) {
      const [from, to] = boundsOf(month);
      const there = wholeDays(spanOf(workspace));
      const lines: DaysLine[] = [];
      for (let day = Math.max(from, there.from); day < Math.min(to, there.to); day += UNIT_MS.day) {
        // The last day still changes with each request.
        const found = await dayLines(workspace, day, day + UNIT_MS.day < there.to);
        lines.push(...found.map((line) => ({ ...line, day })));
        await turn();
      }
      return invoiceOf(lines, by);
    },
  };

  /** When the first and the last request of a workspace came. */
  function spanOf(workspace: string): Span {
    const row = read(() => span.get(workspace));
    return { from: Number(row?.first ?? 0n), to: Number(row?.last ?? -1n) + 1 };
  }
}

interface Span {
  readonly from: number;
  readonly to: number;
}

const wholeDays = ({ from, to }: Span): Span => ({
  from: from - (from % UNIT_MS.day),
  to: Math.ceil(to / UNIT_MS.day) * UNIT_MS.day,
});

const HISTORY_READS_MAX = 3;

/** The days of a span (UTC), split at `cuts` too. Each is read in its own turn of the event loop. */
function* daysBetween({ from, to }: Span, cuts: readonly number[]): Generator<readonly [number, number]> {
  const rest = [...new Set(cuts)].filter((cut) => cut > from && cut < to).sort((a, b) => a - b);
  for (let at = from; at < to; ) {
    const nextDay = at - (at % UNIT_MS.day) + UNIT_MS.day;
    const cut = rest[0] ?? to;
    const end = Math.min(to, nextDay, cut);
    if (end === cut) rest.shift();
    yield [at, end];
    at = end;
  }
}

/** A line of a day, and when the day begins. */
export type DaysLine = DayLine & { readonly day: number };

type Summed = Omit<DayLine, "model"> & {
  readonly day: string | undefined;
  readonly model: string | undefined;
};

/** @param days lines by day and model, which are put together as the invoice's lines are grouped */
export function invoiceOf(days: readonly DaysLine[], by: readonly InvoiceGroup[]): Invoice {
  const summed = new Map<string, Summed>();
  for (const { day: at, model, ...sums } of days) {
    const day = by.includes("day") ? new Date(at).toISOString().slice(0, 10) : undefined;
    const line = { ...sums, day, model: by.includes("model") ? model : undefined };
    const key = JSON.stringify([line.day, line.model]);
    const before = summed.get(key);
    summed.set(key, before ? together(before, line) : line);
  }
  const lines = inShares([...summed.values()].filter(isSomething).sort(byGroups).map(priced));
  return { lines, total: totalOf(lines) };
}

const isSomething = (line: Charged) =>
  line.requests > 0n || line.tokens_billed > 0n || line.cost_pico_usd > 0n || line.micro_credits > 0n;

function priced({ least_price, most_price, ...line }: Summed) {
  const isOne = least_price !== null && least_price >= 0n && least_price === most_price;
  return { ...line, price: isOne ? least_price : null };
}

/** In the database's order of texts: by code point. */
function byGroups(one: Summed, other: Summed): number {
  const [a, b] = [one, other].map(({ day, model }) => Buffer.from(`${day ?? ""}\0${model ?? ""}`));
  return a && b ? Buffer.compare(a, b) : 0;
}

export const changeOfGrant = ({
  at,
  note,
  change,
}: {
  readonly at: bigint;
  readonly note: string;
  readonly change: bigint;
}): Change => ({ at: Number(at), kind: "grant", note, requests: 0n, cost: 0n, change });

/** @param sums of a day, or of a part of it; `taken`: from the balance */
export const changeOfRequests = (sums: {
  readonly at: bigint;
  readonly requests: bigint;
  readonly cost: bigint;
  readonly taken: bigint;
}): Change => ({
  at: Number(sums.at),
  kind: "requests",
  note: "",
  requests: sums.requests,
  cost: sums.cost,
  change: -sums.taken,
});

/** Includes the difference between the charges of a line's requests and their exact cost. */
export type Charged = Omit<InvoiceLine, "day" | "model" | "price"> & {
  readonly femto_credits_rounded: bigint;
};

/**
 * When the rounding of several requests adds up to a micro-credit, it is chance which request pays it, so lines by model could be off by many.
 * Here each line gets the cost of its own requests, to within one micro-credit; together the lines are what was charged.
 */
export function inShares<Line extends Charged>(
  lines: readonly Line[],
): Omit<Line, "femto_credits_rounded">[] {
  const charged = lines.reduce((sum, line) => sum + line.micro_credits, 0n);
  let exact = 0n;
  let shared = 0n;
  return lines.map(({ femto_credits_rounded: rounded, ...line }, i) => {
    exact += line.micro_credits * FEMTO_CREDITS_PER_MICRO_CREDIT - rounded;
    const due = exact <= 0n ? 0n : ceilingOf(exact, FEMTO_CREDITS_PER_MICRO_CREDIT);
    // What a balance could not pay was never taken. A line never becomes negative to make up for another line that got too much.
    const atLeastShared = due < shared ? shared : due;
    const upTo = i === lines.length - 1 || atLeastShared > charged ? charged : atLeastShared;
    const micro_credits = upTo - shared;
    shared += micro_credits;
    return { ...line, micro_credits };
  });
}

/** In order of time, so that each balance is right at its line. A grant comes before requests of the same millisecond. */
export function running(changes: readonly Change[]): HistoryLine[] {
  const inOrder = changes
    .map((change, place) => ({ change, place }))
    .sort(
      (a, b) => a.change.at - b.change.at || a.change.kind.localeCompare(b.change.kind) || a.place - b.place,
    );
  let balance = 0n;
  return inOrder.map(({ change }) => {
    balance += change.change;
    return { ...change, balance };
  });
}

export function totalOf(lines: readonly InvoiceLine[]): Invoice["total"] {
  const sum = (of: (line: InvoiceLine) => bigint) => lines.reduce((total, line) => total + of(line), 0n);
  return {
    requests: sum(({ requests }) => requests),
    tokens_billed: sum(({ tokens_billed }) => tokens_billed),
    cost_pico_usd: sum(({ cost_pico_usd }) => cost_pico_usd),
    micro_credits: sum(({ micro_credits }) => micro_credits),
  };
}

export function boundsOf(month: string): readonly [number, number] {
  const [, year, number] = /^(\d{4})-(0[1-9]|1[0-2])$/.exec(month) ?? [];
  if (year === undefined || number === undefined)
    throw new GatewayError("invalid", "Expected a month such as 2026-11.", { field: "month" });
  return [Date.UTC(Number(year), Number(number) - 1), Date.UTC(Number(year), Number(number))];
}

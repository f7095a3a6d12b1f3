/**
 * What a workspace paid, read from what its requests were settled with: spending so far, every change of its balance, a month's invoice.
 * All of it adds up to the ledger's own sums. Days and months are UTC. A new column of a statement is a sum here.
 */

import type { Store } from "../db/open";
import { GatewayError } from "../domain/errors";
import { ALL_ROWS } from "./all-rows";
import { ceilingOf, FEMTO_CREDITS_PER_MICRO_CREDIT } from "./money";
import { periodAt } from "./periods";

/** In pico-USD. */
export interface Spent {
  readonly today: bigint;
  readonly thisMonth: bigint;
}

/** A grant, or a day's requests together: those before the day's next grant, and those after it. */
export interface HistoryLine {
  /** Milliseconds since 1970: of requests, the first one's. */
  readonly at: number;
  readonly kind: "grant" | "requests";
  readonly note: string;
  readonly requests: bigint;
  /** In micro-credits, as all that follows: what the requests cost. */
  readonly cost: bigint;
  /** What the balance changed by. It differs from the cost where there was no limit. */
  readonly change: bigint;
  /** After this line: the sum of all changes so far. */
  readonly balance: bigint;
}

export const INVOICE_GROUPS = ["day", "model"] as const;
export type InvoiceGroup = (typeof INVOICE_GROUPS)[number];

export interface InvoiceLine {
  /** Undefined where lines are not by day. */
  readonly day: string | undefined;
  /** Undefined where lines are not by model. */
  readonly model: string | undefined;
  /** Answered ones. */
  readonly requests: bigint;
  readonly tokens_billed: bigint;
  /** Pico-USD a token; null where it changed within the line, or nothing was billed. */
  readonly price: bigint | null;
  readonly cost_pico_usd: bigint;
  readonly micro_credits: bigint;
}

export interface Invoice {
  readonly lines: readonly InvoiceLine[];
  readonly total: Pick<InvoiceLine, "requests" | "tokens_billed" | "cost_pico_usd" | "micro_credits">;
}

export interface Statements {
  /** @param timeZone of the workspace's caps; undefined: UTC */
  spent(workspace: string, at: number, timeZone?: string): Promise<Spent>;
  history(workspace: string): Promise<readonly HistoryLine[]>;
  /** @param month as in 2026-11 @throws GatewayError invalid for another text */
  invoice(workspace: string, month: string, by: readonly InvoiceGroup[]): Promise<Invoice>;
}

type Change = Omit<HistoryLine, "balance">;

const GROUP_EXPRESSIONS: Readonly<Record<InvoiceGroup, string>> = {
  day: "strftime('%Y-%m-%d', started_at / 1000, 'unixepoch')",
  model: "model",
};

export function openStatements({ database, read }: Store): Statements {
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
  const charges = database.query<
    { at: bigint; requests: bigint; cost: bigint; taken: bigint },
    [string, number, number]
  >(
    `SELECT min(started_at) AS at, sum(row_count) AS requests, sum(micro_credits) AS cost, sum(micro_credits_taken) AS taken
     FROM ${ALL_ROWS} WHERE workspace = ?1 AND started_at >= ?2 AND started_at < ?3 AND charged
     GROUP BY ${GROUP_EXPRESSIONS.day} ORDER BY at`,
  );

  return {
    async spent(workspace, at, timeZone) {
      const { day, monthBegins } = periodAt(at, timeZone);
      const sums = read(() => spending.get(workspace, day, monthBegins));
      return { today: sums?.today ?? 0n, thisMonth: sums?.month ?? 0n };
    },
    async history(workspace) {
      // In one transaction, so that no request settles between the two.
      const both = database.transaction((): Change[] => {
        const given = grants.all(workspace).map(({ at, note, change }) => ({
          at: Number(at),
          kind: "grant" as const,
          note,
          requests: 0n,
          cost: 0n,
          change,
        }));
        // A day's requests before a grant and those after it are two lines.
        const bounds = [0, ...given.map(({ at }) => at), Number.MAX_SAFE_INTEGER].sort((a, b) => a - b);
        const taken = bounds.flatMap((from, i) => {
          const to = bounds[i + 1] ?? from;
          return to === from ? [] : charges.all(workspace, from, to);
        });
        const requests = taken.map((sums) => ({
          at: Number(sums.at),
          kind: "requests" as const,
          note: "",
          requests: sums.requests,
          cost: sums.cost,
          change: -sums.taken,
        }));
        return [...given, ...requests];
      });
      return running(read(() => both()));
    },
    async invoice(workspace, month, by) {
      const [from, to] = boundsOf(month);
      const part = (group: InvoiceGroup) =>
        `${by.includes(group) ? GROUP_EXPRESSIONS[group] : "NULL"} AS ${group}`;
      const query = database.query<
        Charged & { readonly day: string | null; readonly model: string | null },
        [string, number, number]
      >(
        `WITH rows AS (
           SELECT ${part("day")}, ${part("model")}, status, tokens_billed, cost_pico_usd, micro_credits, femto_credits_rounded, price, row_count
           FROM ${ALL_ROWS} WHERE workspace = ?1 AND started_at >= ?2 AND started_at < ?3)
         SELECT day, model, sum(iif(status = 200, row_count, 0)) AS requests, sum(tokens_billed) AS tokens_billed,
           iif(min(price) >= 0 AND min(price) = max(price), min(price), NULL) AS price,
           sum(cost_pico_usd) AS cost_pico_usd, sum(micro_credits) AS micro_credits, sum(femto_credits_rounded) AS femto_credits_rounded
         FROM rows GROUP BY day, model
         HAVING requests > 0 OR tokens_billed > 0 OR cost_pico_usd > 0 OR micro_credits > 0 ORDER BY day, model`,
      );
      const lines = inShares(read(() => query.all(workspace, from, to))).map(({ day, model, ...sums }) => ({
        day: day ?? undefined,
        model: model ?? undefined,
        ...sums,
      }));
      return { lines, total: totalOf(lines) };
    },
  };
}

/** With what the charges of a line's requests differ from their exact cost. */
type Charged = Omit<InvoiceLine, "day" | "model"> & { readonly femto_credits_rounded: bigint };

/**
 * Which request of a workspace pays the whole micro-credit that several came to is chance, so lines of models would be off by many.
 * Each line gets what its own requests cost, to one micro-credit; together they are what was charged.
 */
function inShares<Line extends Charged>(lines: readonly Line[]): Omit<Line, "femto_credits_rounded">[] {
  const charged = lines.reduce((sum, line) => sum + line.micro_credits, 0n);
  let exact = 0n;
  let shared = 0n;
  return lines.map(({ femto_credits_rounded: rounded, ...line }, i) => {
    exact += line.micro_credits * FEMTO_CREDITS_PER_MICRO_CREDIT - rounded;
    const due = exact <= 0n ? 0n : ceilingOf(exact, FEMTO_CREDITS_PER_MICRO_CREDIT);
    // What a balance could not pay was not taken: no line gets back what another was given too much.
    const atLeastShared = due < shared ? shared : due;
    const upTo = i === lines.length - 1 || atLeastShared > charged ? charged : atLeastShared;
    const micro_credits = upTo - shared;
    shared += micro_credits;
    return { ...line, micro_credits };
  });
}

/** In order of time, so that each balance is what was left then. A grant comes before what began in its millisecond. */
function running(changes: readonly Change[]): HistoryLine[] {
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

function totalOf(lines: readonly InvoiceLine[]): Invoice["total"] {
  const sum = (of: (line: InvoiceLine) => bigint) => lines.reduce((total, line) => total + of(line), 0n);
  return {
    requests: sum(({ requests }) => requests),
    tokens_billed: sum(({ tokens_billed }) => tokens_billed),
    cost_pico_usd: sum(({ cost_pico_usd }) => cost_pico_usd),
    micro_credits: sum(({ micro_credits }) => micro_credits),
  };
}

function boundsOf(month: string): readonly [number, number] {
  const [, year, number] = /^(\d{4})-(0[1-9]|1[0-2])$/.exec(month) ?? [];
  if (year === undefined || number === undefined)
    throw new GatewayError("invalid", "Expected a month such as 2026-11.", { field: "month" });
  return [Date.UTC(Number(year), Number(number) - 1), Date.UTC(Number(year), Number(number))];
}

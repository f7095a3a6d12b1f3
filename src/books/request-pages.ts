/**
 * Single requests page by page, the latest first, and the full story of one request. The ledger is searched in blocks, each in its own
 * turn of the event loop. If few rows match, the search stops after a number of rows and returns where the next page starts.
 * A new filter is a line of `conditionsOf`.
 */
import type { Store } from "../db/open";
import { GatewayError } from "../domain/errors";
import type { Outside } from "../domain/outside";
import { type CallOfRequest, readCalls } from "./calls";
import { REQUEST_COLUMNS, type RecordedRequest, type Statuses } from "./requests";
import { type Share, sharesIn } from "./shares";
import { pairsIn } from "./usage";

export interface PageAsked {
  /** Milliseconds since 1970. */
  readonly since?: number | undefined;
  readonly until?: number | undefined;
  readonly statuses?: (Statuses & { readonly isNot?: true }) | undefined;
  readonly workspace?: string | undefined;
  /** Its requests are left out. */
  readonly not_workspace?: string | undefined;
  readonly key_id?: string | undefined;
  readonly model?: string | undefined;
  readonly provider?: string | undefined;
  readonly code?: string | undefined;
  readonly kind?: string | undefined;
  readonly metadata: ReadonlyMap<string, string>;
  /** The `next` of the page before. */
  readonly cursor?: string | undefined;
  readonly most: number;
}

export interface Page {
  readonly rows: readonly RecordedRequest[];
  /** undefined: there are no more rows. */
  readonly next: string | undefined;
  /** Down to this time all matching rows were found; undefined: down to the first row. */
  readonly lookedBackTo: number | undefined;
}

export interface Story {
  readonly row: RecordedRequest;
  readonly calls: readonly CallOfRequest[];
  readonly callsMade: number;
  readonly shares: readonly Share[];
}

export interface RequestPages {
  /** @throws GatewayError invalid for an invalid cursor */
  page(asked: PageAsked): Promise<Page>;
  story(id: string): Promise<Story | undefined>;
}

const ROWS_IN_A_TURN = 5_000;
/** Per answer: takes a fraction of a second. */
const ROWS_LOOKED_AT_MAX = 200_000;

type Value = string | number;

export function openRequestPages(
  { database, read }: Pick<Store, "database" | "read">,
  { turn = () => Promise.resolve() }: Pick<Outside, "turn">,
): RequestPages {
  const byId = database.query<RecordedRequest, [string]>(
    `SELECT ${REQUEST_COLUMNS} FROM ledger WHERE request_id = ?1`,
  );

  /** The time of the row ROWS_IN_A_TURN before `until`; undefined if there are not that many rows. */
  function bound(until: number, workspace: string | undefined): number | undefined {
    const [condition, values] = workspace === undefined ? ["", []] : ["workspace = ? AND", [workspace]];
    const query = database.query<{ readonly started_at: bigint }, Value[]>(
      `SELECT started_at FROM ledger WHERE ${condition} started_at < ? ORDER BY started_at DESC LIMIT 1 OFFSET ${ROWS_IN_A_TURN}`,
    );
    const row = read(() => query.get(...values, until));
    return row ? Number(row.started_at) : undefined;
  }

  return {
    async page(asked) {
      const { since = 0, until = Number.MAX_SAFE_INTEGER, most, workspace } = asked;
      const [conditions, values] = conditionsOf(asked);
      const query = database.query<RecordedRequest, Value[]>(
        `SELECT ${REQUEST_COLUMNS} FROM ledger
         WHERE started_at >= ? AND started_at < ? AND (started_at, request_id) < (?, ?)${conditions.map((one) => ` AND ${one}`).join("")}
         ORDER BY started_at DESC, request_id DESC LIMIT ?`,
      );
      const start = asked.cursor === undefined ? { at: until, id: "" } : cursorIn(asked.cursor);
      const rows: RecordedRequest[] = [];
      // A cursor may point into the middle of a millisecond, so that millisecond's rows are read again.
      let upTo = Math.min(until, asked.cursor === undefined ? until : start.at + 1);
      for (let lookedAt = 0; ; lookedAt += ROWS_IN_A_TURN) {
        if (lookedAt >= ROWS_LOOKED_AT_MAX) return { rows, next: `${upTo}.`, lookedBackTo: upTo };
        const found = bound(upTo, workspace);
        const from = found === undefined || found < since ? since : found;
        rows.push(
          ...read(() => query.all(from, upTo, start.at, start.id, ...values, most + 1 - rows.length)),
        );
        if (rows.length > most) {
          const shown = rows.slice(0, most);
          const last = shown.at(-1);
          const at = Number(last?.started_at ?? 0n);
          return { rows: shown, next: `${at}.${last?.request_id ?? ""}`, lookedBackTo: at };
        }
        if (from === since) return { rows, next: undefined, lookedBackTo: undefined };
        upTo = from;
        await turn();
      }
    },
    async story(id) {
      const row = read(() => byId.get(id));
      return row ? storyOf(row) : undefined;
    },
  };
}

export function storyOf(row: RecordedRequest): Story {
  const calls = readCalls(row.calls);
  const shares =
    row.by_provider === null
      ? row.provider === null || row.tokens_upstream === 0n
        ? []
        : [
            {
              provider: row.provider,
              tokens: Number(row.tokens_upstream),
              picoUsd: row.upstream_pico_usd,
            },
          ]
      : sharesIn(row.by_provider);
  return { row, calls, callsMade: Number(row.calls_made ?? calls.length), shares };
}

function conditionsOf(asked: PageAsked): readonly [conditions: readonly string[], values: readonly Value[]] {
  const conditions: string[] = [];
  const values: Value[] = [];
  const only = (condition: string, ...wanted: readonly (Value | undefined)[]) => {
    const given = wanted.filter((value) => value !== undefined);
    if (given.length === 0) return;
    conditions.push(condition);
    values.push(...given);
  };
  const { statuses } = asked;
  only("workspace = ?", asked.workspace);
  only("workspace <> ?", asked.not_workspace);
  only("key_id = ?", asked.key_id);
  only("model = ?", asked.model);
  // Several providers that answered are stored as one text with commas.
  only("instr(', ' || provider || ', ', ', ' || ? || ', ') > 0", asked.provider);
  only(`status ${statuses?.isNot ? "NOT " : ""}BETWEEN ? AND ?`, statuses?.from, statuses?.to);
  only("coalesce(error, '') = ?", asked.code);
  only("coalesce(kind, '') = ?", asked.kind);
  for (const [condition, pair] of pairsIn(asked.metadata)) only(condition, ...pair);
  return [conditions, values];
}

/** Where a page starts: at rows before this one, or, without an id, before this time. */
export function cursorIn(text: string): { readonly at: number; readonly id: string } {
  const [, at, id] = /^(\d{1,15})\.([\x21-\x7e]{0,300})$/.exec(text) ?? [];
  if (at === undefined || id === undefined)
    throw new GatewayError("invalid", "'cursor' must be the 'next' of a page.", { field: "cursor" });
  return { at: Number(at), id };
}

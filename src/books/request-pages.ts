/**
 * Single requests page by page, the latest first, and one with its whole story. A page is looked for in bites of the ledger, each in a turn of
 * the event loop of its own; where few rows fit, it ends after some of them and says where the next one begins.
 * A further filter is a line of `conditionsOf`.
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
  readonly key_id?: string | undefined;
  readonly model?: string | undefined;
  readonly provider?: string | undefined;
  readonly code?: string | undefined;
  readonly kind?: string | undefined;
  readonly metadata: ReadonlyMap<string, string>;
  /** The one before's `next`. */
  readonly cursor?: string | undefined;
  readonly most: number;
}

export interface Page {
  readonly rows: readonly RecordedRequest[];
  /** Undefined: there is no more. */
  readonly next: string | undefined;
  /** Down to which time all that fits was found; undefined: to the first. */
  readonly lookedBackTo: number | undefined;
}

export interface Story {
  readonly row: RecordedRequest;
  readonly calls: readonly CallOfRequest[];
  readonly callsMade: number;
  readonly shares: readonly Share[];
}

export interface RequestPages {
  /** @throws GatewayError invalid for a cursor that is none */
  page(asked: PageAsked): Promise<Page>;
  story(id: string): Promise<Story | undefined>;
}

const ROWS_IN_A_TURN = 5_000;
/** Of one answer: a fraction of a second. */
const ROWS_LOOKED_AT_MAX = 200_000;

type Value = string | number;

export function openRequestPages(
  { database, read }: Pick<Store, "database" | "read">,
  { turn = () => Promise.resolve() }: Pick<Outside, "turn">,
): RequestPages {
  const byId = database.query<RecordedRequest, [string]>(
    `SELECT ${REQUEST_COLUMNS} FROM ledger WHERE request_id = ?1`,
  );

  /** The time of the row that comes so many before `until`; undefined where there are not that many. */
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
      // A cursor stands within a millisecond, whose other rows are looked at again.
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
  only("key_id = ?", asked.key_id);
  only("model = ?", asked.model);
  // Several that answered stand there with commas.
  only("instr(', ' || provider || ', ', ', ' || ? || ', ') > 0", asked.provider);
  only(`status ${statuses?.isNot ? "NOT " : ""}BETWEEN ? AND ?`, statuses?.from, statuses?.to);
  only("coalesce(error, '') = ?", asked.code);
  only("coalesce(kind, '') = ?", asked.kind);
  for (const [condition, pair] of pairsIn(asked.metadata)) only(condition, ...pair);
  return [conditions, values];
}

/** Where a page begins: rows before this one, or, without an id, before this time. */
export function cursorIn(text: string): { readonly at: number; readonly id: string } {
  const [, at, id] = /^(\d{1,15})\.([\x21-\x7e]{0,300})$/.exec(text) ?? [];
  if (at === undefined || id === undefined)
    throw new GatewayError("invalid", "'cursor' is not one that a page had in 'next'.", { field: "cursor" });
  return { at: Number(at), id };
}

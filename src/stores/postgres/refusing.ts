/**
 * Refusals in PostgreSQL: those of one minute, key and outcome share a row, as in src/books/refusals.ts. One statement increases its count and
 * notes the request's id. The note stays until the acknowledgement arrives, so that a retry does not count the refusal twice.
 */
import type { LedgerRow } from "../../books/ledger-row";
import { REFUSED_COLUMNS } from "../../books/refusals";
import { textsOf } from "./arrays";
import { storable } from "./base";
import { timeOf } from "./clock";
import type { Connection } from "./connection";

/** Types of the columns that are not text: the server cannot infer them. */
const TYPES: Readonly<Record<string, string>> = { status: "integer", inputs: "bigint", latency_ms: "bigint" };
const VALUES = REFUSED_COLUMNS.map((column, i) => `$${i + 4}::${TYPES[column] ?? "text"}`).join(", ");

/** $13: request ids whose notes are no longer needed. */
const REFUSE = `
  WITH forgotten AS (DELETE FROM @refusals_counted WHERE request_id = ANY($13::text::text[])),
  counted AS (
    INSERT INTO @refusals_counted (request_id, process) VALUES ($4, $2) ON CONFLICT (request_id) DO NOTHING RETURNING 1)
  INSERT INTO @ledger AS l (started_at, process, ${REFUSED_COLUMNS.join(", ")}, refusals)
  SELECT coalesce($3::bigint, ${timeOf("$1")}), $2, ${VALUES}, 1 FROM counted
  ON CONFLICT (workspace, (started_at / 60000), coalesce(key_id, ''), model, status, coalesce(error, '')) WHERE refusals IS NOT NULL
  DO UPDATE SET request_id = excluded.request_id, started_at = excluded.started_at, kind = excluded.kind, latency_ms = excluded.latency_ms,
    process = excluded.process, inputs = l.inputs + excluded.inputs, refusals = l.refusals + 1`;

/** Deletes the notes of processes that have ended. They are kept for an hour, as such a process may only have been unreachable. */
export const FORGET_OF_DEAD = `
  DELETE FROM @refusals_counted c WHERE at < now() - interval '1 hour' AND NOT EXISTS (SELECT 1 FROM @instances i WHERE i.id = c.process)`;

/** How many notes one statement deletes; the rest wait for the next one. */
const FORGOTTEN_MAX = 256;

export interface Refusing {
  /** Counts a refusal. @param model the routing file's id or pattern, or empty */
  refuse(connection: Connection, row: LedgerRow, model: string, at: number | null): Promise<void>;
  /** Called when its statement is known to be committed. */
  acknowledged(row: LedgerRow): void;
}

/** @param process the instance's id */
export function createRefusing(process: string): Refusing {
  const notNeeded = new Set<string>();
  /** Notes that a statement deletes, by the id of the row that it counts. */
  const deletedWith = new Map<string, readonly string[]>();
  return {
    async refuse({ query }, row, model, at) {
      const refused = { ...row, model: storable(model), kind: row.kind ?? null };
      const forgotten = [...notNeeded].slice(0, FORGOTTEN_MAX);
      await query(REFUSE, [
        at,
        process,
        at === null ? null : row.started_at,
        ...REFUSED_COLUMNS.map((column) => refused[column]),
        textsOf(forgotten),
      ]);
      deletedWith.set(row.request_id, forgotten);
    },
    acknowledged({ request_id }) {
      for (const id of deletedWith.get(request_id) ?? []) notNeeded.delete(id);
      deletedWith.delete(request_id);
      notNeeded.add(request_id);
    },
  };
}

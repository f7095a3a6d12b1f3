/**
 * Refusals in PostgreSQL: all of a minute, a key and an outcome are one row, as in src/books/refusals.ts. Its count goes up in one statement with a
 * note of the request's id, which stays until the acknowledgement is here: a count whose acknowledgement was lost does not go up again.
 */
import type { LedgerRow } from "../../books/ledger-row";
import { REFUSED_COLUMNS } from "../../books/refusals";
import { storable } from "./base";
import { timeOf } from "./clock";
import type { Connection } from "./connection";

/** Where the server cannot tell the type of a parameter. */
const TYPES: Readonly<Record<string, string>> = { status: "integer", inputs: "bigint", latency_ms: "bigint" };
const VALUES = REFUSED_COLUMNS.map((column, i) => `$${i + 4}::${TYPES[column] ?? "text"}`).join(", ");

/** $13: notes that are needed no more. */
const REFUSE = `
  WITH forgotten AS (DELETE FROM @refusals_counted WHERE request_id = ANY($13::text::text[])),
  counted AS (
    INSERT INTO @refusals_counted (request_id, process) VALUES ($4, $2) ON CONFLICT (request_id) DO NOTHING RETURNING 1)
  INSERT INTO @ledger AS l (started_at, process, ${REFUSED_COLUMNS.join(", ")}, refusals)
  SELECT coalesce($3::bigint, ${timeOf("$1")}), $2, ${VALUES}, 1 FROM counted
  ON CONFLICT (workspace, (started_at / 60000), coalesce(key_id, ''), model, status, coalesce(error, '')) WHERE refusals IS NOT NULL
  DO UPDATE SET request_id = excluded.request_id, started_at = excluded.started_at, kind = excluded.kind, latency_ms = excluded.latency_ms,
    process = excluded.process, inputs = l.inputs + excluded.inputs, refusals = l.refusals + 1`;

/** Of processes that have ended: it may be another's that only could not be reached, so its notes are kept for a while. */
export const FORGET_OF_DEAD = `
  DELETE FROM @refusals_counted c WHERE at < now() - interval '1 hour' AND NOT EXISTS (SELECT 1 FROM @instances i WHERE i.id = c.process)`;

/** Notes of one statement, more than that wait for the next one. */
const FORGOTTEN_MAX = 256;

export interface Refusing {
  /** @param model the routing file's id or pattern, or empty */
  refuse(connection: Connection, row: LedgerRow, model: string, at: number | null): Promise<void>;
  /** Its statement, and the transaction around it, are known to be committed. */
  acknowledged(row: LedgerRow): void;
}

/** @param process the instance's id */
export function createRefusing(process: string): Refusing {
  const notNeeded = new Set<string>();
  /** By the row that they were deleted with. */
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
        `{${forgotten.join(",")}}`,
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

/**
 * What a workspace's requests were charged, one day at a time, from the sums by hour: a history of a million requests is read in milliseconds.
 * An hour with a credit grant in it, and days with trimmed requests, are summed from the ledger's rows.
 */
import type { Store } from "../db/open";
import { ALL_ROWS } from "./all-rows";
import { UNIT_MS } from "./times";

export interface Charges {
  readonly at: bigint;
  readonly requests: bigint;
  readonly cost: bigint;
  /** From the balance. */
  readonly taken: bigint;
}

/** @param from in milliseconds @param to exclusive, of the same day @returns undefined if nothing was charged */
export type ChargesOf = (workspace: string, from: number, to: number) => Charges | undefined;

type Sums = { readonly [Name in keyof Charges]: bigint | null };

const HOURS = UNIT_MS.day / UNIT_MS.hour;

export function openCharges({ database, read }: Pick<Store, "database" | "read">): ChargesOf {
  const rows = database.query<Sums, [string, number, number]>(
    `SELECT min(started_at) AS at, sum(row_count) AS requests, sum(micro_credits) AS cost, sum(micro_credits_taken) AS taken
     FROM ${ALL_ROWS} WHERE workspace = ?1 AND started_at >= ?2 AND started_at < ?3 AND charged`,
  );
  const each = Array.from({ length: HOURS }, (_, i) => `?2 + ${i * UNIT_MS.hour}`).join(", ");
  // Each hour is looked up by itself: the index has the time before the workspace.
  const hours = database.query<Sums, [string, number, number]>(
    `SELECT min(started_at) AS at, sum(charged) AS requests, sum(iif(charged > 0, micro_credits, 0)) AS cost, sum(micro_credits_taken) AS taken
     FROM rollups WHERE unit_ms = ${UNIT_MS.hour} AND started_at IN (${each}) AND started_at < ?3 AND workspace = ?1`,
  );
  const firstCharged = database.query<{ readonly at: bigint }, [string, number, number]>(
    `SELECT started_at AS at FROM ledger WHERE workspace = ?1 AND started_at >= ?2 AND started_at < ?3
       AND (micro_credits > 0 OR femto_credits_rounded <> 0) ORDER BY started_at LIMIT 1`,
  );
  const isTrimmed = database.query<unknown, [string, number]>(
    `SELECT 1 WHERE EXISTS (SELECT 1 FROM ledger_days WHERE workspace = ?1 AND first_at >= ?2 AND first_at < ?2 + ${UNIT_MS.day})
       OR EXISTS (SELECT 1 FROM rollups WHERE unit_ms = ${UNIT_MS.day} AND started_at = ?2)`,
  );

  function ofHours(workspace: string, from: number, to: number): Sums | null {
    const sums = hours.get(workspace, from, to);
    if (sums === null || (sums.requests ?? 0n) === 0n) return null;
    return { ...sums, at: firstCharged.get(workspace, from, to)?.at ?? sums.at };
  }

  return (workspace, from, to) =>
    read(() => {
      const firstHour = Math.ceil(from / UNIT_MS.hour) * UNIT_MS.hour;
      const lastHour = to - (to % UNIT_MS.hour);
      const day = from - (from % UNIT_MS.day);
      if (firstHour >= lastHour || isTrimmed.get(workspace, day) !== null)
        return together([rows.get(workspace, from, to)]);
      return together([
        from < firstHour ? rows.get(workspace, from, firstHour) : null,
        ofHours(workspace, firstHour, lastHour),
        lastHour < to ? rows.get(workspace, lastHour, to) : null,
      ]);
    });
}

function together(parts: readonly (Sums | null)[]): Charges | undefined {
  let all: Charges | undefined;
  for (const part of parts) {
    if (!part || part.at === null) continue;
    const { requests, cost, taken } = part;
    all = {
      at: all?.at ?? part.at,
      requests: (all?.requests ?? 0n) + (requests ?? 0n),
      cost: (all?.cost ?? 0n) + (cost ?? 0n),
      taken: (all?.taken ?? 0n) + (taken ?? 0n),
    };
  }
  return all;
}

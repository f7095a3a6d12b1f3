/**
 * Notes that the sums of a finished hour or day have changed, so that they are grouped again (regrouping.ts). Whoever changes rollups calls it in the
 * same transaction. Requests of now pay one look at how far is grouped; a trigger would cost each of them as much as several of its writes.
 */
import type { Database } from "bun:sqlite";
import { UNIT_MS } from "./times";

/** `grouped.state`, which only hours and days that were looked at have. */
export const STATE = { changed: 0, underWay: 1, grouped: 2, cannot: 3 } as const;

export interface Ungrouping {
  /** Hours and days that begin at this time or later are not grouped. */
  groupedTo(): number;
  /** @param hour its start: the hour itself, and the day that it belongs to */
  hour(hour: number): void;
  /** Of hours that have become a part of their days' sums. @param last the start of the last one */
  hoursUpTo(last: number): void;
  all(): void;
}

export function openUngrouping(database: Database): Ungrouping {
  const upTo = database.query<{ readonly at: bigint }, []>("SELECT grouped_to AS at FROM grouping");
  const one = database.query<unknown, [number]>(
    `UPDATE grouped SET state = ${STATE.changed} WHERE (unit_ms = ${UNIT_MS.hour} AND started_at = ?1)
       OR (unit_ms = ${UNIT_MS.day} AND started_at = ?1 - ?1 % ${UNIT_MS.day})`,
  );
  const hours = database.query<unknown, [number]>(
    `UPDATE grouped SET state = ${STATE.changed} WHERE unit_ms = ${UNIT_MS.hour} AND started_at <= ?1 AND state <> ${STATE.changed}`,
  );
  const all = database.query(`UPDATE grouped SET state = ${STATE.changed}`);
  return {
    groupedTo: () => Number(upTo.get()?.at ?? 0n),
    hour: (hour) => void one.run(hour),
    hoursUpTo: (last) => void hours.run(last),
    all: () => void all.run(),
  };
}

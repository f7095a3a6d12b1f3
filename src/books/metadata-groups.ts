/**
 * Reads the sums of finished days by the values of a metadata key, of all workspaces together (metadata-regrouping.ts): the values with the most
 * requests one by one, all others together, and the requests without the key.
 */
import type { Store } from "../db/open";
import type { Rank } from "./grouped-sums";
import { SUMS } from "./rollups";
import type { GroupLine, Tally } from "./series-tally";
import { UNIT_MS } from "./times";
import { STATE } from "./ungrouping";

export interface MetadataGroups {
  /** The starts of the days that are grouped. */
  daysOf(since: number, until: number): readonly number[];
  /** Values that a day names for the ranking; the requests without the key have no names. */
  ranks(key: string, days: readonly number[]): readonly Rank[];
  /** @param leading values that are added one by one @returns the days that were not added: their sums have changed */
  addTo(tally: Tally, key: string, days: readonly number[], leading: ReadonlySet<string>): readonly number[];
}

/** The sums of a day, and its errors as `[status, code, requests]`. */
export class DaySum {
  readonly sums: bigint[] = SUMS.map(() => 0n);
  failed = 0n;
  readonly #errors = new Map<string, { status: number; code: string; requests: number }>();

  add(status: number, code: string, sums: readonly bigint[], sign: 1n | -1n = 1n): void {
    for (const [i, amount] of sums.entries())
      if (amount !== 0n) this.sums[i] = (this.sums[i] ?? 0n) + sign * amount;
    if (status === 200) return;
    const requests = sums[0] ?? 0n;
    this.failed += sign * requests;
    this.addError(status, code, Number(sign * requests));
  }

  addError(status: number, code: string, requests: number): void {
    const key = `${status}\n${code}`;
    const before = this.#errors.get(key)?.requests ?? 0;
    this.#errors.set(key, { status, code, requests: before + requests });
  }

  tell(tally: Tally, at: number, names: readonly string[], isRest: boolean): void {
    const errors = [...this.#errors.values()].filter(({ requests }) => requests !== 0);
    if (errors.length === 0 && this.sums.every((amount) => amount === 0n)) return;
    const line: GroupLine = { at, names, sums: this.sums, failed: this.failed, latencies: [] };
    tally.addGroup(line, isRest);
    for (const one of errors) tally.addErrors(names, { kind: "", ...one }, isRest);
  }
}

type Row = readonly unknown[];
const sumsFrom = (row: Row, from: number): bigint[] =>
  SUMS.map((_, i) => {
    const amount = row[from + i];
    return typeof amount === "bigint" ? amount : 0n;
  });

const EACH_DAY = "started_at IN (SELECT value FROM json_each(?1))";
const STATED = `unit_ms = ${UNIT_MS.day} AND part IN ('names', 'metadata') AND state = ${STATE.grouped}`;

export function openMetadataGroups({ database, read }: Pick<Store, "database" | "read">): MetadataGroups {
  const both = "GROUP BY started_at HAVING count(*) = 2";
  const starts = database.query<{ readonly at: bigint }, [number, number]>(
    `SELECT started_at AS at FROM grouped WHERE ${STATED} AND started_at >= ?1 AND started_at < ?2 ${both}`,
  );
  const still = database.query<{ readonly at: bigint }, [string]>(
    `SELECT started_at AS at FROM grouped WHERE ${STATED} AND ${EACH_DAY} ${both}`,
  );
  const leaders = database.query<
    { readonly value: string; readonly requests: bigint; readonly upstream: bigint },
    [string, string]
  >(
    `SELECT value, sum(requests) AS requests, sum(tokens_upstream) AS upstream FROM metadata_leading
     WHERE ${EACH_DAY} AND metadata_key = ?2 GROUP BY value`,
  );
  const totals = database.query<unknown, [string]>(
    `SELECT started_at, failed, ${SUMS.join(", ")} FROM group_sums WHERE grouping = 'all' AND unit_ms = ${UNIT_MS.day} AND ${EACH_DAY}`,
  );
  const errors = database.query<unknown, [string]>(
    `SELECT started_at, status, code, sum(requests) FROM group_errors
     WHERE grouping = 'all' AND unit_ms = ${UNIT_MS.day} AND ${EACH_DAY} GROUP BY started_at, status, code`,
  );
  const ofKey = database.query<unknown, [string, string]>(
    `SELECT started_at, status, code, ${SUMS.join(", ")} FROM metadata_key_sums WHERE ${EACH_DAY} AND metadata_key = ?2`,
  );
  const ofValues = database.query<unknown, [string, string, string]>(
    `SELECT started_at, status, code, ${SUMS.join(", ")}, value FROM metadata_value_sums
     WHERE ${EACH_DAY} AND metadata_key = ?2 AND value IN (SELECT value FROM json_each(?3))`,
  );
  const VALUE_AT = 3 + SUMS.length;

  const sumOf = (days: Map<number, DaySum>, at: unknown): DaySum => {
    const day = Number(at);
    const known = days.get(day) ?? new DaySum();
    days.set(day, known);
    return known;
  };

  const add = database.transaction(
    (tally: Tally, key: string, asked: readonly number[], leading: ReadonlySet<string>) => {
      const now = still.all(JSON.stringify(asked)).map(({ at }) => Number(at));
      const days = JSON.stringify(now);
      const without = new Map<number, DaySum>();
      const others = new Map<number, DaySum>();
      for (const row of totals.values(days)) {
        const sum = sumOf(without, row[0]);
        sum.add(200, "", sumsFrom(row, 2));
        sum.failed += BigInt(String(row[1]));
      }
      for (const [at, status, code, requests] of errors.values(days))
        sumOf(without, at).addError(Number(status), String(code), Number(requests));
      for (const row of ofKey.values(days, key)) {
        const [at, status, code] = row;
        sumOf(without, at).add(Number(status), String(code), sumsFrom(row, 3), -1n);
        sumOf(others, at).add(Number(status), String(code), sumsFrom(row, 3));
      }
      for (const row of ofValues.values(days, key, JSON.stringify([...leading]))) {
        const [at, status, code] = row;
        const sums = sumsFrom(row, 3);
        sumOf(others, at).add(Number(status), String(code), sums, -1n);
        const one = new DaySum();
        one.add(Number(status), String(code), sums);
        one.tell(tally, Number(at), [String(row[VALUE_AT])], false);
      }
      for (const [at, sum] of without) sum.tell(tally, at, [""], !leading.has(""));
      for (const [at, sum] of others) sum.tell(tally, at, [], true);
      return asked.filter((at) => !now.includes(at));
    },
  );

  return {
    daysOf: (since, until) => read(() => starts.all(since, until)).map(({ at }) => Number(at)),
    ranks: (key, days) =>
      read(() => {
        const each = JSON.stringify(days);
        const without = new DaySum();
        for (const row of totals.values(each)) without.add(200, "", sumsFrom(row, 2));
        for (const row of ofKey.values(each, key)) without.add(200, "", sumsFrom(row, 3), -1n);
        const upstream = without.sums[SUMS.indexOf("tokens_upstream")] ?? 0n;
        return [
          { names: [""], requests: without.sums[0] ?? 0n, upstream },
          ...leaders.all(each, key).map(({ value, ...rank }) => ({ names: [value], ...rank })),
        ];
      }),
    addTo: (tally, key, days, leading) => read(() => add.deferred(tally, key, days, leading)),
  };
}

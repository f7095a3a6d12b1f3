/**
 * Deletes what is older than `keep` says: single requests become daily sums, hourly sums become daily sums, sums by minute are deleted. Each
 * step is a small transaction, so that no request waits long for it. Sums over everything (all-rows.ts) stay the same.
 */
import type { Store } from "../db/open";
import type { Outside } from "../domain/outside";
import { DAY_OF_ROW, KEPT_CHARGED, KEPT_PRICE } from "./all-rows";
import { LATENCY_COLUMNS } from "./latency-bounds";
import { CHARGE_SUMS, DIMENSIONS, SUMS } from "./rollups";
import { UNIT_MS } from "./times";
import { openUngrouping } from "./ungrouping";

/** For how many days each kind of row is kept. */
export interface Keep {
  /** undefined: for ever. */
  readonly requestsDays: number | undefined;
  readonly minutesDays: number;
  readonly hoursDays: number;
}

export interface Trimming {
  /** Does one step. @returns whether there was anything to do: there may be more @throws GatewayError database_unavailable */
  bite(): Promise<boolean>;
}

/** Rows per step: takes some milliseconds. */
const BITE_ROWS = 500;
/** Pages given back to the file system after a step that deleted something. */
const BITE_PAGES = 200;

const IS_OVER = "(status <> 0 OR error IS NOT NULL)";
const KEY = "day, workspace, key_id, model, provider, status, error, metadata, grants, price, charged";
/** The sums that are kept of trimmed rows. A new one needs a column in each database. */
export const DAY_SUMS = [
  "row_count",
  "requests",
  "inputs",
  "cache_hits",
  "tokens",
  "tokens_upstream",
  "tokens_billed",
  "estimated",
  "cost_pico_usd",
  "upstream_pico_usd",
  "micro_credits",
  "micro_credits_taken",
  "femto_credits_rounded",
] as const;

/** Splits a row that several providers counted for into one per provider; the first gets everything except the others' shares. */
const ROWS_APART = `SELECT ledger.*, coalesce(share.key, 0) = 0 AS is_first,
    iif(by_provider IS NULL, provider, share.value ->> 0) AS of_provider,
    iif(by_provider IS NULL, tokens_upstream, share.value ->> 1) AS of_tokens,
    iif(by_provider IS NULL, upstream_pico_usd, share.value ->> 2) AS of_pico_usd,
    (SELECT count(*) FROM credit_grants AS given WHERE given.workspace = ledger.workspace AND given.granted_at <= ledger.started_at) AS grants
  FROM ledger LEFT JOIN json_each(by_provider) AS share WHERE started_at <= ?1 AND ${IS_OVER}`;

/** In the order of DAY_SUMS. */
const OF_FIRST = [
  "1",
  "coalesce(refusals, 1)",
  "inputs",
  "cache_hits",
  "tokens",
  undefined,
  "tokens_billed",
  "iif(tokens_source = 'estimated', 1, 0)",
  "cost_pico_usd",
  undefined,
  "micro_credits",
  "micro_credits_taken",
  "femto_credits_rounded",
];
const AMOUNTS = DAY_SUMS.map((name, i) => {
  if (name === "tokens_upstream") return "sum(of_tokens)";
  if (name === "upstream_pico_usd") return "sum(of_pico_usd)";
  return `sum(iif(is_first, ${OF_FIRST[i]}, 0))`;
});

type At = { readonly at: bigint };

export function openTrimming(
  { database, read, write }: Store,
  { now }: Pick<Outside, "now">,
  keep: () => Keep,
): Trimming {
  const lastOfBite = database.query<At, [number]>(
    `SELECT max(started_at) AS at FROM
       (SELECT started_at FROM ledger WHERE started_at < ?1 AND ${IS_OVER} ORDER BY started_at LIMIT ${BITE_ROWS})`,
  );
  const keepDays = database.query<unknown, [number]>(
    `INSERT INTO ledger_days (${KEY}, first_at, ${DAY_SUMS.join(", ")})
     SELECT ${DAY_OF_ROW} AS day, workspace, coalesce(key_id, '') AS of_key, model, coalesce(of_provider, '') AS provider_name, status,
       coalesce(error, '') AS code, coalesce(metadata, '') AS said, grants, ${KEPT_PRICE} AS price, ${KEPT_CHARGED} AS charged,
       min(started_at), ${AMOUNTS.join(", ")}
     FROM (${ROWS_APART}) WHERE true GROUP BY 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11
     ON CONFLICT (${KEY}) DO UPDATE SET first_at = min(first_at, excluded.first_at),
       ${DAY_SUMS.map((name) => `${name} = ledger_days.${name} + excluded.${name}`).join(", ")}`,
  );
  const dropRows = database.query<unknown, [number]>(
    `DELETE FROM ledger WHERE started_at <= ?1 AND ${IS_OVER}`,
  );
  const lastOfUnit = database.query<At, [number, number]>(
    `SELECT max(started_at) AS at FROM
       (SELECT started_at FROM rollups WHERE unit_ms = ?1 AND started_at < ?2 ORDER BY started_at LIMIT ${BITE_ROWS})`,
  );
  const dropUnit = database.query<unknown, [number, number]>(
    "DELETE FROM rollups WHERE unit_ms = ?1 AND started_at <= ?2",
  );
  const rollup = [...SUMS, ...CHARGE_SUMS, ...LATENCY_COLUMNS];
  const makeDays = database.query<unknown, [number]>(
    `INSERT INTO rollups (unit_ms, started_at, ${[...DIMENSIONS, ...rollup].join(", ")})
     SELECT ${UNIT_MS.day}, started_at - started_at % ${UNIT_MS.day} AS day, ${DIMENSIONS.join(", ")}, ${rollup.map((name) => `sum(${name})`).join(", ")}
     FROM rollups WHERE unit_ms = ${UNIT_MS.hour} AND started_at <= ?1 GROUP BY day, ${DIMENSIONS.join(", ")}
     ON CONFLICT (unit_ms, started_at, ${DIMENSIONS.join(", ")}) DO UPDATE SET
       ${rollup.map((name) => `${name} = rollups.${name} + excluded.${name}`).join(", ")}`,
  );
  const ungrouping = openUngrouping(database);
  const shrink = database.query(`PRAGMA incremental_vacuum(${BITE_PAGES})`);
  const free = database.query<{ readonly freelist_count: bigint }, []>("PRAGMA freelist_count");
  const vacuums = database.query<{ readonly auto_vacuum: bigint }, []>("PRAGMA auto_vacuum");

  /** The start of the first day that is kept whole. */
  const keptFrom = (days: number) => {
    const at = now() - days * UNIT_MS.day;
    return at - (at % UNIT_MS.day);
  };

  function requests(days: number): boolean {
    const last = lastOfBite.get(keptFrom(days))?.at ?? null;
    if (last === null) return false;
    keepDays.run(Number(last));
    dropRows.run(Number(last));
    return true;
  }

  function rollups(unitMs: number, days: number, before: (last: number) => void = () => {}): boolean {
    const last = lastOfUnit.get(unitMs, keptFrom(days))?.at ?? null;
    if (last === null) return false;
    before(Number(last));
    dropUnit.run(unitMs, Number(last));
    return true;
  }

  function toDays(last: number): void {
    makeDays.run(last);
    ungrouping.hoursUpTo(last);
  }

  return {
    async bite() {
      const { requestsDays, minutesDays, hoursDays } = keep();
      const isThere = read(
        () =>
          (requestsDays !== undefined && (lastOfBite.get(keptFrom(requestsDays))?.at ?? null) !== null) ||
          (lastOfUnit.get(UNIT_MS.minute, keptFrom(minutesDays))?.at ?? null) !== null ||
          (lastOfUnit.get(UNIT_MS.hour, keptFrom(hoursDays))?.at ?? null) !== null,
      );
      // If there is nothing to trim, do not make other writes wait.
      if (isThere)
        return write(
          () =>
            (requestsDays !== undefined && requests(requestsDays)) ||
            rollups(UNIT_MS.minute, minutesDays) ||
            rollups(UNIT_MS.hour, hoursDays, toDays),
        );
      // 2: incremental. A database that was created without it keeps its size and reuses free pages.
      const mayShrink = read(
        () => vacuums.get()?.auto_vacuum === 2n && (free.get()?.freelist_count ?? 0n) > BITE_PAGES,
      );
      if (!mayShrink) return false;
      await write(() => shrink.all());
      return true;
    },
  };
}

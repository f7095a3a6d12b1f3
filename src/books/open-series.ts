/**
 * Reads the sums by minute, hour and day (rollups.ts): over time, by group, or as usage. Sums by a metadata key are stored by day only; all others
 * are computed from the ledger's rows. Everything is read in slices of time, so that nothing blocks the event loop for long.
 */
import type { Store } from "../db/open";
import { GatewayError } from "../domain/errors";
import type { Outside } from "../domain/outside";
import { openGroupedSums } from "./grouped-sums";
import { boundedBy, leading, rankOf, readingOf } from "./groupings";
import { LATENCY_COLUMNS } from "./latency-bounds";
import { openMetadataDays } from "./metadata-days";
import { metadataPathOf, openMetadataSums } from "./metadata-sums";
import { SUMS } from "./rollups";
import type { Series, SeriesAsked, SeriesGroup } from "./series";
import { createTally, type SeriesLine, type Tally } from "./series-tally";
import { gaps, type Range, type RollupUnit, UNIT_MS } from "./times";
import { sumUsage, type UsageGroup, type UsageLine } from "./usage";

/** Points per answer. */
const POINTS_MAX = 1_500;
/** About this many rows are read in one turn of the event loop. */
const ROWS_IN_A_TURN = 10_000;
/** Buckets per query, by unit: 60 minutes, 24 hours or 24 days. */
const BUCKETS_IN_A_TURN = { minute: 60, hour: 24, day: 24 } as const;

const COLUMN_OF: Readonly<Record<Exclude<SeriesGroup, "metadata">, string>> = {
  workspace: "workspace",
  key: "key_id",
  model: "model",
  provider: "provider",
  status: "CAST(status AS TEXT)",
  code: "code",
  kind: "kind",
};

const USAGE_COLUMN: Readonly<Record<UsageGroup, string>> = {
  model: "model",
  workspace: "workspace",
  key: "key_id",
  day: "strftime('%Y-%m-%d', started_at / 1000, 'unixepoch')",
  provider: "provider",
  status: "CAST(status AS TEXT)",
  code: "code",
};

type UsageSums = Omit<UsageLine, "group" | "groups"> & { readonly groups: string };

interface RollupRow {
  readonly [column: string]: bigint | string;
}

/** @param ownWorkspace the workspace whose rows are not requests of clients */
export function openSeries(
  store: Pick<Store, "database" | "read">,
  { turn = () => Promise.resolve() }: Pick<Outside, "turn">,
  ownWorkspace: string,
): Series {
  const { database, read } = store;
  const metadataSums = openMetadataSums(store, ownWorkspace);
  const metadataDays = openMetadataDays(store, { turn }, metadataSums);
  const sums = SUMS.map((name) => `sum(${name}) AS ${name}`).join(", ");
  const latencies = LATENCY_COLUMNS.map((name) => `sum(${name}) AS ${name}`).join(", ");

  /** Which units cover a range, and in which slices of it: old hours have become days. */
  function slicesOf(
    unit: RollupUnit,
    since: number,
    until: number,
    except: ReadonlySet<number> = new Set(),
  ): readonly [number, number, number][] {
    const units = unit === "day" ? (["day", "hour"] as const) : ([unit] as const);
    return units.flatMap((one) => {
      const step = one === "day" ? until - since : UNIT_MS[one] * BUCKETS_IN_A_TURN[one];
      const found: [number, number, number][] = [];
      const kept = bounds(UNIT_MS[one]);
      const left =
        one === "hour" && except.size > 0
          ? gaps(since, until, UNIT_MS.hour, [...except])
          : [[since, until] as const];
      for (const [first, last] of left)
        for (let from = Math.max(first, kept.first); from < Math.min(last, kept.last); from += step)
          found.push([UNIT_MS[one], from, Math.min(last, from + step)]);
      return found;
    });
  }

  /** The first and the last bucket of a unit. */
  const firstOf = database.query<{ readonly at: bigint }, [number]>(
    "SELECT started_at AS at FROM rollups WHERE unit_ms = ?1 ORDER BY started_at LIMIT 1",
  );
  const lastOf = database.query<{ readonly at: bigint }, [number]>(
    "SELECT started_at AS at FROM rollups WHERE unit_ms = ?1 ORDER BY started_at DESC LIMIT 1",
  );
  function bounds(unitMs: number): { readonly first: number; readonly last: number } {
    return read(() => ({
      first: Number(firstOf.get(unitMs)?.at ?? 0n),
      last: Number(lastOf.get(unitMs)?.at ?? -1n) + 1,
    }));
  }

  const groupedSums = openGroupedSums(store);

  /** Finished hours and days from their sums by fewer names, if those can answer the query; all other times from the sums of all names. */
  async function overSums(asked: SeriesAsked, since: number, until: number, tally: Tally): Promise<void> {
    const reading = readingOf(asked);
    if (reading === undefined) return overRollups(asked, [[since, until]], tally.add);
    const unitMs = UNIT_MS[asked.unit];
    const coarse = groupedSums.startsOf("names", unitMs, since, until);
    const left = gaps(since, until, unitMs, coarse);
    const fine =
      asked.unit === "hour" ? [] : left.flatMap((gap) => groupedSums.startsOf("names", UNIT_MS.hour, ...gap));
    const times = [
      { unitMs, starts: coarse },
      { unitMs: UNIT_MS.hour, starts: fine },
    ].filter(({ starts }) => starts.length > 0);
    const lines: SeriesLine[] = [];
    await overRollups(asked, left, (line) => lines.push(line), new Set(fine));
    const leaders = leading([...groupedSums.ranks(reading, times), ...lines.map(rankOf)], asked.top);
    const add = boundedBy(tally, leaders);
    for (const line of lines) add(line);
    for (const changed of groupedSums.addTo(tally, reading, times, leaders)) {
      const again = changed.starts.map((at): Range => [at, at + changed.unitMs]);
      if (again.length > 0) await overRollups(asked, again, add);
    }
  }

  /** @param except hours that are left out */
  async function overRollups(
    asked: SeriesAsked,
    ranges: readonly Range[],
    add: (line: SeriesLine) => void,
    except: ReadonlySet<number> = new Set(),
  ): Promise<void> {
    const { unit, by } = asked;
    const groups = by.flatMap((group) => (group === "metadata" ? [] : [COLUMN_OF[group]]));
    const conditions = ["unit_ms = ?", "started_at >= ?", "started_at < ?"];
    const values: string[] = [];
    for (const column of ["workspace", "key_id", "model", "provider"] as const) {
      const wanted = asked[column];
      if (wanted === undefined) continue;
      conditions.push(`${column} = ?`);
      values.push(wanted);
    }
    const names = groups.map((group, i) => `${group} AS group_${i}`);
    const keys = ["at", ...groups.map((_, i) => `group_${i}`), "status", "code", "kind"];
    const query = database.query<RollupRow, (string | number)[]>(
      `SELECT started_at - started_at % ${UNIT_MS[unit]} AS at, ${[...names, "status", "code", "kind"].join(", ")}, ${sums}, ${latencies}
       FROM rollups WHERE ${conditions.join(" AND ")} GROUP BY ${keys.join(", ")}`,
    );
    for (const slice of ranges.flatMap((range) => slicesOf(unit, ...range, except))) {
      for (const row of read(() => query.all(...slice, ...values)))
        add({
          at: Number(row.at),
          names: groups.map((_, i) => String(row[`group_${i}`])),
          status: Number(row.status),
          code: String(row.code),
          kind: String(row.kind),
          sums: SUMS.map((name) => BigInt(row[name] ?? 0n)),
          latencies: LATENCY_COLUMNS.map((name) => Number(row[name])),
        });
      await turn();
    }
  }

  /** The length of a slice that has some ROWS_IN_A_TURN requests if they are spread evenly. */
  async function sliceMsOf(since: number, until: number): Promise<number> {
    const count = database.query<{ readonly requests: bigint }, [number, number, number]>(
      "SELECT coalesce(sum(requests), 0) AS requests FROM rollups WHERE unit_ms = ?1 AND started_at >= ?2 AND started_at < ?3",
    );
    let requests = 0;
    for (const slice of slicesOf("hour", since, until)) {
      requests += Number(read(() => count.get(...slice))?.requests ?? 0n);
      await turn();
    }
    const slices = Math.max(1, Math.ceil(requests / ROWS_IN_A_TURN));
    return Math.max(UNIT_MS.minute, Math.ceil((until - since) / slices));
  }

  async function* rowSlices(since: number, until: number): AsyncGenerator<readonly [number, number]> {
    // Before the first row there is nothing to read.
    const first = read(() =>
      database
        .query<{ readonly at: bigint | null }, []>(
          "SELECT min(at) AS at FROM (SELECT min(started_at) AS at FROM ledger UNION ALL SELECT min(first_at) FROM ledger_days)",
        )
        .get(),
    );
    const from = Math.max(since, Number(first?.at ?? until));
    const step = await sliceMsOf(from, until);
    for (let at = from; at < until; at += step) {
      yield [at, Math.min(until, at + step)];
      await turn();
    }
  }

  const usageSums = SUMS.filter((name) => name !== "tokens_cached" && name !== "saved_pico_usd")
    .map((name) => `sum(${name}) AS ${name}`)
    .join(", ");
  function usageOf(
    slice: readonly [number, number, number],
    by: readonly UsageGroup[],
    workspace: string | undefined,
  ): readonly UsageLine[] {
    const groups = by.map((group) => USAGE_COLUMN[group]).join(", ");
    const query = database.query<UsageSums, (string | number)[]>(
      `SELECT json_array(${groups}) AS groups, ${usageSums}, sum(iif(status <> 200, requests, 0)) AS failed
       FROM rollups WHERE unit_ms = ? AND started_at >= ? AND started_at < ?${workspace === undefined ? "" : " AND workspace = ?"}
       GROUP BY ${groups} ORDER BY ${groups}`,
    );
    const more = workspace === undefined ? [] : [workspace];
    return read(() => query.all(...slice, ...more)).map(({ groups: written, ...line }) => {
      const named: unknown = JSON.parse(written);
      const names = Array.isArray(named) ? named.map(String) : [];
      return { ...line, group: names[0] ?? "", groups: names };
    });
  }

  return {
    async over(asked) {
      const unitMs = UNIT_MS[asked.unit];
      const { since, until } = rounded(asked, unitMs);
      refuseTooMany((until - since) / unitMs);
      const tally = createTally(since, until, unitMs);
      const isByMetadata = asked.by.includes("metadata");
      if (isByMetadata) metadataPathOf(asked);
      if (!isByMetadata) await overSums(asked, since, until, tally);
      else if (metadataDays.has(asked)) await metadataDays.addTo(tally, asked, since, until);
      else
        for await (const [from, to] of rowSlices(since, until))
          for (const line of metadataSums(asked, from, to, unitMs)) tally.add(line);
      return tally.result(asked.top);
    },
    async usage({ by, workspace, metadata, ...range }) {
      const { since, until } = rounded(range, UNIT_MS.hour);
      const lines = new Map<string, UsageLine>();
      const add = (found: readonly UsageLine[]) => {
        for (const line of found) {
          const key = JSON.stringify(line.groups);
          const before = lines.get(key);
          lines.set(key, before ? summed(before, line) : line);
        }
      };
      if (metadata.size > 0)
        for await (const [from, to] of rowSlices(since, until))
          add(sumUsage(store, { since: from, until: to, by, filter: { workspace, metadata }, ownWorkspace }));
      else
        for (const slice of slicesOf("day", since, until)) {
          add(usageOf(slice, by, workspace));
          await turn();
        }
      return { since, until, lines: [...lines.values()].sort(byGroups) };
    },
  };
}

export function rounded(
  { since, until }: { readonly since: number; readonly until: number },
  unitMs: number,
): { readonly since: number; readonly until: number } {
  const from = since - (since % unitMs);
  const to = Math.ceil(until / unitMs) * unitMs;
  if (to > from) return { since: from, until: to };
  throw new GatewayError("invalid", "'until' must be later than 'since'.", { field: "until" });
}

export function refuseTooMany(points: number): void {
  if (points <= POINTS_MAX) return;
  throw new GatewayError(
    "invalid",
    `That would be ${points} points, and one answer has at most ${POINTS_MAX}. Query a shorter time or a larger unit.`,
    { field: "since" },
  );
}

const summed = (one: UsageLine, other: UsageLine): UsageLine => ({
  ...one,
  requests: one.requests + other.requests,
  failed: one.failed + other.failed,
  inputs: one.inputs + other.inputs,
  cache_hits: one.cache_hits + other.cache_hits,
  tokens: one.tokens + other.tokens,
  tokens_upstream: one.tokens_upstream + other.tokens_upstream,
  tokens_billed: one.tokens_billed + other.tokens_billed,
  estimated: one.estimated + other.estimated,
  cost_pico_usd: one.cost_pico_usd + other.cost_pico_usd,
  micro_credits: one.micro_credits + other.micro_credits,
  upstream_pico_usd: one.upstream_pico_usd + other.upstream_pico_usd,
});

function byGroups(one: UsageLine, other: UsageLine): number {
  const place = one.groups.findIndex((name, i) => name !== other.groups[i]);
  return (one.groups[place] ?? "") < (other.groups[place] ?? "") ? -1 : 1;
}

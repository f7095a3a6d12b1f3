/**
 * Adds up sums by group and time: totals, the groups with the most requests, one group for all others, and failures by kind. No SQL here.
 */
import { GatewayError } from "../domain/errors";
import { LATENCY_COLUMNS, quantile } from "./latency-bounds";
import { SUMS } from "./rollups";
import type { ErrorCount, SeriesFound, SeriesSums } from "./series";

/** One group, one time and one outcome. */
export interface SeriesLine {
  readonly at: number;
  readonly names: readonly string[];
  readonly status: number;
  readonly code: string;
  readonly kind: string;
  /** In the order of SUMS. */
  readonly sums: readonly bigint[];
  /** In the order of LATENCY_COLUMNS; empty if unknown. */
  readonly latencies: readonly number[];
}

export interface Tally {
  /** @throws GatewayError invalid where there are too many groups */
  add(line: SeriesLine): void;
  /** @param isRest adds the line to the group of all others, as do further groups once there are too many */
  addBounded(line: SeriesLine, isRest: boolean): void;
  result(top: number): SeriesFound;
}

/** The most groups that are kept apart during summing: metadata values are chosen by callers and may be any number. */
const GROUPS_MAX = 20_000;
const ERRORS_MAX = 20;

class Sum {
  readonly sums: bigint[] = SUMS.map(() => 0n);
  readonly latencies: number[] = LATENCY_COLUMNS.map(() => 0);
  failed = 0n;

  add({ sums, status, latencies }: Pick<SeriesLine, "sums" | "status" | "latencies">): void {
    for (const [i, amount] of sums.entries()) this.sums[i] = (this.sums[i] ?? 0n) + amount;
    if (status !== 200) {
      this.failed += sums[0] ?? 0n;
      return;
    }
    for (const [i, count] of latencies.entries()) this.latencies[i] = (this.latencies[i] ?? 0) + count;
  }

  join(other: Sum): void {
    for (const [i, amount] of other.sums.entries()) this.sums[i] = (this.sums[i] ?? 0n) + amount;
    for (const [i, count] of other.latencies.entries()) this.latencies[i] = (this.latencies[i] ?? 0) + count;
    this.failed += other.failed;
  }

  get told(): SeriesSums {
    const of = (name: (typeof SUMS)[number]) => this.sums[SUMS.indexOf(name)] ?? 0n;
    return {
      requests: of("requests"),
      inputs: of("inputs"),
      cache_hits: of("cache_hits"),
      tokens: of("tokens"),
      tokens_upstream: of("tokens_upstream"),
      tokens_billed: of("tokens_billed"),
      tokens_cached: of("tokens_cached"),
      estimated: of("estimated"),
      cost_pico_usd: of("cost_pico_usd"),
      micro_credits: of("micro_credits"),
      upstream_pico_usd: of("upstream_pico_usd"),
      saved_pico_usd: of("saved_pico_usd"),
      failed: this.failed,
      p50_ms: quantile(this.latencies, 0.5),
      p99_ms: quantile(this.latencies, 0.99),
    };
  }
}

interface Group {
  readonly names: readonly string[];
  readonly total: Sum;
  readonly points: Map<number, Sum>;
  readonly errors: Map<string, ErrorCount>;
}

export function createTally(since: number, until: number, unitMs: number): Tally {
  const times = Array.from({ length: (until - since) / unitMs }, (_, i) => since + i * unitMs);
  const groups = new Map<string, Group>();
  const total = new Sum();
  const made = (names: readonly string[]): Group => ({
    names,
    total: new Sum(),
    points: new Map(),
    errors: new Map(),
  });

  function addTo(group: Group, line: SeriesLine): void {
    const at = line.at - (line.at % unitMs);
    const point = group.points.get(at) ?? new Sum();
    group.points.set(at, point);
    point.add(line);
    group.total.add(line);
    if (line.status === 200) return;
    const { kind, code, status } = line;
    const key = `${kind}\n${code}\n${status}`;
    const requests = Number(line.sums[0] ?? 0n) + (group.errors.get(key)?.requests ?? 0);
    group.errors.set(key, { kind, code, status, requests });
  }

  function join(into: Group, group: Group): void {
    into.total.join(group.total);
    for (const [at, sum] of group.points) {
      const point = into.points.get(at) ?? new Sum();
      into.points.set(at, point);
      point.join(sum);
    }
    for (const [key, one] of group.errors)
      into.errors.set(key, { ...one, requests: one.requests + (into.errors.get(key)?.requests ?? 0) });
  }

  const others = made([]);
  const told = (group: Group, isRest: boolean) => ({
    names: group.names,
    isRest,
    total: group.total.told,
    errors: [...group.errors.values()]
      .filter(({ requests }) => requests > 0)
      .sort((a, b) => b.requests - a.requests || (a.code < b.code ? -1 : 1))
      .slice(0, ERRORS_MAX),
    points: times.map((at) => (group.points.get(at) ?? new Sum()).told),
  });

  /** @returns undefined if there are too many groups to make another */
  function groupOf(names: readonly string[]): Group | undefined {
    const key = JSON.stringify(names);
    const known = groups.get(key);
    if (known || groups.size >= GROUPS_MAX) return known;
    const group = made(names);
    groups.set(key, group);
    return group;
  }

  return {
    add(line) {
      const group = groupOf(line.names);
      if (!group)
        throw new GatewayError(
          "invalid",
          `There are more than ${GROUPS_MAX} groups in that time. Query a shorter time, or another group.`,
          { field: "by" },
        );
      total.add(line);
      addTo(group, line);
    },
    addBounded(line, isRest) {
      total.add(line);
      addTo((isRest ? undefined : groupOf(line.names)) ?? others, line);
    },
    result(top) {
      const ordered = [...groups.values()].sort(
        (a, b) =>
          compared(b.total, a.total) || JSON.stringify(a.names).localeCompare(JSON.stringify(b.names)),
      );
      const rest = ordered.slice(top);
      for (const group of rest) join(others, group);
      return {
        since,
        until,
        times,
        groups: [
          ...ordered.slice(0, top).map((group) => told(group, false)),
          ...(others.points.size > 0 ? [told(others, true)] : []),
        ],
        total: total.told,
      };
    },
  };
}

/** By requests, then by tokens counted upstream, because the gateway's own calls are not requests. */
function compared(one: Sum, other: Sum): number {
  const [requests, upstream] = [SUMS.indexOf("requests"), SUMS.indexOf("tokens_upstream")];
  return (
    Number((one.sums[requests] ?? 0n) - (other.sums[requests] ?? 0n)) ||
    Number((one.sums[upstream] ?? 0n) - (other.sums[upstream] ?? 0n))
  );
}

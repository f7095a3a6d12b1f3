/**
 * Adds up sums by group and time: totals, the groups with the most requests, one group for all others, and failures by kind. No SQL here.
 */
import { GatewayError } from "../domain/errors";
import { LATENCY_COLUMNS, quantile } from "./latency-bounds";
import { SUMS, type SumName } from "./rollups";
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

/** One group and one time, with all its outcomes. */
export interface GroupLine {
  readonly at: number;
  readonly names: readonly string[];
  /** In the order of SUMS. */
  readonly sums: readonly bigint[];
  readonly failed: bigint;
  /** Of answered requests, in the order of LATENCY_COLUMNS; empty if unknown. */
  readonly latencies: readonly number[];
}

export interface Tally {
  /** @throws GatewayError invalid where there are too many groups */
  add(line: SeriesLine): void;
  /** @param isRest adds the line to the group of all others, as do further groups once there are too many */
  addBounded(line: SeriesLine, isRest: boolean): void;
  /** Without its errors, which `addErrors` adds. @param isRest as in `addBounded` */
  addGroup(line: GroupLine, isRest: boolean): void;
  /** @param isRest as in `addBounded` */
  addErrors(names: readonly string[], error: ErrorCount, isRest: boolean): void;
  result(top: number): SeriesFound;
}

/** The most groups that are kept apart during summing: metadata values are chosen by callers and may be any number. */
const GROUPS_MAX = 20_000;
const ERRORS_MAX = 20;

const PLACE_OF: Readonly<Record<SumName, number>> = {
  requests: SUMS.indexOf("requests"),
  inputs: SUMS.indexOf("inputs"),
  cache_hits: SUMS.indexOf("cache_hits"),
  tokens: SUMS.indexOf("tokens"),
  tokens_upstream: SUMS.indexOf("tokens_upstream"),
  tokens_billed: SUMS.indexOf("tokens_billed"),
  tokens_cached: SUMS.indexOf("tokens_cached"),
  estimated: SUMS.indexOf("estimated"),
  cost_pico_usd: SUMS.indexOf("cost_pico_usd"),
  micro_credits: SUMS.indexOf("micro_credits"),
  upstream_pico_usd: SUMS.indexOf("upstream_pico_usd"),
  saved_pico_usd: SUMS.indexOf("saved_pico_usd"),
};

class Sum {
  readonly sums: bigint[] = SUMS.map(() => 0n);
  readonly latencies: number[] = LATENCY_COLUMNS.map(() => 0);
  failed = 0n;

  add({ sums, failed, latencies }: Pick<GroupLine, "sums" | "failed" | "latencies">): void {
    for (let i = 0; i < sums.length; i++) {
      const amount = sums[i] ?? 0n;
      if (amount !== 0n) this.sums[i] = (this.sums[i] ?? 0n) + amount;
    }
    for (let i = 0; i < latencies.length; i++) {
      const count = latencies[i] ?? 0;
      if (count !== 0) this.latencies[i] = (this.latencies[i] ?? 0) + count;
    }
    this.failed += failed;
  }

  get told(): SeriesSums {
    const of = (name: SumName) => this.sums[PLACE_OF[name]] ?? 0n;
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

const NOTHING = new Sum().told;

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

  function addTo(group: Group, line: GroupLine): void {
    const at = line.at - (line.at % unitMs);
    const point = group.points.get(at) ?? new Sum();
    group.points.set(at, point);
    point.add(line);
    group.total.add(line);
    total.add(line);
  }

  function addError(group: Group, one: ErrorCount): void {
    const key = `${one.kind}\n${one.code}\n${one.status}`;
    const requests = one.requests + (group.errors.get(key)?.requests ?? 0);
    group.errors.set(key, { ...one, requests });
  }

  function addOutcome(group: Group, { at, names, status, code, kind, sums, latencies }: SeriesLine): void {
    const asked = sums[0] ?? 0n;
    if (status === 200) {
      addTo(group, { at, names, sums, failed: 0n, latencies });
      return;
    }
    addTo(group, { at, names, sums, failed: asked, latencies: [] });
    addError(group, { kind, code, status, requests: Number(asked) });
  }

  function join(into: Group, group: Group): void {
    into.total.add(group.total);
    for (const [at, sum] of group.points) {
      const point = into.points.get(at) ?? new Sum();
      into.points.set(at, point);
      point.add(sum);
    }
    for (const one of group.errors.values()) addError(into, one);
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
    points: times.map((at) => group.points.get(at)?.told ?? NOTHING),
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

  const boundedOf = (names: readonly string[], isRest: boolean) =>
    (isRest ? undefined : groupOf(names)) ?? others;

  return {
    add(line) {
      const group = groupOf(line.names);
      if (!group)
        throw new GatewayError(
          "invalid",
          `There are more than ${GROUPS_MAX} groups in that time. Query a shorter time, or another group.`,
          { field: "by" },
        );
      addOutcome(group, line);
    },
    addBounded: (line, isRest) => addOutcome(boundedOf(line.names, isRest), line),
    addGroup: (line, isRest) => addTo(boundedOf(line.names, isRest), line),
    addErrors: (names, one, isRest) => addError(boundedOf(names, isRest), one),
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

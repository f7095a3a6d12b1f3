/**
 * The gateway's metrics, for all its processes, in Prometheus' format. Steps that count something call a function of this.
 * To add a metric, add a row to FAMILIES (metric-families.ts). Labels come from the routing file and from us: no keys, no texts, nothing that a
 * caller chooses.
 */

import type { LedgerRow } from "../books/ledger-row";
import type { ErrorKind } from "../domain/errors";
import type { SpaceNotice } from "../spaces/notices";
import { Counter, openCounts } from "./counts";
import { createGauges, type GaugesParts } from "./gauges";
import { FAMILIES, type Family, type FamilyName } from "./metric-families";

type Counted = Pick<
  LedgerRow,
  | "model"
  | "status"
  | "error"
  | "latency_ms"
  | "inputs"
  | "cache_hits"
  | "tokens"
  | "tokens_upstream"
  | "tokens_billed"
  | "workspace"
  | "cost_pico_usd"
  | "upstream_pico_usd"
>;

export interface Metrics {
  /** Counts a request of an authenticated caller, from its ledger row. */
  request(row: Counted): void;
  /** Counts a request that was refused before authentication. */
  refused(status: number, code: string): void;
  /** Counts one call to a provider with its outcome ("ok", or the error's kind) and its duration. */
  upstreamCall(provider: string, outcome: "ok" | ErrorKind, latencyMs: number): void;
  /** Counts inputs that were answered without a provider, and inputs that were not. */
  cache(hits: number, misses: number): void;
  /** Counts a missing or invalid answer of a shared server. */
  sharedFailure(use: string, reason: string): void;
  /** Counts a request that was limited by this machine's share only. */
  limitsDegraded(): void;
  /** Counts spans that did not reach a collector. */
  spansDropped(count: number): void;
  /** Counts a client that was disconnected because it did not read its answer. */
  answerCutOff(): void;
  /** Counts that no file descriptor was left for new connections. */
  descriptorsUsedUp(): void;
  /** Sets how many requests a process has in flight, as it last reported. */
  underWay(process: string, count: number): void;
  /** Called when another process has ended. */
  ended(process: string): void;
  readonly contentType: string;
  /** All metrics in Prometheus' text format. */
  text(): Promise<string>;
}

export interface MetricsParts {
  readonly inFlight: () => number;
  /** The process's own name among several. */
  readonly process: string | null;
  /** The routing file's id or pattern that matches a model; undefined for a model that is not configured. */
  readonly configuredModel: (model: string) => string | undefined;
  /** Whether there is a cache. */
  readonly isCaching: () => boolean;
  readonly gauges: Omit<GaugesParts, "counts" | "process">;
  /** The versions of the gateway and of Bun. */
  readonly versions: readonly [version: string, runtime: string];
  readonly spaceNotices: () => readonly Pick<SpaceNotice, "provider" | "out_of_service">[];
  /** Values that all processes share, read at the time of the scrape. */
  readonly shared: () => Promise<readonly SharedSample[]>;
  /** The shared memory for the counts; left out: the process's own memory. */
  readonly words?: BigInt64Array;
}

/** The histogram's bounds, from a cached answer to a batch of thousands. */
const MILLISECONDS = [1, 2.5, 5, 10, 25, 50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000, 30_000, 60_000];
const SLOWER = "+Inf";
const UNKNOWN = "unknown";
/** The label `code` of an answered request. */
const NO_CODE = "none";
/** Pico-USD per USD. UNITS: how many of a count make one unit of its metric. */
const PICO = 1e12;
const UNITS: Readonly<Partial<Record<FamilyName, number>>> = {
  cpu: 1_000_000,
  startTime: 1_000,
  endOfLife: 1_000,
  connectionWait: 1_000,
  cost: PICO,
  upstreamCost: PICO,
  workspaceCost: PICO,
};
/** Separates the parts of a count's name. */
const BETWEEN = "\n";
/** Longer labels are cut, so that a count's name fits its slot. */
const LABEL_LENGTH_MAX = 80;

/** Each workspace is a time series in Prometheus: further workspaces share one. */
const WORKSPACES_MAX = 100;
const OTHERS = "(others)";

export interface SharedSample {
  readonly name: "endOfLife" | "databaseUp" | "databaseSize";
  readonly values: readonly string[];
  readonly value: number;
}

export function createMetrics(parts: MetricsParts): Metrics {
  const counts = openCounts(parts.words);
  const { process, inFlight, configuredModel, spaceNotices, isCaching, versions } = parts;
  const gauges = createGauges({ ...parts.gauges, counts, process });
  const add = (family: FamilyName, by: number, ...labels: string[]) =>
    counts.add([family, ...labels].join(BETWEEN), by);
  const counter = (family: FamilyName, ...labels: string[]) => new Counter([family, ...labels].join(BETWEEN));

  const hits = counter("cacheHits");
  const misses = counter("cacheMisses");
  const cache: Metrics["cache"] = (hit, missed) => {
    counts.addTo(hits, hit);
    counts.addTo(misses, missed);
  };
  /** The counters of a label's histogram: one per bound of MILLISECONDS, and a last one for slower times. */
  const timesAt = (family: FamilyName, label: string): Times => ({
    buckets: [...MILLISECONDS.map(String), SLOWER].map((bound) => counter(family, label, bound)),
    sum: counter(family, label, "sum"),
  });
  function latency({ buckets, sum }: Times, ms: number): void {
    let bucket = 0;
    while (ms > (MILLISECONDS[bucket] ?? Number.POSITIVE_INFINITY)) bucket += 1;
    const counted = buckets[bucket];
    if (counted) counts.addTo(counted, 1);
    counts.addTo(sum, Math.round(ms));
  }
  const atModel = remembered((model: string) => ({
    seconds: timesAt("seconds", model),
    inputs: counter("inputs", model),
    shown: counter("tokens", model, "shown"),
    upstream: counter("tokens", model, "upstream"),
    billed: counter("tokens", model, "billed"),
    cost: counter("cost", model),
    upstreamCost: counter("upstreamCost", model),
    answered: counter("requests", model, "200", NO_CODE),
  }));
  const atWorkspace = remembered((workspace: string) => ({
    requests: counter("workspaceRequests", workspace),
    cost: counter("workspaceCost", workspace),
  }));
  const atProvider = remembered((provider: string) => ({
    seconds: timesAt("upstreamSeconds", provider),
    answered: counter("calls", provider, "ok"),
  }));
  const underWay: Metrics["underWay"] = (name, count) => {
    counts.set(["underWay", name].join(BETWEEN), count);
    if (name === process) gauges.write(count === 0);
  };

  const workspaces = new Set<string>();
  /** The label for a workspace. All processes have the same ones, except for those that appear at the same time. */
  function workspaceOf(name: string): string {
    const label = cut(name);
    if (workspaces.has(label)) return label;
    if (workspaces.size >= WORKSPACES_MAX) return OTHERS;
    for (const key of counts.all().keys()) {
      const [family, known] = key.split(BETWEEN);
      if (family === "workspaceRequests" && known !== undefined && known !== OTHERS) workspaces.add(known);
    }
    if (workspaces.size < WORKSPACES_MAX) workspaces.add(label);
    return workspaces.has(label) ? label : OTHERS;
  }

  /** Label values and number of each sample, by family. */
  function samples(shared: readonly SharedSample[]): Map<FamilyName, Sample[]> {
    const all = new Map<FamilyName, Sample[]>();
    const put = (family: FamilyName, values: readonly string[], value: number) =>
      all.set(family, [...(all.get(family) ?? []), { values, value }]);
    for (const [name, value] of counts.all()) {
      const [family = "", ...values] = name.split(BETWEEN);
      if (isFamily(family) && family !== "underWay") put(family, values, scaled(family, value));
      else if (family === "underWay") put("underWay", [], value);
    }
    if (process === null) put("underWay", [], inFlight());
    const outOfService = new Map<string, number>();
    for (const { provider, out_of_service: isOut } of spaceNotices())
      outOfService.set(provider, (outOfService.get(provider) ?? 0) + (isOut ? 1 : 0));
    for (const [provider, count] of outOfService) put("outOfService", [provider], count);
    for (const { name, values, value } of [...gauges.samples(), ...shared])
      put(name, values, scaled(name, value));
    put("build", versions, 1);
    return all;
  }

  return {
    request(row) {
      const model = cut(configuredModel(row.model) ?? UNKNOWN);
      const at = atModel(model);
      if (row.status === 200 && row.error === null) counts.addTo(at.answered, 1);
      else add("requests", 1, model, String(row.status), cut(row.error ?? NO_CODE));
      latency(at.seconds, row.latency_ms);
      counts.addTo(at.inputs, row.inputs);
      counts.addTo(at.shown, row.tokens);
      counts.addTo(at.upstream, row.tokens_upstream);
      counts.addTo(at.billed, row.tokens_billed);
      counts.addTo(at.cost, Number(row.cost_pico_usd));
      counts.addTo(at.upstreamCost, Number(row.upstream_pico_usd ?? 0n));
      const of = atWorkspace(workspaceOf(row.workspace));
      counts.addTo(of.requests, 1);
      counts.addTo(of.cost, Number(row.cost_pico_usd));
      // Without a cache there are no misses.
      if (row.status === 200) cache(row.cache_hits, isCaching() ? row.inputs - row.cache_hits : 0);
    },
    refused: (status, code) => add("requests", 1, UNKNOWN, String(status), cut(code)),
    upstreamCall(provider, outcome, latencyMs) {
      const at = atProvider(cut(provider));
      if (outcome === "ok") counts.addTo(at.answered, 1);
      else add("calls", 1, cut(provider), outcome);
      latency(at.seconds, latencyMs);
    },
    cache,
    sharedFailure: (use, reason) => add("sharedFailures", 1, use, reason),
    limitsDegraded: () => add("limitsDegraded", 1),
    descriptorsUsedUp: () => add("descriptorsUsedUp", 1),
    spansDropped: (count) => add("spansDropped", count),
    answerCutOff: () => add("answersCutOff", 1),
    underWay,
    ended(name) {
      underWay(name, 0);
      gauges.ended(name);
    },
    contentType: "text/plain; version=0.0.4; charset=utf-8",
    async text() {
      gauges.write(true);
      const all = samples(await parts.shared());
      // Loaded at the first scrape.
      const { AggregatorRegistry } = await import("prom-client");
      const families = FAMILY_NAMES.map((name) => familyOf(FAMILIES[name], all.get(name) ?? []));
      return AggregatorRegistry.aggregate([families]).metrics();
    },
  };
}

interface Times {
  readonly buckets: readonly Counter[];
  readonly sum: Counter;
}

/** Caches a value per label; the number of labels is bounded by the routing file. */
function remembered<Made>(make: (label: string) => Made): (label: string) => Made {
  const made = new Map<string, Made>();
  return (label) => made.getOrInsertComputed(label, make);
}

interface Sample {
  /** The values of the family's labels, in order. */
  readonly values: readonly string[];
  readonly value: number;
}

const FAMILY_NAMES = Object.keys(FAMILIES).filter(isFamily);

const scaled = (name: FamilyName, value: number) => value / (UNITS[name] ?? 1);

function isFamily(name: string): name is FamilyName {
  return Object.hasOwn(FAMILIES, name);
}

function cut(label: string): string {
  if (label.length <= LABEL_LENGTH_MAX && !label.includes(BETWEEN)) return label;
  const hash = Bun.hash.wyhash(label).toString(16);
  return `${label.slice(0, LABEL_LENGTH_MAX - hash.length - 1).replaceAll(BETWEEN, " ")}~${hash}`;
}

/** A family in the format that prom-client expects from each process of a cluster; here it has the counts of all processes. */
function familyOf({ name, type, help, labels }: Family, samples: readonly Sample[]): object {
  const values = type === "histogram" ? histogram(name, labels, samples) : plain(labels, samples);
  return { name, type, help, values, aggregator: "sum" };
}

function plain(labels: readonly string[], samples: readonly Sample[]): object[] {
  // Without labels there is always one number, even if nothing was counted.
  if (labels.length === 0) return [{ labels: {}, value: samples.reduce((sum, { value }) => sum + value, 0) }];
  return samples.map(({ values, value }) => ({
    labels: Object.fromEntries(labels.map((label, i) => [label, values[i]])),
    value,
  }));
}

/** Each time is counted in one bucket only; Prometheus expects cumulative counts. */
function histogram(name: string, [label = ""]: readonly string[], samples: readonly Sample[]): object[] {
  const byLabel = new Map<string, Map<string, number>>();
  for (const { values, value } of samples) {
    const [of = "", bound = ""] = values;
    byLabel.set(of, (byLabel.get(of) ?? new Map()).set(bound, value));
  }
  return [...byLabel].flatMap(([of, numbers]) => {
    const labels = { [label]: of };
    let upTo = 0;
    const bucket = (le: string, value: number) => ({
      metricName: `${name}_bucket`,
      labels: { le, ...labels },
      value,
    });
    const buckets = MILLISECONDS.map((bound) => {
      upTo += numbers.get(String(bound)) ?? 0;
      return bucket(String(bound / 1_000), upTo);
    });
    const count = upTo + (numbers.get(SLOWER) ?? 0);
    return [
      ...buckets,
      bucket(SLOWER, count),
      { metricName: `${name}_sum`, labels, value: (numbers.get("sum") ?? 0) / 1_000 },
      { metricName: `${name}_count`, labels, value: count },
    ];
  });
}

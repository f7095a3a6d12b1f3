/**
 * The gateway's metrics, for all its processes, and how Prometheus reads it. A step that has something to count calls its function.
 * A new number is a row of FAMILIES with its help. Labels are words of the routing file and of our own: no key, no text, nothing a caller made up.
 */

import type { Ledger } from "../books/ledger";
import type { LedgerRow } from "../books/ledger-row";
import type { ErrorKind } from "../domain/errors";
import type { SpaceNotice } from "../spaces/notices";
import { openCounts } from "./counts";
import { createGauges, type GaugesParts } from "./gauges";

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
>;

export interface Metrics {
  /** A request whose caller was known, as its ledger row tells it. */
  request(row: Counted): void;
  /** A request that was refused before anybody knew whose it was. */
  refused(status: number, code: string): void;
  /** One call to a provider, what came of it ("ok", or the error's kind) and how long it took. */
  upstreamCall(provider: string, outcome: "ok" | ErrorKind, latencyMs: number): void;
  /** Inputs that no provider was asked for, and inputs that one was. */
  cache(hits: number, misses: number): void;
  /** A shared server gave no answer, or none that can be right. */
  sharedFailure(use: string, reason: string): void;
  /** A request whose rate limit was this machine's share. */
  limitsDegraded(): void;
  /** A client that did not take its answer was cut off. */
  answerCutOff(): void;
  /** No file descriptor was left for new connections. */
  descriptorsUsedUp(): void;
  /** Requests that a process has under way: of others, as they last said. */
  underWay(process: string, count: number): void;
  /** Another process has ended. */
  ended(process: string): void;
  readonly contentType: string;
  /** All of it, in Prometheus' text format. */
  text(): Promise<string>;
}

export interface MetricsParts {
  readonly inFlight: () => number;
  /** The process's own name among several. */
  readonly process: string | null;
  /** The routing file's id or pattern that a model came in by; undefined for a name that nobody configured. */
  readonly configuredModel: (model: string) => string | undefined;
  /** Whether vectors are kept at all. */
  readonly isCaching: () => boolean;
  readonly gauges: Omit<GaugesParts, "counts" | "process">;
  /** Of the gateway and of what it runs on. */
  readonly versions: readonly [version: string, runtime: string];
  readonly spaceNotices: () => readonly Pick<SpaceNotice, "provider" | "out_of_service">[];
  /** Where the counts are; left out, in memory of its own. */
  readonly words?: BigInt64Array;
}

interface Family {
  readonly name: string;
  readonly type: "counter" | "gauge" | "histogram";
  readonly help: string;
  readonly labels: readonly string[];
}

const FAMILIES = {
  requests: {
    name: "embedgate_requests_total",
    type: "counter",
    help: "Embeddings requests answered, by status and error code (none: an answer).",
    labels: ["model", "status", "code"],
  },
  seconds: {
    name: "embedgate_request_duration_seconds",
    type: "histogram",
    help: "Time from a request's arrival to its answer.",
    labels: ["model"],
  },
  inputs: { name: "embedgate_inputs_total", type: "counter", help: "Inputs of requests.", labels: ["model"] },
  tokens: {
    name: "embedgate_tokens_total",
    type: "counter",
    help: "Tokens by kind: shown in answers, counted upstream, or billed.",
    labels: ["model", "kind"],
  },
  calls: {
    name: "embedgate_upstream_calls_total",
    type: "counter",
    help: "Calls to providers by outcome: ok, or the kind of error.",
    labels: ["provider", "outcome"],
  },
  upstreamSeconds: {
    name: "embedgate_upstream_duration_seconds",
    type: "histogram",
    help: "Time from sending a call to a provider until its answer was checked, or it failed.",
    labels: ["provider"],
  },
  breakersOpen: {
    name: "embedgate_circuit_breakers_open",
    type: "gauge",
    help: "Models at the provider whose circuit breaker is open or half-open.",
    labels: ["provider"],
  },
  callsInFlight: {
    name: "embedgate_upstream_calls_in_flight",
    type: "gauge",
    help: "Calls to the provider in flight; at most its `concurrency`.",
    labels: ["provider"],
  },
  callsWaiting: {
    name: "embedgate_upstream_queue",
    type: "gauge",
    help: "Calls queued for a slot at the provider, by lane: interactive (up to 8 inputs) or bulk.",
    labels: ["provider", "lane"],
  },
  cacheHits: {
    name: "embedgate_cache_hits_total",
    type: "counter",
    help: "Inputs answered without a call to a provider.",
    labels: [],
  },
  cacheMisses: {
    name: "embedgate_cache_misses_total",
    type: "counter",
    help: "Inputs that the cache did not have.",
    labels: [],
  },
  sharedFailures: {
    name: "embedgate_shared_failures_total",
    type: "counter",
    help: "Commands to a shared server without a usable answer, by use (limits, cache) and reason: timeout, lost, refused or wrong.",
    labels: ["use", "reason"],
  },
  sharedOpen: {
    name: "embedgate_shared_circuit_breakers_open",
    type: "gauge",
    help: "Processes that go on without the shared server, by its use: limits or cache.",
    labels: ["use"],
  },
  limitsDegraded: {
    name: "embedgate_rate_limits_degraded_total",
    type: "counter",
    help: "Requests whose rate limit was this machine's share, as the shared server did not answer.",
    labels: [],
  },
  answersCutOff: {
    name: "embedgate_answers_cut_off_total",
    type: "counter",
    help: "Answers cut off because the client did not read them.",
    labels: [],
  },
  descriptorsUsedUp: {
    name: "embedgate_file_descriptors_used_up_total",
    type: "counter",
    help: "Times that new connections had to wait because the limit of open files was reached.",
    labels: [],
  },
  // By provider alone: under a pattern the name of a space is what a caller asked for. The log has it.
  outOfService: {
    name: "embedgate_space_out_of_service",
    type: "gauge",
    help: "Routes out of service because their vectors differ from their embedding space.",
    labels: ["provider"],
  },
  underWay: {
    name: "embedgate_requests_in_flight",
    type: "gauge",
    help: "Embeddings requests in flight, until their answers are sent.",
    labels: [],
  },
  build: {
    name: "embedgate_build_info",
    type: "gauge",
    help: "Always 1: the version of the gateway, and of Bun.",
    labels: ["version", "bun"],
  },
  cpu: {
    name: "process_cpu_seconds_total",
    type: "counter",
    help: "User and system CPU time of all processes of the gateway.",
    labels: [],
  },
  memory: {
    name: "process_resident_memory_bytes",
    type: "gauge",
    help: "Resident memory of all processes of the gateway.",
    labels: [],
  },
  descriptors: {
    name: "process_open_fds",
    type: "gauge",
    help: "Open file descriptors of all processes of the gateway.",
    labels: [],
  },
  startTime: {
    name: "process_start_time_seconds",
    type: "gauge",
    help: "When the gateway started, in seconds since 1970.",
    labels: [],
  },
} as const satisfies Record<string, Family>;

type FamilyName = keyof typeof FAMILIES;

/** From a cached answer to a batch of thousands. */
const MILLISECONDS = [1, 2.5, 5, 10, 25, 50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000, 30_000, 60_000];
const SLOWER = "+Inf";
const UNKNOWN = "unknown";
/** The code of an answer. */
const NO_CODE = "none";
/** What a second is, where seconds are told. */
const UNITS: Readonly<Partial<Record<FamilyName, number>>> = { cpu: 1_000_000, startTime: 1_000 };
/** What keeps the parts of a count's name apart. */
const BETWEEN = "\n";
/** A label that is longer is cut, so that a count's name fits its place. */
const LABEL_LENGTH_MAX = 80;

export function createMetrics(parts: MetricsParts): Metrics {
  const counts = openCounts(parts.words);
  const { process, inFlight, configuredModel, spaceNotices, isCaching, versions } = parts;
  const gauges = createGauges({ ...parts.gauges, counts, process });
  const add = (family: FamilyName, by: number, ...labels: string[]) =>
    counts.add([family, ...labels].join(BETWEEN), by);

  const cache: Metrics["cache"] = (hits, misses) => {
    add("cacheHits", hits);
    add("cacheMisses", misses);
  };
  function latency(family: FamilyName, ms: number, label: string): void {
    const bound = MILLISECONDS.find((most) => ms <= most);
    add(family, 1, label, bound === undefined ? SLOWER : String(bound));
    add(family, Math.round(ms), label, "sum");
  }
  const underWay: Metrics["underWay"] = (name, count) => {
    counts.set(["underWay", name].join(BETWEEN), count);
    if (name === process) gauges.write(count === 0);
  };

  /** One line's label values and its number, by family. */
  function samples(): Map<FamilyName, Sample[]> {
    const all = new Map<FamilyName, Sample[]>();
    const put = (family: FamilyName, values: readonly string[], value: number) =>
      all.set(family, [...(all.get(family) ?? []), { values, value }]);
    for (const [name, value] of counts.all()) {
      const [family = "", ...values] = name.split(BETWEEN);
      if (isFamily(family) && family !== "underWay") put(family, values, value);
      else if (family === "underWay") put("underWay", [], value);
    }
    if (process === null) put("underWay", [], inFlight());
    const outOfService = new Map<string, number>();
    for (const { provider, out_of_service: isOut } of spaceNotices())
      outOfService.set(provider, (outOfService.get(provider) ?? 0) + (isOut ? 1 : 0));
    for (const [provider, count] of outOfService) put("outOfService", [provider], count);
    for (const { name, values, value } of gauges.samples()) put(name, values, value / (UNITS[name] ?? 1));
    put("build", versions, 1);
    return all;
  }

  return {
    request(row) {
      const model = cut(configuredModel(row.model) ?? UNKNOWN);
      add("requests", 1, model, String(row.status), cut(row.error ?? NO_CODE));
      latency("seconds", row.latency_ms, model);
      add("inputs", row.inputs, model);
      add("tokens", row.tokens, model, "shown");
      add("tokens", row.tokens_upstream, model, "upstream");
      add("tokens", row.tokens_billed, model, "billed");
      // Without a cache none was missed.
      if (row.status === 200) cache(row.cache_hits, isCaching() ? row.inputs - row.cache_hits : 0);
    },
    refused: (status, code) => add("requests", 1, UNKNOWN, String(status), cut(code)),
    upstreamCall(provider, outcome, latencyMs) {
      add("calls", 1, cut(provider), outcome);
      latency("upstreamSeconds", latencyMs, cut(provider));
    },
    cache,
    sharedFailure: (use, reason) => add("sharedFailures", 1, use, reason),
    limitsDegraded: () => add("limitsDegraded", 1),
    descriptorsUsedUp: () => add("descriptorsUsedUp", 1),
    answerCutOff: () => add("answersCutOff", 1),
    underWay,
    ended(name) {
      underWay(name, 0);
      gauges.ended(name);
    },
    contentType: "text/plain; version=0.0.4; charset=utf-8",
    async text() {
      gauges.write(true);
      const all = samples();
      // Loaded for the first who asks.
      const { AggregatorRegistry } = await import("prom-client");
      const families = FAMILY_NAMES.map((name) => familyOf(FAMILIES[name], all.get(name) ?? []));
      return AggregatorRegistry.aggregate([families]).metrics();
    },
  };
}

interface Sample {
  /** Of the family's labels, in their order. */
  readonly values: readonly string[];
  readonly value: number;
}

const FAMILY_NAMES = Object.keys(FAMILIES).filter(isFamily);

function isFamily(name: string): name is FamilyName {
  return Object.hasOwn(FAMILIES, name);
}

function cut(label: string): string {
  if (label.length <= LABEL_LENGTH_MAX && !label.includes(BETWEEN)) return label;
  const hash = Bun.hash.wyhash(label).toString(16);
  return `${label.slice(0, LABEL_LENGTH_MAX - hash.length - 1).replaceAll(BETWEEN, " ")}~${hash}`;
}

/** A family as prom-client takes it from each process of a cluster: here there is one count for all of them. */
function familyOf({ name, type, help, labels }: Family, samples: readonly Sample[]): object {
  const values = type === "histogram" ? histogram(name, labels, samples) : plain(labels, samples);
  return { name, type, help, values, aggregator: "sum" };
}

function plain(labels: readonly string[], samples: readonly Sample[]): object[] {
  // Without labels there is one number, counted or not, in one process or several.
  if (labels.length === 0) return [{ labels: {}, value: samples.reduce((sum, { value }) => sum + value, 0) }];
  return samples.map(({ values, value }) => ({
    labels: Object.fromEntries(labels.map((label, i) => [label, values[i]])),
    value,
  }));
}

/** Each time is counted in the one bucket that it falls into; Prometheus reads how many were up to each bound. */
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

/** A ledger that counts each row that it writes, so that Prometheus and the ledger have the same sums. */
export function counting(ledger: Ledger, metrics: Pick<Metrics, "request">): Ledger {
  return {
    ...ledger,
    async settle(row, until) {
      const charge = await ledger.settle(row, until);
      metrics.request(row);
      return charge;
    },
    owe(row) {
      metrics.request(row);
      return ledger.owe(row);
    },
  };
}

/**
 * What the gateway counts about itself, as Prometheus reads it. One object a gateway; whoever has something to tell calls its function.
 * A new number is a metric here with its help. Labels are words of the routing file and of our own: no key, no text, nothing a caller made up.
 */
import { Counter, Gauge, Histogram, Registry } from "prom-client";
import type { ErrorKind } from "../errors";
import type { Ledger, LedgerRow } from "../ledger";
import type { SpaceNotice } from "../spaces/spaces";

type Counted = Pick<
  LedgerRow,
  "model" | "status" | "latency_ms" | "inputs" | "cache_hits" | "tokens" | "tokens_upstream" | "tokens_billed"
>;

export interface Metrics {
  /** A request whose caller was known, as its ledger row tells it. */
  request(row: Counted): void;
  /** A request that was refused before anybody knew whose it was. */
  refused(status: number): void;
  /** One call to a provider and what came of it: "ok", or the error's kind. */
  upstreamCall(provider: string, outcome: "ok" | ErrorKind): void;
  /** Inputs that no provider was asked for, and inputs that one was. */
  cache(hits: number, misses: number): void;
  readonly contentType: string;
  /** All of it, in Prometheus' text format. */
  text(): Promise<string>;
}

export interface MetricsParts {
  readonly inFlight: () => number;
  /** The routing file's id or pattern that a model came in by; undefined for a name that nobody configured. */
  readonly configuredModel: (model: string) => string | undefined;
  readonly spaceNotices: () => readonly Pick<SpaceNotice, "provider" | "outOfService">[];
}

/** From a cached answer to a batch of thousands. */
const SECONDS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60];

export function createMetrics({ inFlight, configuredModel, spaceNotices }: MetricsParts): Metrics {
  const registry = new Registry();
  const registers = [registry];
  const counter = <Label extends string>(name: string, help: string, ...labelNames: Label[]) =>
    new Counter({ name, help, labelNames, registers });

  const requests = counter("embedgate_requests_total", "Embeddings requests answered.", "model", "status");
  const seconds = new Histogram({
    name: "embedgate_request_duration_seconds",
    help: "Time from a request's arrival to its answer.",
    labelNames: ["model"],
    buckets: SECONDS,
    registers,
  });
  const inputs = counter("embedgate_inputs_total", "Inputs of requests.", "model");
  const tokens = counter(
    "embedgate_tokens_total",
    "Tokens by what they are: shown in answers, counted upstream, or billed.",
    "model",
    "kind",
  );
  const calls = counter(
    "embedgate_upstream_calls_total",
    "Calls to providers by what came of them: ok, or the kind of error.",
    "provider",
    "outcome",
  );
  const cacheHits = counter("embedgate_cache_hits_total", "Inputs that no provider was asked for.");
  const cacheMisses = counter("embedgate_cache_misses_total", "Inputs that a provider was asked for.");
  // By provider alone: under a pattern the name of a space is what a caller asked for. The log has it.
  new Gauge({
    name: "embedgate_space_out_of_service",
    help: "Routes out of service, since their vectors are not those of their space.",
    labelNames: ["provider"],
    registers,
    collect() {
      this.reset();
      for (const { provider, outOfService } of spaceNotices()) this.inc({ provider }, outOfService ? 1 : 0);
    },
  });
  new Gauge({
    name: "embedgate_requests_in_flight",
    help: "Embeddings requests under way.",
    registers,
    collect() {
      this.set(inFlight());
    },
  });

  const cache: Metrics["cache"] = (hits, misses) => {
    cacheHits.inc(hits);
    cacheMisses.inc(misses);
  };
  return {
    request(row) {
      const model = configuredModel(row.model) ?? UNKNOWN;
      requests.inc({ model, status: row.status });
      seconds.observe({ model }, row.latency_ms / 1_000);
      inputs.inc({ model }, row.inputs);
      tokens.inc({ model, kind: "shown" }, row.tokens);
      tokens.inc({ model, kind: "upstream" }, row.tokens_upstream);
      tokens.inc({ model, kind: "billed" }, row.tokens_billed);
      if (row.status === 200) cache(row.cache_hits, row.inputs - row.cache_hits);
    },
    refused: (status) => requests.inc({ model: UNKNOWN, status }),
    upstreamCall: (provider, outcome) => calls.inc({ provider, outcome }),
    cache,
    contentType: registry.contentType,
    text: () => registry.metrics(),
  };
}

const UNKNOWN = "unknown";

/** A ledger that tells of each row that it takes: what Prometheus adds up is what the ledger does. */
export function counting(ledger: Ledger, metrics: Pick<Metrics, "request">): Ledger {
  return {
    ...ledger,
    async settle(row) {
      const charge = await ledger.settle(row);
      metrics.request(row);
      return charge;
    },
    owe(row) {
      metrics.request(row);
      return ledger.owe(row);
    },
  };
}

/**
 * The gateway's metrics: name, type, help and labels of each. To add one, add a row here, a line to docs/operations.md, and a function that counts
 * it to metrics.ts. Names and units follow Prometheus' conventions: seconds and bytes, `_total` for counters.
 */
export interface Family {
  readonly name: string;
  readonly type: "counter" | "gauge" | "histogram";
  readonly help: string;
  readonly labels: readonly string[];
}

export const FAMILIES = {
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
    help: "Processes that currently work without the shared server, by its use: limits or cache.",
    labels: ["use"],
  },
  limitsDegraded: {
    name: "embedgate_rate_limits_degraded_total",
    type: "counter",
    help: "Requests whose rate limit was this machine's share, as the shared server did not answer.",
    labels: [],
  },
  cost: {
    name: "embedgate_cost_usd_total",
    type: "counter",
    help: "What requests cost in USD, by the prices of the models.",
    labels: ["model"],
  },
  upstreamCost: {
    name: "embedgate_upstream_cost_usd_total",
    type: "counter",
    help: "Amount owed to providers for requests in USD, at the prices of the routes.",
    labels: ["model"],
  },
  workspaceCost: {
    name: "embedgate_workspace_cost_usd_total",
    type: "counter",
    help: "What requests cost in USD, by workspace; beyond the first 100 workspaces: (others).",
    labels: ["workspace"],
  },
  workspaceRequests: {
    name: "embedgate_workspace_requests_total",
    type: "counter",
    help: "Embeddings requests whose workspace is known; beyond the first 100 workspaces: (others).",
    labels: ["workspace"],
  },
  endOfLife: {
    name: "embedgate_model_end_of_life_timestamp_seconds",
    type: "gauge",
    help: "When the provider of a model of the routing file ends it, in seconds since 1970.",
    labels: ["model"],
  },
  databaseUp: {
    name: "embedgate_database_up",
    type: "gauge",
    help: "1: the database answers and takes writes. 0: it does not.",
    labels: [],
  },
  databaseSize: {
    name: "embedgate_database_size_bytes",
    type: "gauge",
    help: "Size of the database without its write-ahead log; 0: it does not answer.",
    labels: [],
  },
  connectionsInUse: {
    name: "embedgate_database_connections_in_use",
    type: "gauge",
    help: "Connections to PostgreSQL in use, of all processes of the gateway.",
    labels: [],
  },
  connectionsMost: {
    name: "embedgate_database_connections_max",
    type: "gauge",
    help: "Connections to PostgreSQL that all processes of the gateway may open for requests; 0 with SQLite.",
    labels: [],
  },
  connectionsWaiting: {
    name: "embedgate_database_connection_queue",
    type: "gauge",
    help: "Writes and reads that wait for a free connection to PostgreSQL.",
    labels: [],
  },
  connectionWait: {
    name: "embedgate_database_connection_wait_max_seconds",
    type: "gauge",
    help: "Longest wait for a free connection to PostgreSQL in the last one to two minutes.",
    labels: [],
  },
  spansDropped: {
    name: "embedgate_trace_spans_dropped_total",
    type: "counter",
    help: "Spans that no collector got, because it did not take them in time or refused them.",
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
  // By provider only: under a pattern the space's name comes from a caller. The log has it.
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

export type FamilyName = keyof typeof FAMILIES;

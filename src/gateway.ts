/**
 * Builds every part of the gateway once from a checked configuration, and closes them in reverse order. Tests and the simulator use it too.
 * To add a part, make it here after the parts that it needs, and close it before them.
 */
import packageJson from "../package.json";
import { createMetrics, type Metrics } from "./admin/metrics";
import { telling } from "./admin/request-lines";
import { sharedFigures } from "./admin/shared-figures";
import { type Aside, openAside } from "./aside/aside";
import { type Batches, openBatches } from "./batches/batches";
import { tellInterrupted } from "./books/interrupted";
import type { Ledger } from "./books/ledger";
import { createSettlements } from "./books/settlements";
import type { Trimming } from "./books/trimming";
import { type Cache, openCache } from "./cache/cache";
import { openSharedVectors } from "./cache/shared-vectors";
import { type Auth, openAuth } from "./callers/auth";
import { tellingOfChanges } from "./callers/key-changes";
import type { Keys } from "./callers/keys";
import { AT_THE_START, refusalOf, takeCredentials } from "./callers/opening";
import { createRateLimits, unlimited } from "./callers/rate-limits";
import { createSharedLimits } from "./callers/shared-limits";
import type { Workspaces } from "./callers/workspaces";
import { cachePath } from "./config/cache-path";
import type { GatewayConfig } from "./config/gateway-config";
import { configuredModel } from "./config/models";
import { needingRestart } from "./config/needing-restart";
import { asAdmin, gatewayPolicies, policiesOf } from "./dialects/records";
import type { GatewayError } from "./domain/errors";
import { secondsOf } from "./domain/idle";
import type { Outside } from "./domain/outside";
import type { Policies } from "./domain/policies";
import type { Probe } from "./domain/probes";
import type { Caller } from "./domain/request";
import { createBodyMemory } from "./door/body-memory";
import { createDoor, type Door } from "./door/http";
import { createSending } from "./door/sending";
import { createUnderWay, type UnderWay } from "./door/under-way";
import type { CallSeen } from "./execute/work";
import { processFigures } from "./machine/process-figures";
import { type Answer, type Arrival, embed, type SpineParts } from "./request/embed";
import { observed } from "./request/hold";
import { measure } from "./request/measure";
import { pricesOf, settingsOf } from "./request/settings";
import { createUnpriced } from "./request/unpriced";
import { type Generation, openGeneration } from "./routes/generation";
import { createLifecycle } from "./routes/lifecycle";
import type { Routes } from "./routes/route";
import { ALONE, type Place } from "./sharing/place";
import { bytesOf } from "./sharing/region";
import { withCarried } from "./spaces/carried";
import { insideFingerprints } from "./spaces/inside";
import type { Measure } from "./spaces/measure";
import type { Spaces } from "./spaces/spaces";
import { aboutMachines, routingFileHash } from "./stores/machines";
import { openStores } from "./stores/open";
import { createTokens, type Tokens } from "./tokens/tokens";
import { createTracing } from "./tracing/tracing";
import { machineOf } from "./valkey/machine-of";
import { openShared } from "./valkey/open";

/** The size of the random seed of the rate limits' hash. */
const SEED_BYTES = 32;

export interface Gateway {
  /** The current configuration. */
  config(): GatewayConfig;
  readonly door: Door;
  /** Answers a request that did not come over HTTP. @throws GatewayError of any kind */
  embed(arrival: Arrival): Promise<Answer>;
  readonly auth: Auth;
  routes(): Routes;
  readonly keys: Keys;
  readonly ledger: Ledger;
  readonly underWay: UnderWay;
  readonly metrics: Metrics;
  readonly cache: Cache;
  readonly workspaces: Workspaces;
  readonly upkeep: Readonly<Record<"trimming" | "regrouping", Trimming>>;
  /** Undefined if the routing file does not switch batches on. */
  readonly batches: Batches | undefined;
  spaces(): Pick<Spaces, "notices">;
  /** Why `reload` would refuse it; undefined if it would not. @throws GatewayError database_unavailable */
  refusalOf(config: GatewayConfig): GatewayError | undefined;
  /** Whether callers need a key or a token. */
  asks(): boolean;
  /**
   * Uses another configuration from now on; requests in flight finish with the one they began with.
   * @returns the paths of changed keys that take effect only after a restart
   * @throws GatewayError of `refusalOf`; then nothing has changed
   */
  reload(config: GatewayConfig): readonly string[];
  /** Resolves if other gateways have taken this process for dead: it must exit. */
  readonly fenced: Promise<void>;
  /** Closes every part, once no request is in flight. */
  close(): Promise<void>;
}

/**
 * @param clock for tests: replaces the clock of a database server; `timers` replaces what its connections use of `outside`
 * @param aside runs long work on other threads, and is closed with the gateway, like `tokens`
 * @throws GatewayError database_unavailable, or forbidden if the address must not be served without keys
 */
export async function createGateway(
  config: GatewayConfig,
  outside: Outside,
  place: Place = ALONE,
  aside: Aside = openAside(outside),
  tokens: Tokens = createTokens(),
  { clock, timers = outside }: { readonly clock?: () => number; readonly timers?: Outside } = {},
): Promise<Gateway> {
  outside.logBy?.(config.log);
  const fenced = Promise.withResolvers<void>();
  const serves = { process: place.process, fenced: fenced.resolve };
  const stores = await openStores(config.database, timers, { serves, ...(clock && { clock }) }, aside);
  const keys = tellingOfChanges(stores.openKeys(), outside);
  const ledger = stores.openLedger(place.process, (model) => configuredModel(current.config, model));
  const limits = stores.openLimits();
  const calling = {
    ...outside,
    tokens,
    observe: ({ provider, outcome, latencyMs }: CallSeen) =>
      metrics.upstreamCall(provider, outcome, latencyMs),
  };
  const fingerprints = stores.openFingerprints();
  const records = stores.openRecords();
  const measuring = {
    outside: calling,
    fingerprints,
    records,
    warming: { warmed: new Set<string>(), asksServers: place.begins },
    limits,
    addressesTold: new Map<string, string>(),
    measureWith:
      (attemptsMax: number, texts?: readonly Probe[]): Measure =>
      (route, target, signal, as) =>
        measure(route, target, { ledger, outside: calling, attemptsMax, texts, ...as }, signal),
  };
  const retiring = new Set<Promise<void>>();
  let authSection = config.auth;
  const workspaces = stores.openWorkspaces(() => current.config.workspaceDefaults);
  stores.machines?.serving(routingFileHash(config));
  if (config.auth.bootstrapKeySha256 !== undefined) await keys.bootstrap(config.auth.bootstrapKeySha256);
  const sessions = stores.openSessions();
  const auth = openAuth({ settings: () => authSection, keys, workspaces, sessions, outside });
  await keys.ready?.();
  const refusal = refusalOf(config, auth, { ...AT_THE_START, asks: place.asks });
  if (refusal) {
    await stores.close();
    throw refusal;
  }
  if (config.auth.jwt) await keys.tokensTaken();
  if (place.begins) await tellInterrupted(ledger, outside);
  const underWay = createUnderWay(
    () => current.config.server.max_concurrent_requests,
    place.process === null ? undefined : (count) => metrics.underWay(place.process ?? "", count),
  );
  const metrics = createMetrics({
    process: place.process,
    words: place.region?.counts,
    inFlight: () => underWay.count(),
    isCaching: () => current.config.cache !== false,
    gauges: {
      providers: () => current.providers(),
      shared: () => shared?.states() ?? [],
      connections: stores.connections,
      figures: processFigures,
      startedAt: outside.now(),
      monotonic: outside.monotonic,
    },
    versions: [packageJson.version, Bun.version],
    configuredModel: (model) => configuredModel(current.config, model),
    spaceNotices: () => current.spaces.notices(),
    shared: () => sharedFigures(current.routes, stores),
  });
  const seed = place.region ? bytesOf(place.region.seed) : outside.randomBytes(SEED_BYTES);
  const shared =
    config.shared &&
    (await openShared(config.shared, machineOf(seed), outside, (use, reason) =>
      metrics.sharedFailure(use, reason),
    ));
  const cache = openCache(config.cache, {
    path: cachePath(config),
    outside,
    memory: place.memory,
    shared:
      shared?.cache &&
      openSharedVectors({
        ...shared.cache,
        outside,
        foundWrong: () => metrics.sharedFailure("cache", "wrong"),
      }),
  });
  const rests = shared?.limits?.pulse;
  let current = openGeneration(config, { ...measuring, rests, together: place.together() });
  const tracing = createTracing({
    outside,
    version: packageJson.version,
    process: place.process,
    dropped: metrics.spansDropped,
  });
  await tracing.apply(config.tracing);
  const settlements = createSettlements(outside);
  const lifecycle = createLifecycle(outside);
  const unpriced = createUnpriced(() => current.config.money.unpriced === "allow", outside);
  const tell = telling(() => current.config.log.requests, outside);
  const counted = observed(ledger, { settled: [metrics.request, tell], owed: metrics.request }, settlements);
  const sending = createSending(() => current.config.server, metrics, outside);
  const ownLimits = createRateLimits(
    { monotonic: place.clock ?? outside.monotonic },
    seed,
    place.region?.limits,
  );
  const rateLimits = shared?.limits
    ? createSharedLimits(ownLimits, {
        ...shared.limits,
        machines: () => rests?.machines() ?? config.shared?.machines ?? 1,
        outside,
        degraded: () => metrics.limitsDegraded(),
      })
    : ownLimits;

  /** What all requests of a generation share. */
  const spines = new WeakMap<Generation, SpineParts>();
  const spineOf = (generation: Generation): SpineParts =>
    spines.getOrInsertComputed(generation, ({ routes, spaces, config: own }) => ({
      routes,
      spaces,
      tokens,
      aside,
      cache,
      ...settingsOf(own),
      workspaces,
      rateLimits,
      unpriced,
      ledger: counted,
      settlements,
      lifecycle,
      outside: calling,
    }));
  function embedNow(arrival: Arrival, through = (routes: Routes) => routes): Promise<Answer> {
    const spine = spineOf(current);
    if (arrival.line === undefined) return embed(arrival, spine, current.enter());
    // Lines of batches do not count towards rate limits: the lanes bound how many are sent at once.
    const own = { ...spine, routes: through(spine.routes), rateLimits: unlimited(rateLimits) };
    return embed(arrival, own, current.enter());
  }

  const noticesNow = () => [
    ...current.spaces.notices(),
    ...limits.notices(current.config),
    ...current.addresses.notices(),
    ...(stores.machines?.notices() ?? []).map(aboutMachines),
  ];
  const policies = (caller?: Caller): Policies => {
    if (caller === undefined) return gatewayPolicies(current.config);
    const policies = policiesOf(current.config, workspaces.rules(caller.workspace));
    return caller.isAdmin === true ? asAdmin(policies) : policies;
  };
  const { batchFiles } = config;
  const batches =
    batchFiles &&
    openBatches({
      records: stores.openBatchRecords(),
      upstreams: stores.openUpstreamRecords(),
      ledger: counted,
      outside,
      routes: () => current.routes,
      prices: () => pricesOf(current.config),
      unpriced,
      rules: workspaces.rules,
      // A line's answer is written before its charge is known, so it cannot have `usage_credits`.
      policies: (caller) => ({ ...policies(caller), usage_credits: false }),
      // A reload does not change the folder.
      limits: () => ({ ...batchFiles, ...current.config.batchFiles, folder: batchFiles.folder }),
      process: place.process,
      isAlone: stores.machines === undefined,
      checkStays: () => underWay.checkStays(),
      survivesPower: config.database.durability === "power",
      preparing: { routes: () => current.routes, tokens, rules: workspaces.rules },
      beginTrace: (batch) => tracing.current()?.beginBatch(batch),
      embed: (arrival, through) => underWay.run((ending) => embedNow({ ...arrival, ending }, through)),
    });
  const door = createDoor({
    auth,
    routes: () => current.routes,
    policies,
    batches: () => batches,
    exchange: () => current.config.money,
    fileSchema: () => current.config.fileSchema(),
    corsOrigins: () => current.config.server.cors?.origins,
    defaultModel: () => current.config.server.default_model,
    allowedModels: ({ workspace }) => workspaces.rules(workspace).models,
    notices: noticesNow,
    outside,
    startedAt: outside.now(),
    tokens,
    underWay,
    bodyMemory: createBodyMemory(() => current.config.server.max_body_memory_mb * 2 ** 20, outside),
    bodyBytesMax: () => current.config.server.max_body_mb * 2 ** 20,
    metrics,
    beginTrace: (request, requestId) => tracing.current()?.begin(request, requestId),
    admin: {
      keys,
      workspaces,
      workspaceNames: stores.openWorkspaceNames(),
      statements: stores.openStatements(),
      requests: stores.openRequestPages(),
      series: stores.openSeries(),
      audit: stores.openAudit(),
      sessions,
      records,
      outside,
      versions: [packageJson.version, Bun.version],
      startedAt: outside.now(),
      isTls: config.server.tls !== undefined,
      config: () => current.config,
      routes: () => current.routes,
      spaceOf: (route) => current.spaces.placeOf(route),
      notices: noticesNow,
      fingerprints: () =>
        withCarried(fingerprints, [...insideFingerprints(), ...current.config.spaceFingerprints]),
      isOpen: () => auth.isOpen(),
      requestsInFlight: () => underWay.count(),
      database: stores,
      forgetSpace: stores.forgetSpace,
    },
    sending,
    checkReady() {
      underWay.checkStays();
      stores.check();
    },
    idleSeconds: secondsOf(config.server.idle_timeout_ms),
    isTls: config.server.tls !== undefined,
    takeRequest: ({ workspace }) => rateLimits.takeRequest(workspaces.rules(workspace)),
    embed: (arrival) => embedNow(arrival),
  });

  const refusalNow = (next: GatewayConfig) =>
    refusalOf(next, auth, { hosts: [config.server.host], asks: !auth.isOpen() });

  function retire(generation: Generation): void {
    const retired = generation
      .retire()
      .catch((cause: unknown) =>
        outside.log("error", "a provider could not be closed", { cause: String(cause) }),
      )
      .finally(() => retiring.delete(retired));
    retiring.add(retired);
  }

  return {
    config: () => current.config,
    door,
    embed: (arrival) => embedNow(arrival),
    auth,
    routes: () => current.routes,
    keys,
    ledger,
    underWay,
    metrics,
    cache,
    workspaces,
    upkeep: { trimming: stores.openTrimming(() => current.config.keep), regrouping: stores.openRegrouping() },
    batches,
    spaces: () => current.spaces,
    refusalOf: refusalNow,
    asks: () => !auth.isOpen(),
    fenced: fenced.promise,
    reload(next) {
      const refused = refusalNow(next);
      if (refused) throw refused;
      takeCredentials(next, authSection, keys, outside);
      const replaced = current;
      current = openGeneration(next, { ...measuring, rests, together: place.together() }, replaced);
      authSection = next.auth;
      stores.machines?.serving(routingFileHash(next));
      cache.apply(next.cache);
      outside.logBy?.(next.log);
      void tracing.apply(next.tracing);
      retire(replaced);
      return needingRestart(config, next);
    },
    async close() {
      await batches?.runner.stop();
      retire(current);
      await Promise.all([...retiring, tracing.close()]);
      tokens.close();
      aside.close();
      await cache.close();
      await shared?.close();
      try {
        await ledger.close();
      } finally {
        await stores.close();
      }
    },
  };
}

/**
 * One loaded routing file: its opened providers and its routes. A reload replaces it; it ends when its last
 * request has ended, so that no request ever sees two.
 */
import type { GatewayConfig } from "../config/gateway-config";
import type { Outside } from "../domain/outside";
import { PROBES, type Probe } from "../domain/probes";
import type { ProviderState } from "../domain/provider-state";
import { withCarried } from "../spaces/carried";
import { insideFingerprints } from "../spaces/inside";
import type { Limits } from "../spaces/limits";
import type { Measure } from "../spaces/measure";
import { openSpaces, type Spaces, type SpacesParts } from "../spaces/spaces";
import { openProviders } from "../upstream/open";
import type { Rests } from "../upstream/rests";
import { type Addresses, findAddresses } from "./addresses";
import { buildRoutes, type Routes } from "./route";
import { type WarmingParts, warm } from "./warming";

export interface Generation {
  readonly config: GatewayConfig;
  readonly routes: Routes;
  readonly spaces: Spaces;
  readonly addresses: Pick<Addresses, "notices">;
  /** The current state of each provider. */
  readonly providers: () => readonly ProviderState[];
  /** One more request is served by this generation, which stays open until the returned function is called. */
  enter(): () => void;
  /** Accepts no more requests; resolves when the last one has ended and everything is closed. */
  retire(): Promise<void>;
}

export interface GenerationParts extends Pick<SpacesParts, "fingerprints" | "records" | "together"> {
  readonly outside: Outside;
  readonly warming: Pick<WarmingParts, "warmed" | "asksServers">;
  readonly limits?: Limits;
  /** The providers' API URLs found and logged so far. */
  readonly addressesTold: Map<string, string>;
  /** Of other machines. */
  readonly rests?: Rests;
  /** Measures a space with as many calls as the routing file allows. */
  readonly measureWith: (attemptsMax: number, texts?: readonly Probe[]) => Measure;
}

/** @param before the generation that it replaces */
export function openGeneration(
  config: GatewayConfig,
  {
    outside,
    fingerprints,
    records,
    limits,
    rests,
    addressesTold,
    together,
    warming,
    measureWith,
  }: GenerationParts,
  before?: Pick<Generation, "spaces">,
): Generation {
  const providers = openProviders(config, outside, limits, rests);
  // Before any other call to a provider.
  const addresses = findAddresses(providers.byName.values(), outside, addressesTold);
  const { max_attempts: attemptsMax } = config.server;
  const deadlineMs = config.server.deadline_ms;
  const spaces = openSpaces({
    outside,
    fingerprints: withCarried(fingerprints, [...insideFingerprints(), ...config.spaceFingerprints]),
    records,
    together,
    measure: measureWith(attemptsMax),
    deadlineMs,
    everyMs: config.spaceProbe?.every_ms,
    checkEveryMs: config.spaceProbe?.check_every_ms ?? Number.POSITIVE_INFINITY,
  });
  const routes = buildRoutes(config, providers.byName, spaces);
  spaces.start(routes.named(), before?.spaces);
  tellMissingBatchServices(routes, outside);
  const ask = measureWith(attemptsMax, PROBES.slice(0, 1));
  const warmed = warm(routes.named(), { ...warming, ask, outside, deadlineMs });
  const empty = Promise.withResolvers<void>();
  let underWay = 0;
  let retired = false;
  const leave = () => {
    underWay -= 1;
    if (retired && underWay === 0) empty.resolve();
  };
  return {
    config,
    routes,
    spaces,
    addresses,
    providers: providers.states,
    enter() {
      underWay += 1;
      return leave;
    },
    async retire() {
      retired = true;
      if (underWay > 0) await empty.promise;
      await addresses.close();
      await warmed.close();
      await spaces.close();
      await providers.close();
    },
  };
}

/** Warns about a provider without a batch service if the routing file asks for it: its lines cost as much as calls. */
function tellMissingBatchServices(routes: Routes, { log }: Pick<Outside, "log">): void {
  for (const { id, targets } of routes.named()) {
    const [{ batch, provider }] = targets;
    if (batch === undefined || provider.upstream.batches !== undefined) continue;
    log("warn", "batch: upstream has no effect: the provider has no batch service", {
      model: id,
      provider: provider.name,
    });
  }
}

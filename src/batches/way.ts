/**
 * Decides how a line of a batch is run: as an ordinary call, or by the batch service of its model's provider at that service's price.
 */
import type { ConfiguredUpstream, Gate, Route, Target } from "../domain/request";
import type { BatchService, Upstream } from "../plugin";
import { createHealths } from "../upstream/health";

/** A target whose provider's batch service is used. */
export interface UpstreamWay {
  readonly target: Target;
  readonly service: BatchService;
}

/** The route's first target if it uses a batch service; undefined if lines are ordinary calls. */
export function upstreamWay({ targets }: Pick<Route, "targets">): UpstreamWay | undefined {
  const [target] = targets;
  const service = target.batch && target.provider.upstream.batches;
  return service && { target, service };
}

/** The route with the batch service's price. */
export function atBatchPrice(route: Route): Route {
  const price = upstreamWay(route)?.target.batch?.price;
  if (price === undefined) return route;
  const [first, ...others] = route.targets;
  const cheaper: Target = { ...first, costPrice: price, facts: { ...first.facts, price } };
  return { ...route, facts: { ...route.facts, price }, targets: [cheaper, ...others] };
}

/** The replies have arrived, so nothing is queued. */
const OPEN_GATE: Gate = {
  places: 1,
  enter: async () => undefined,
  leave: () => undefined,
  isFull: () => false,
  waiting: () => 0,
  inside: () => 0,
};

/** The replies have arrived, so the provider's health does not matter. */
const AT_REST = { monotonic: () => 0, random: () => 0 };

/** The route with the batch service as its only target. @param embed returns the replies that have arrived */
export function replayed(route: Route, { target, service }: UpstreamWay, embed: Upstream["embed"]): Route {
  const { facts } = atBatchPrice(route);
  const { maxInputs } = service;
  const sized = maxInputs === undefined ? target.facts : { ...target.facts, max_inputs: maxInputs };
  const provider: ConfiguredUpstream = {
    ...target.provider,
    upstream: { ...target.provider.upstream, embed },
    gate: OPEN_GATE,
    healthOf: createHealths(AT_REST),
    keepLimit: () => undefined,
    coalescing: undefined,
    retries: 0,
  };
  const own = { ...sized, price: facts.price };
  return {
    ...route,
    facts: { ...facts, ...(maxInputs !== undefined && { max_inputs: maxInputs }) },
    hedgeAfterMs: undefined,
    targets: [{ ...target, provider, facts: own, costPrice: target.batch?.price ?? target.costPrice }],
  };
}

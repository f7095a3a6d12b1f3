/**
 * Which way a line of a batch goes: as a call like any other, or by the batch service of its model's provider, at that one's price.
 */
import type { ConfiguredUpstream, Gate, Route, Target } from "../domain/request";
import type { BatchService, Upstream } from "../plugin";
import { createHealths } from "../upstream/health";

/** A target whose provider's own batch service is to be used. */
export interface UpstreamWay {
  readonly target: Target;
  readonly service: BatchService;
}

/** The route's first way, where it is one of a batch service; undefined: its lines are calls. */
export function upstreamWay({ targets }: Pick<Route, "targets">): UpstreamWay | undefined {
  const [target] = targets;
  const service = target.batch && target.provider.upstream.batches;
  return service && { target, service };
}

/** The route as lines of batches pay for it. */
export function atBatchPrice(route: Route): Route {
  const price = upstreamWay(route)?.target.batch?.price;
  if (price === undefined) return route;
  const [first, ...others] = route.targets;
  const cheaper: Target = { ...first, costPrice: price, facts: { ...first.facts, price } };
  return { ...route, facts: { ...route.facts, price }, targets: [cheaper, ...others] };
}

/** The replies are there already, so nothing is queued. */
const OPEN_GATE: Gate = {
  places: 1,
  enter: async () => undefined,
  leave: () => undefined,
  isFull: () => false,
  waiting: () => 0,
  inside: () => 0,
};

/** The replies are there already: the provider's present health does not matter. */
const AT_REST = { monotonic: () => 0, random: () => 0 };

/** The route with the batch service as its one way, whose replies are these. */
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

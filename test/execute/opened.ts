/**
 * An opened plugin behind a real `Route`, for tests that start below HTTP: the same execute and assemble as for a request.
 * A new member of `Route`, `Target` or `ConfiguredUpstream` gets its default here.
 */

import { AGREEMENT_MIN } from "../../src/config/schema-spaces";
import { completeFacts, type KnownFacts } from "../../src/domain/facts";
import type { Outside } from "../../src/domain/outside";
import type {
  Answered,
  ConfiguredUpstream,
  Embedded,
  EmbedRequest,
  Piece,
  Plan,
  Result,
  Route,
  Run,
  Target,
} from "../../src/domain/request";
import { type Collection, collect } from "../../src/execute/collect";
import { execute } from "../../src/execute/execute";
import type { Input, Upstream } from "../../src/plugin";
import { resultOf } from "../../src/request/result";
import { createHealths } from "../../src/upstream/health";
import { createLanes } from "../../src/upstream/lanes";
import { fakeOutside } from "../fake-outside";

/** One route of a model. */
export interface Way extends Partial<Pick<Target, "group" | "weight" | "mayServe">> {
  readonly facts?: KnownFacts | undefined;
  readonly provider?: Partial<ConfiguredUpstream> | undefined;
  /** The clock of the circuit breaker and the gate. */
  readonly outside?: Outside;
}

/** A gate of its own, whose queue is never full. */
export const gateOf = (places: number, outside: Outside = fakeOutside().outside) =>
  createLanes(places, 1_000_000, outside);

/** Like a server that has answered before: cold.test.ts has first calls. */
const loaded = (healthOf: ConfiguredUpstream["healthOf"]) => (model: string) =>
  Object.assign(healthOf(model), { mayBeLoading: false });

export function targetTo(
  upstream: Upstream,
  model: string,
  {
    facts,
    provider,
    outside = fakeOutside().outside,
    group = 0,
    weight = 1,
    mayServe = () => true,
  }: Way = {},
): Target {
  return {
    model,
    facts: completeFacts(upstream.describe?.(model), facts),
    group,
    weight,
    mayServe,
    provider: {
      name: "upstream",
      pluginId: "upstream",
      upstream,
      guardedFields: [],
      accepts: () => undefined,
      fieldNames: [],
      isBuiltIn: false,
      isIndivisible: () => false,
      countsTokens: false,
      gate: gateOf(8, outside),
      coalescing: undefined,
      healthOf: loaded(createHealths(outside)),
      timeoutMs: 1_000,
      retries: 0,
      ...provider,
    },
  };
}

export function routeThrough(targets: Route["targets"], changed: Partial<Route> = {}): Route {
  const [{ model, facts }] = targets;
  return {
    id: model,
    isNamed: true,
    space: model,
    facts,
    onDrift: "stop",
    agreementMin: AGREEMENT_MIN,
    unmeasured: "serve",
    hedgeAfterMs: undefined,
    targets,
    ...changed,
  };
}

export function routeTo(upstream: Upstream, model: string, way: Way = {}): Route {
  return routeThrough([targetTo(upstream, model, way)]);
}

export function requestFor(inputs: readonly Input[], changed: Partial<EmbedRequest> = {}): EmbedRequest {
  return {
    model: "asked",
    inputs,
    encoding: "float",
    dimensions: undefined,
    user: undefined,
    metadata: undefined,
    extraBody: {},
    fields: {},
    ...changed,
  };
}

export function piecesOf(inputs: readonly Input[], from = 0): Piece[] {
  return inputs.map((input, i) => ({ input, place: from + i, weight: 1 }));
}

export function planFor(inputs: readonly Input[], route: Route, changed: Partial<Plan> = {}): Plan {
  return {
    pieces: piecesOf(inputs),
    requestedDimensions: undefined,
    dimensions: route.facts.dimensions,
    decodedWith: undefined,
    longInput: route.facts.long_input,
    indivisible: false,
    truncated: [],
    ...changed,
  };
}

export function runUnder(signal: AbortSignal = new AbortController().signal): Run {
  return {
    requestId: "req_test",
    startedAt: 0,
    startedMonotonic: 0,
    endsAt: Number.POSITIVE_INFINITY,
    signal,
    attemptsMax: 4,
    tally: { tokens: 0, tokensAbandoned: 0, providers: new Set(), byProvider: new Map(), calls: [] },
  };
}

export interface Asking {
  readonly run: Run;
  readonly plan: Plan;
  readonly request: EmbedRequest;
}

/** The inputs that an answer completes. */
export function added(collection: Collection, answered: Answered): ReadonlyMap<number, Embedded> {
  const complete = new Map<number, Embedded>();
  const keep = (some: ReadonlyMap<number, Embedded>) =>
    some.forEach((one, place) => void complete.set(place, one));
  collection.add(answered, keep, { monotonic: () => 0 });
  return complete;
}

/** The answer for these inputs, or the error. */
export async function answerThrough(
  route: Route,
  inputs: readonly Input[],
  outside: Outside,
  { run = runUnder(), plan = planFor(inputs, route), request = requestFor(inputs) }: Partial<Asking> = {},
): Promise<Result> {
  const collection = collect(plan);
  const embedded = new Map<number, Embedded>();
  const keep = (complete: ReadonlyMap<number, Embedded>) =>
    complete.forEach((one, place) => void embedded.set(place, one));
  await execute(request, route, plan, run, outside, (answered) => collection.add(answered, keep, outside));
  collection.assertComplete();
  const inOrder = [...embedded].sort(([a], [b]) => a - b).map(([, one]) => one);
  return resultOf({ embedded: inOrder, fresh: new Set(embedded.keys()) }, request);
}

/**
 * An opened plugin behind a real `Route`, for tests that start below the HTTP door: the same execute and assemble as a request gets.
 * A new member of `Route` or `ConfiguredUpstream` gets its plain default here.
 */
import { collect } from "../../src/collect";
import type {
  ConfiguredUpstream,
  Embedded,
  EmbedRequest,
  Piece,
  Plan,
  Result,
  Route,
  Run,
} from "../../src/domain";
import { execute } from "../../src/execute/execute";
import { completeFacts, type KnownFacts } from "../../src/facts";
import type { Outside } from "../../src/outside";
import type { Input, Upstream } from "../../src/plugin";
import { resultOf } from "../../src/result";
import { createGate } from "../../src/upstream/gate";

export function routeTo(
  upstream: Upstream,
  model: string,
  {
    facts,
    provider,
  }: { readonly facts?: KnownFacts; readonly provider?: Partial<ConfiguredUpstream> | undefined } = {},
): Route {
  const known = completeFacts(upstream.describe?.(model), facts);
  return {
    id: model,
    space: model,
    facts: known,
    onDrift: "stop",
    targets: [
      {
        model,
        facts: known,
        group: 0,
        weight: 1,
        mayServe: () => true,
        provider: {
          name: "upstream",
          pluginId: "upstream",
          upstream,
          accepts: () => undefined,
          fieldNames: [],
          isBuiltIn: false,
          isIndivisible: () => false,
          countsTokens: false,
          gate: createGate(8),
          timeoutMs: 1_000,
          retries: 0,
          ...provider,
        },
      },
    ],
  };
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
    signal,
    attemptsMax: 4,
    tally: { tokens: 0, providers: new Set() },
  };
}

/** What a request for these inputs is answered, or the error that it ends in. */
export async function answerThrough(
  route: Route,
  inputs: readonly Input[],
  outside: Outside,
  { run = runUnder(), plan = planFor(inputs, route) }: { readonly run?: Run; readonly plan?: Plan } = {},
): Promise<Result> {
  const request = requestFor(inputs);
  const collection = collect(plan);
  const embedded = new Map<number, Embedded>();
  await execute(request, route, plan, run, outside, (answered) => {
    for (const [place, one] of collection.add(answered)) embedded.set(place, one);
  });
  collection.assertComplete();
  const inOrder = [...embedded].sort(([a], [b]) => a - b).map(([, one]) => one);
  return resultOf({ embedded: inOrder, fresh: new Set(embedded.keys()) }, request);
}

/**
 * An opened plugin behind a real `Route`, for tests that start below the HTTP door: the same execute and assemble as a request gets.
 * A new member of `Route` or `ConfiguredUpstream` gets its plain default here.
 */
import { assemble } from "../../src/assemble";
import type { ConfiguredUpstream, EmbedRequest, Plan, Result, Route, Run } from "../../src/domain";
import { execute } from "../../src/execute";
import { completeFacts, type KnownFacts } from "../../src/facts";
import type { Outside } from "../../src/outside";
import { split } from "../../src/plan";
import type { Input, Upstream } from "../../src/plugin";
import { createGate } from "../../src/upstream/gate";

export function routeTo(
  upstream: Upstream,
  model: string,
  {
    facts,
    provider,
  }: { readonly facts?: KnownFacts; readonly provider?: Partial<ConfiguredUpstream> | undefined } = {},
): Route {
  return {
    id: model,
    space: model,
    facts: completeFacts(upstream.describe?.(model), facts),
    target: {
      model,
      provider: {
        name: "upstream",
        pluginId: "upstream",
        upstream,
        accepts: () => undefined,
        fieldNames: [],
        countsTokens: false,
        gate: createGate(8),
        timeoutMs: 1_000,
        retries: 0,
        ...provider,
      },
    },
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

export function planFor(inputs: readonly Input[], route: Route, changed: Partial<Plan> = {}): Plan {
  return {
    parts: split(inputs, route.facts),
    dimensions: route.facts.dimensions,
    askedDimensions: undefined,
    decodedWith: undefined,
    longInput: route.facts.long_input,
    ...changed,
  };
}

export function runUnder(signal: AbortSignal = new AbortController().signal): Run {
  return { requestId: "req_test", startedAt: 0, startedMonotonic: 0, signal, tally: { tokens: 0 } };
}

/** What a request for these inputs is answered, or the error that it ends in. */
export async function answerThrough(
  route: Route,
  inputs: readonly Input[],
  outside: Outside,
  { run = runUnder(), plan = planFor(inputs, route) }: { readonly run?: Run; readonly plan?: Plan } = {},
): Promise<Result> {
  const answers = await execute(requestFor(inputs), route, plan, run, outside);
  return assemble(answers, inputs.length);
}

/**
 * One measurement: the probe texts through one target, on the way that requests take (gate, attempts, proof), with a ledger row under
 * the gateway's own name. What the vectors mean is decided in spaces.ts.
 */

import { type Ledger, OWN_WORKSPACE } from "../books/ledger";
import type { EndSignal } from "../domain/ending";
import { asGatewayError } from "../domain/errors";
import type { Outside } from "../domain/outside";
import type { Embedded, EmbedRequest, Plan, Route, Run, Target } from "../domain/request";
import { execute } from "../execute/execute";
import type { Needs } from "../execute/work";
import { PROBES } from "../spaces/probes";
import { type Progress, rowAnswered, rowUnderWay, settleFailure } from "./account";
import { collect } from "./collect";
import { resultOf } from "./result";

const NOTHING = { microCredits: 0n, picoUsd: 0n };
/** Nobody's credits are asked for. */
const FREE = {
  estimate: { least: NOTHING, most: NOTHING },
  terms: { startingMicroCredits: null, caps: { day: undefined, month: undefined } },
};
const UNPRICED = { exchange: { creditsPerUsd: 1, markup: 0 }, hitPrice: 0 };
/** The ledger's `user` of a measurement. */
const PURPOSE = "space_probe";

export interface Measuring {
  readonly ledger: Ledger;
  readonly outside: Outside & Pick<Needs, "observe">;
  readonly attemptsMax: number;
}

/**
 * @returns a vector for each probe text, at the model's own size
 * @throws GatewayError as a request's calls do; the signal's reason
 */
export async function measure(
  route: Route,
  target: Target,
  { ledger, outside, attemptsMax }: Measuring,
  signal: EndSignal,
): Promise<readonly Float32Array[]> {
  const only: Route = { ...route, facts: target.facts, targets: [{ ...target, mayServe: () => true }] };
  const run: Run = {
    requestId: `probe_${outside.randomBytes(16).toHex()}`,
    startedAt: outside.now(),
    startedMonotonic: outside.monotonic(),
    // The signal alone ends it.
    endsAt: Number.POSITIVE_INFINITY,
    signal,
    attemptsMax,
    tally: { tokens: 0, providers: new Set() },
  };
  const request = probeRequest(route.id);
  const progress: Progress = {
    caller: { workspace: OWN_WORKSPACE, keyId: null },
    run,
    request,
    route: only,
  };
  const plan = planOf(target);
  const collection = collect(plan);
  const embedded = new Map<number, Embedded>();
  const latencyMs = () => outside.monotonic() - run.startedMonotonic;
  await ledger.begin(rowUnderWay(progress, PROBES), FREE);
  try {
    await execute(request, only, plan, run, outside, (answered) => {
      for (const [place, one] of collection.add(answered)) embedded.set(place, one);
    });
    collection.assertComplete();
    const inOrder = [...embedded].sort(([a], [b]) => a - b).map(([, one]) => one);
    const result = resultOf({ embedded: inOrder, fresh: new Set(embedded.keys()) }, request);
    progress.result = result;
    // Its tokens were counted upstream, but shown to nobody and nobody's to pay.
    const nobodys = { tokens: 0, tokens_billed: 0, cost_pico_usd: 0n, micro_credits: 0n };
    await ledger.settle({ ...rowAnswered(progress, result, UNPRICED, latencyMs()), ...nobodys });
    return result.vectors;
  } catch (thrown) {
    throw await settleFailure(progress, asGatewayError(thrown), latencyMs, { ledger, outside });
  }
}

const probeRequest = (model: string): EmbedRequest => ({
  model,
  inputs: PROBES,
  encoding: "float",
  dimensions: undefined,
  user: PURPOSE,
  metadata: undefined,
  extraBody: {},
  fields: {},
});

const planOf = ({ facts }: Target): Plan => ({
  pieces: PROBES.map((input, place) => ({ input, place, weight: 1 })),
  requestedDimensions: undefined,
  dimensions: facts.dimensions,
  decodedWith: undefined,
  longInput: facts.long_input,
  indivisible: false,
  truncated: [],
});

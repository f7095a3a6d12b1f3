/**
 * One measurement: sends the probe texts through one target, by the same steps as a request (concurrency gate, attempts, checks), with a ledger
 * row under the gateway's own name. src/spaces/spaces.ts decides what the vectors mean.
 */

import { type Ledger, OWN_WORKSPACE } from "../books/ledger";
import type { EndSignal } from "../domain/ending";
import { asGatewayError } from "../domain/errors";
import type { Outside } from "../domain/outside";
import { isLong, LONG_TEXT_TOKENS, type Measurement, PROBES, type Probe } from "../domain/probes";
import type { Embedded, EmbedRequest, Plan, Route, Run, Target } from "../domain/request";
import { askedAs, type Task } from "../domain/task-words";
import { collect } from "../execute/collect";
import { execute } from "../execute/execute";
import type { Needs } from "../execute/work";
import { type Progress, rowAnswered, rowUnderWay, settleFailure } from "./account";
import { resultOf } from "./result";

const NOTHING = { femtoCredits: 0n, picoUsd: 0n };
/** No credits are needed. */
const FREE = {
  estimate: { least: NOTHING, most: NOTHING },
  terms: { startingMicroCredits: null, caps: { day: undefined, month: undefined } },
};
/** The ledger's `user` for a measurement. */
const PURPOSE = "space_probe";

export interface Measuring {
  readonly ledger: Ledger;
  readonly outside: Outside & Pick<Needs, "observe">;
  readonly attemptsMax: number;
  /** Left out: all of PROBES. With fewer texts the model is called but not measured. */
  readonly texts?: readonly Probe[] | undefined;
  /** The task that the texts are sent with; left out: none. */
  readonly task?: Task | undefined;
}

/**
 * The long text is sent separately, so that a server that refuses it is still measured. If the routing file or the catalogue says that it is
 * too long for the model, it is not sent.
 * @returns one vector per text, at the model's native size; undefined for refused texts
 * @throws GatewayError like a request's calls; the signal's reason
 */
export async function measure(
  route: Route,
  target: Target,
  { ledger, outside, attemptsMax, texts: asked = PROBES, task }: Measuring,
  signal: EndSignal,
): Promise<Measurement> {
  const only: Route = { ...route, facts: target.facts, targets: [{ ...target, mayServe: () => true }] };
  const run: Run = {
    requestId: `probe_${outside.randomBytes(16).toHex()}`,
    startedAt: outside.now(),
    startedMonotonic: outside.monotonic(),
    // Only the signal ends the measurement.
    endsAt: Number.POSITIVE_INFINITY,
    signal,
    attemptsMax,
    isMeasurement: true,
    tally: { tokens: 0, tokensAbandoned: 0, providers: new Set(), byProvider: new Map(), calls: [] },
  };
  const probes = asked.filter((probe) => !isLong(probe) || takesLong(target));
  const textsOf = (some: readonly Probe[]) => some.map(({ text }) => text);
  const progress: Progress = {
    caller: { workspace: OWN_WORKSPACE, keyId: null },
    run,
    request: probeRequest(route.id, textsOf(probes), task),
    route: only,
  };
  const latencyMs = () => outside.monotonic() - run.startedMonotonic;
  const ask = (texts: readonly string[], as: Run) =>
    embedded(only, target, probeRequest(only.id, texts, task), as, outside);
  await ledger.begin(rowUnderWay(progress, textsOf(probes)), FREE);
  try {
    const short = probes.filter((probe) => !isLong(probe));
    const found = await ask(textsOf(short), run);
    const long = await askLong(textsOf(probes.filter(isLong)), run, ask);
    const inOrder = asked.map((probe) => (isLong(probe) ? long : found[short.indexOf(probe)]));
    const all = inOrder.filter((one) => one !== undefined);
    const request = probeRequest(
      route.id,
      all.map((_, place) => probes[place]?.text ?? ""),
      task,
    );
    const result = resultOf({ embedded: all, fresh: new Set(all.keys()) }, request);
    progress.result = result;
    progress.request = request;
    // Its tokens were counted upstream, but no caller sees them or pays for them.
    await ledger.settle({ ...rowAnswered(progress, result, undefined, latencyMs()), tokens: 0 });
    return inOrder.map((one) => one?.values);
  } catch (thrown) {
    throw await settleFailure(progress, asGatewayError(thrown), latencyMs, { ledger, outside });
  }
}

/** [CLS] and [SEP], or their equivalents. */
const MARKS = 2;

function takesLong({ facts: { max_input_tokens: limit } }: Target): boolean {
  return limit === undefined || limit >= LONG_TEXT_TOKENS + MARKS;
}

async function askLong(
  texts: readonly string[],
  run: Run,
  ask: (texts: readonly string[], run: Run) => Promise<readonly Embedded[]>,
): Promise<Embedded | undefined> {
  if (texts.length === 0) return undefined;
  try {
    // One attempt only: several servers answer 500 to this text, which says nothing about their health.
    const [one] = await ask(texts, { ...run, attemptsMax: 1 });
    return one;
  } catch (thrown) {
    if (run.signal.aborted) throw thrown;
    return undefined;
  }
}

/** @returns one vector per text */
async function embedded(
  route: Route,
  target: Target,
  request: EmbedRequest,
  run: Run,
  outside: Measuring["outside"],
): Promise<readonly Embedded[]> {
  const plan = planOf(target, request.inputs);
  const collection = collect(plan);
  const found = new Map<number, Embedded>();
  const keep = (some: ReadonlyMap<number, Embedded>) => {
    for (const [place, one] of some) found.set(place, one);
  };
  await execute(request, route, plan, run, outside, (answered) => collection.add(answered, keep, outside));
  collection.assertComplete();
  return [...found].sort(([a], [b]) => a - b).map(([, one]) => one);
}

const probeRequest = (model: string, inputs: readonly string[], task: Task | undefined): EmbedRequest => ({
  model,
  inputs,
  encoding: "float",
  dimensions: undefined,
  user: PURPOSE,
  metadata: undefined,
  extraBody: {},
  fields: {},
  ...(task && { task: askedAs(task) }),
});

const planOf = ({ facts }: Target, texts: EmbedRequest["inputs"]): Plan => ({
  pieces: texts.map((input, place) => ({ input, place, weight: 1 })),
  requestedDimensions: undefined,
  dimensions: facts.dimensions,
  decodedWith: undefined,
  longInput: facts.long_input,
  indivisible: false,
  truncated: [],
});

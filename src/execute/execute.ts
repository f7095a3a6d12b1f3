/**
 * Step 4: the calls. Inputs go upstream in parts, as many in parallel as the providers' concurrency allows. What was checked is passed on
 * at once, so that one part's failure does not lose the others. A part that fails permanently cancels the other parts.
 */

import { picoUsdPerToken } from "../books/money";
import { Ending } from "../domain/ending";
import { asGatewayError, GatewayError } from "../domain/errors";
import type { Answered, EmbedRequest, Plan, Route, Run, Tally, Target } from "../domain/request";
import { allDone, NOTHING_TO_DO } from "../domain/until";
import { answer } from "./answer";
import { nextTarget } from "./attempts";
import { carveOne } from "./carve";
import { choose } from "./choose";
import { createEvidence } from "./evidence";
import { UNASKED } from "./history";
import { limitsOf } from "./pace";
import type { Needs, Work } from "./work";

/** A request with this few inputs is interactive: somebody waits for it. */
const INTERACTIVE_INPUTS_MAX = 8;
/** The Retry-After if a provider's queue is full. */
const BUSY_RETRY_AFTER_MS = 1_000;

/**
 * @param take receives the checked answers in no particular order; every piece of the plan is in exactly one of them
 * @throws GatewayError of the first part that failed permanently; its `input` is the index in the request
 */
export async function execute(
  request: EmbedRequest,
  route: Route,
  plan: Plan,
  run: Run,
  outside: Needs,
  take: (answered: Answered) => Promise<void> | undefined,
): Promise<void> {
  const failed = new Ending();
  const unfollow = failed.follow(run.signal);
  const evidence = createEvidence();
  const work: Work = {
    request,
    route,
    plan,
    run,
    lane: run.batch === undefined && plan.pieces.length <= INTERACTIVE_INPUTS_MAX ? "interactive" : "bulk",
    signal: failed,
    outside,
    count: ({ tokens }, target) => addTo(run.tally, tokens, target),
    abandoned({ tokens }, target, before) {
      const more = tokens - (before?.tokens ?? 0);
      addTo(run.tally, more, target);
      run.tally.tokensAbandoned += more;
    },
    called: ({ provider, model, inputs, outcome, beganAt, latencyMs, tokens, tokensSource }) =>
      run.tally.calls.push({
        provider,
        model,
        inputs,
        outcome,
        beganMs: Math.max(0, beganAt - run.startedMonotonic),
        latencyMs,
        tokens,
        tokensSource,
      }),
    take(answered, target) {
      run.tally.providers.add(answered.provider);
      evidence.answered(target);
      return take(answered);
    },
    fail: (error) => failed.abort(error),
    evidence,
    isSearch: false,
    searches: { last: NOTHING_TO_DO },
    patience: { endsAt: undefined },
    comeBackAt: new Map(),
    joint: { isOver: false, callsInVain: 0 },
  };
  refuseWhenFull(work);
  let next = 0;
  /** A part is cut to size only when its target is known, and no more are in flight than can be sent: none waits needlessly. */
  async function workThrough(): Promise<void> {
    while (next < plan.pieces.length) {
      const choice = choose(work, UNASKED);
      // If possible without an await: the next choice must see the load that this part adds to the target.
      const chosen = "trial" in choice ? await nextTarget(work, UNASKED) : choice;
      if ("error" in chosen) {
        work.fail(chosen.error);
        throw chosen.error;
      }
      const part = plan.indivisible
        ? { pieces: plan.pieces }
        : carveOne(plan.pieces, next, limitsOf(chosen.target));
      next += part.pieces.length;
      if (part.pieces.length > 0) await answer(work, part, UNASKED, chosen);
    }
  }
  const workers = workersFor(work);
  try {
    await (workers === 1 ? workThrough() : allDone(Array.from({ length: workers }, workThrough)));
  } catch (thrown) {
    throw asGatewayError(failed.aborted ? failed.reason : thrown);
  } finally {
    unfollow();
  }
}

/** @param tokens negative if an estimate was too high */
function addTo(tally: Tally, tokens: number, { provider, costPrice = 0 }: Target): void {
  tally.tokens += tokens;
  const before = tally.byProvider.get(provider.name);
  const picoUsd = BigInt(tokens) * picoUsdPerToken(costPrice);
  tally.byProvider.set(provider.name, {
    tokens: tokens + (before?.tokens ?? 0),
    picoUsd: picoUsd + (before?.picoUsd ?? 0n),
  });
}

/** At least two: whether a part that is refused alone is itself at fault shows only when another part is answered. */
function workersFor({ route, plan }: Work): number {
  if (plan.indivisible) return 1;
  const places = route.targets.reduce((sum, { provider }) => sum + provider.gate.places, 0);
  return Math.min(plan.pieces.length, Math.max(2, places));
}

/** Only before the first call: a request that has started goes on. */
function refuseWhenFull({ route, lane }: Work): void {
  if (!route.targets.every(({ provider }) => provider.gate.isFull(lane))) return;
  throw new GatewayError("busy", "The queue for the provider is full (max_queue). Retry later.", {
    retryAfterMs: BUSY_RETRY_AFTER_MS,
  });
}

/**
 * Step 4: the calls. Each part goes upstream on its own (attempts.ts); what is proved is handed on at once, so that the failure of one
 * part loses nothing of the others. One part that fails for good ends the others.
 */
import type { Answered, EmbedRequest, Part, Plan, Route, Run } from "../domain";
import { asGatewayError } from "../errors";
import type { Outside } from "../outside";
import { attempts } from "./attempts";
import { carve, halves } from "./carve";

export type Needs = Pick<Outside, "sleep" | "random" | "log">;

/** What every call of one request shares. */
export interface Work {
  readonly request: EmbedRequest;
  readonly plan: Plan;
  readonly run: Run;
  /** Fires when the request is over, for whatever reason. */
  readonly signal: AbortSignal;
  readonly outside: Needs;
}

/**
 * @param take is given what was proved, in no particular order; every piece of the plan is in exactly one
 * @throws GatewayError of the first part that failed for good, `input` being the place in the request
 */
export async function execute(
  request: EmbedRequest,
  route: Route,
  plan: Plan,
  run: Run,
  outside: Needs,
  take: (answered: Answered) => void,
): Promise<void> {
  const siblings = new AbortController();
  const signal = AbortSignal.any([run.signal, siblings.signal]);
  const work: Work = { request, plan, run, signal, outside };
  const [target] = route.targets;
  const answerPart = async (part: Part): Promise<void> => {
    try {
      take(await attempts(work, target, part));
    } catch (thrown) {
      const error = asGatewayError(thrown);
      // The provider counts tokens otherwise than we do: half of it may pass.
      if (error.kind !== "too_many_tokens" || part.pieces.length === 1 || plan.indivisible) throw error;
      await Promise.all(halves(part).map(answerPart));
    }
  };
  try {
    const parts = plan.indivisible ? [{ pieces: plan.pieces }] : carve(plan.pieces, target.facts);
    await Promise.all(parts.map(answerPart));
  } catch (error) {
    siblings.abort(error);
    throw error;
  }
}

/**
 * Step 4: the calls. Each part goes upstream on its own: bounded by the provider's gate, timed, proved, tried again where the kind
 * of error says that this may help. One part that fails for good ends the others.
 */
import { prove } from "./assemble";
import type { Answered, EmbedRequest, Part, Plan, Route, Run } from "./domain";
import { asGatewayError, GatewayError } from "./errors";
import type { Outside } from "./outside";
import type { EmbedCall, EmbedReply } from "./plugin";
import { countOf } from "./tokens/count";

type Needs = Pick<Outside, "sleep" | "random" | "log">;

/**
 * @returns what was proved, in no particular order; every input of the plan is in exactly one
 * @throws GatewayError of the first part that failed for good, `input` being the place in the request
 */
export async function execute(
  request: EmbedRequest,
  route: Route,
  plan: Plan,
  run: Run,
  outside: Needs,
): Promise<readonly Answered[]> {
  const siblings = new AbortController();
  const signal = AbortSignal.any([run.signal, siblings.signal]);
  const answerPart = async (part: Part): Promise<Answered[]> => {
    try {
      return [await attempts(request, route, plan, part, run, signal, outside)];
    } catch (thrown) {
      const error = asGatewayError(thrown);
      // The provider counts tokens otherwise than we do: half of it may pass.
      if (error.kind === "too_many_tokens" && part.inputs.length > 1)
        return (await Promise.all(halves(part).map(answerPart))).flat();
      throw error;
    }
  };
  try {
    return (await Promise.all(plan.parts.map(answerPart))).flat();
  } catch (error) {
    siblings.abort(error);
    throw error;
  }
}

function halves(part: Part): [Part, Part] {
  const middle = Math.ceil(part.inputs.length / 2);
  return [
    { inputs: part.inputs.slice(0, middle), places: part.places.slice(0, middle) },
    { inputs: part.inputs.slice(middle), places: part.places.slice(middle) },
  ];
}

/** Calls for one part over all retries: a failing request must not become a storm at a provider that is down. */
const ATTEMPTS_MAX = 4;
/** A provider that wants to be left alone for longer is not waited for: its word goes on to the caller. */
const RETRY_AFTER_MS_MAX = 60_000;

async function attempts(
  request: EmbedRequest,
  route: Route,
  plan: Plan,
  part: Part,
  run: Run,
  signal: AbortSignal,
  outside: Needs,
): Promise<Answered> {
  const { provider } = route.target;
  const last = Math.min(provider.retries + 1, ATTEMPTS_MAX);
  for (let attempt = 1; ; attempt++) {
    try {
      const reply = await once(request, route, plan, part, signal, outside);
      // The provider has counted it, whether its answer is of use or not.
      run.tally.tokens += countOf(reply, part.inputs).tokens;
      return prove(reply, part, plan, route);
    } catch (thrown) {
      if (signal.aborted) throw asGatewayError(signal.reason);
      const error = inRequest(asProviderError(thrown, provider.name, outside), part);
      const waitable = (error.retryAfterMs ?? 0) <= RETRY_AFTER_MS_MAX;
      if (!error.meaning.retry || attempt >= last || !waitable) throw error;
      outside.log("warn", "a call to a provider failed", {
        provider: provider.name,
        attempt,
        kind: error.kind,
        reason: error.message,
      });
      await outside.sleep(backoffMs(attempt, error.retryAfterMs, outside.random()), signal);
    }
  }
}

/** One call, inside the provider's gate and within one attempt's time. */
async function once(
  request: EmbedRequest,
  route: Route,
  plan: Plan,
  part: Part,
  signal: AbortSignal,
  outside: Needs,
): Promise<EmbedReply> {
  const { provider, model } = route.target;
  await provider.gate.enter(signal);
  const attempt = new AbortController();
  const over = AbortSignal.any([signal, attempt.signal]);
  const call: EmbedCall = {
    model,
    inputs: part.inputs,
    dimensions: plan.askedDimensions,
    user: request.user,
    fields: request.fields,
    extraBody: request.extraBody,
    longInput: plan.longInput,
    wireEncoding: route.facts.wire_encoding,
    signal: over,
  };
  const timer = new AbortController();
  outside.sleep(provider.timeoutMs, timer.signal).then(
    () =>
      attempt.abort(
        new GatewayError("timeout", `The provider did not answer within ${provider.timeoutMs} ms.`),
      ),
    () => undefined,
  );
  try {
    // A plugin may overlook the signal: the race keeps its word for it, so that nothing waits past its time.
    return await Promise.race([provider.upstream.embed(call), rejectionBy(over)]);
  } finally {
    timer.abort();
    provider.gate.leave();
  }
}

function rejectionBy(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    if (signal.aborted) reject(signal.reason);
    else signal.addEventListener("abort", () => reject(signal.reason), { once: true });
  });
}

/** What a plugin throws is one of ours (it made it with `host.failure`); anything else is its own fault, told in the log only. */
function asProviderError(thrown: unknown, provider: string, outside: Needs): GatewayError {
  if (thrown instanceof GatewayError) return thrown;
  outside.log("error", "a provider plugin threw what is no failure", { provider, thrown: String(thrown) });
  return new GatewayError(
    "malformed",
    `The plugin of the provider "${provider}" failed. The log has its words.`,
    { cause: thrown },
  );
}

/** A plugin counts inputs within its call; callers count them within their request. */
function inRequest(error: GatewayError, part: Part): GatewayError {
  const { kind, message, field, input, retryAfterMs, cause } = error;
  if (input === undefined) return error;
  return new GatewayError(kind, message, { field, input: part.places[input], retryAfterMs, cause });
}

/** Exponential with full jitter above a quarter of it; a provider's own word on when to come back is obeyed. */
function backoffMs(attempt: number, retryAfterMs: number | undefined, random: number): number {
  const exponential = Math.min(8_000, 250 * 2 ** (attempt - 1));
  return Math.max(retryAfterMs ?? 0, exponential * (0.25 + 0.75 * random));
}

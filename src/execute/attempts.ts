/**
 * One part's calls: bounded by the provider's gate, timed, proved, tried again where the kind of error says that this may help.
 * What a failure means is in src/errors.ts; how long to wait before the next call is here.
 */
import { prove } from "../assemble";
import { dimensionsToAsk } from "../dimensions";
import type { Answered, Part, Target } from "../domain";
import { asGatewayError, GatewayError } from "../errors";
import { fieldsFor } from "../hints";
import type { EmbedCall, EmbedReply } from "../plugin";
import { wordFor } from "../tasks";
import { countOf } from "../tokens/count";
import type { Needs, Work } from "./execute";

/** A provider that wants to be left alone for longer is not waited for: its word goes on to the caller. */
const RETRY_AFTER_MS_MAX = 60_000;

/**
 * @throws GatewayError once no further attempt would help; `input` is the place in the request
 */
export async function attempts(work: Work, target: Target, part: Part): Promise<Answered> {
  const { plan, run, signal, outside } = work;
  const { provider } = target;
  // A failing request must not become a storm at a provider that is down.
  const last = Math.min(provider.retries + 1, run.attemptsMax);
  for (let attempt = 1; ; attempt++) {
    try {
      const reply = await once(work, target, part);
      // The provider has counted it, whether its answer is of use or not.
      run.tally.tokens += countOf(reply, inputsOf(part)).tokens;
      const answered = prove(reply, part, plan, target);
      run.tally.providers.add(provider.name);
      return answered;
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
async function once(work: Work, target: Target, part: Part): Promise<EmbedReply> {
  const { request, plan, signal, outside } = work;
  const { provider, model, facts } = target;
  await provider.gate.enter(signal);
  const attempt = new AbortController();
  const over = AbortSignal.any([signal, attempt.signal]);
  const call: EmbedCall = {
    model,
    inputs: inputsOf(part),
    dimensions: dimensionsToAsk(plan.requestedDimensions, facts),
    user: request.user,
    task: wordFor(request, target),
    fields: fieldsFor(request, target),
    extraBody: request.extraBody,
    longInput: plan.longInput,
    wireEncoding: facts.wire_encoding,
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

const inputsOf = ({ pieces }: Part) => pieces.map(({ input }) => input);

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
  return new GatewayError(kind, message, { field, input: part.pieces[input]?.place, retryAfterMs, cause });
}

/** Exponential with full jitter above a quarter of it; a provider's own word on when to come back is obeyed. */
function backoffMs(attempt: number, retryAfterMs: number | undefined, random: number): number {
  const exponential = Math.min(8_000, 250 * 2 ** (attempt - 1));
  return Math.max(retryAfterMs ?? 0, exponential * (0.25 + 0.75 * random));
}

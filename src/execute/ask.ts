/**
 * One call to one target: in its turn, within one attempt's time, counted and proved. The outcome is recorded in the target's health.
 * Whether there is another call after a failure is for attempts.ts.
 */

import { abortSignalOf, Ending, type EndSignal } from "../domain/ending";
import { asGatewayError, GatewayError } from "../domain/errors";
import type { BegunCall, Outcome } from "../domain/health";
import type { Answered, Part, Target } from "../domain/request";
import { type CallTrace, traceBy } from "../domain/trace";
import { unlessAborted } from "../domain/until";
import type { EmbedCall, EmbedReply } from "../plugin";
import { believed, isCut } from "../tokens/belief";
import { type Count, type CountedReply, countOf, estimateOf } from "../tokens/count";
import { outcomeOf, restMs } from "../upstream/health";
import { prove } from "./assemble";
import { callFor } from "./call";
import { type Chosen, healthOf, isToWait } from "./choose";
import { coalesced } from "./coalesce";
import { tryCut } from "./cut-test";
import type { InTurn, Sending } from "./joint-call";
import { refuseMixedLengths, tellLength } from "./lengths";
import { fillsLimit, isKnownToCut, learn, refuseLonger, refuseUndecided } from "./limits";
import { type CutByCount, cutByCount, limitByCount, ownCounts } from "./own-count";
import { attemptMs, notePace, noteTooSlow } from "./pace";
import { isAboutContent } from "./poison-signs";
import { asProviderError } from "./provider-error";
import { traceCall } from "./trace-call";
import type { Work } from "./work";

/**
 * @param signal ends the call
 * @param failed called with a failure before the place at the gate is free again
 * @returns undefined where the call failed, or was not sent after all: the breaker had opened meanwhile, or the target had asked for a pause
 * @throws the signal's reason
 */
export async function ask(
  work: Work,
  chosen: Chosen,
  part: Part,
  signal: EndSignal,
  failed: (target: Target, error: GatewayError) => void,
): Promise<Answered | undefined> {
  const { target } = chosen;
  const health = healthOf(target);
  health.inputsUnderWay += part.pieces.length;
  try {
    const [piece] = part.pieces;
    const joint = piece && coalesced({ work, chosen, piece, signal, failed }, inTurn);
    const told = joint ? await joint : "apart";
    if (told !== "apart") return told;
    const alone = joint ? { ...chosen, isAgain: true } : chosen;
    const depart = () => (isToWait(work, target) ? undefined : { chosen: alone, part });
    return await inTurn(work, target, depart, signal, failed);
  } finally {
    health.inputsUnderWay -= part.pieces.length;
  }
}

async function inTurn(...[work, target, depart, signal, failed]: Parameters<InTurn>): ReturnType<InTurn> {
  const { run, lane } = work;
  const { gate } = target.provider;
  await gate.enter(signal, lane);
  try {
    signal.throwIfAborted();
    const sending = depart();
    const call = sending && healthOf(target).breaker.begin(run, sending.chosen.isLast);
    return call && (await sent(work, sending, call, signal, failed));
  } finally {
    gate.leave(lane);
  }
}

async function sent(
  work: Work,
  { chosen: { target, isAgain }, part }: Sending,
  call: BegunCall,
  signal: EndSignal,
  failed: (target: Target, error: GatewayError) => void,
): Promise<Answered | undefined> {
  const { outside, plan } = work;
  const { provider, model } = target;
  const startedAt = outside.monotonic();
  const trace = traceCall(work, target, part);
  let counted: Count | undefined;
  const ended = (outcome: Outcome, seenAs: GatewayError["kind"] | "ok") => {
    const change = call.ended(outcome);
    if (change !== "unchanged") {
      outside.log(
        change === "opened" ? "error" : "info",
        change === "opened"
          ? "circuit breaker open: the provider failed several times in a row, one call at a time tests it"
          : "circuit breaker closed: the provider answers again",
        { provider: provider.name, model },
      );
    }
    const seen = {
      provider: provider.name,
      model,
      outcome: seenAs,
      latencyMs: outside.monotonic() - startedAt,
    };
    outside.observe?.(seen);
    trace?.ended(seenAs === "ok" ? undefined : seenAs);
    work.called({
      ...seen,
      inputs: part.pieces.length,
      beganAt: startedAt,
      tokens: counted?.tokens,
      tokensSource: counted?.tokensSource,
    });
  };
  try {
    if (isKnownToCut(target)) await refuseLonger(part, target, work);
    const believable = readCount(await replyInTime(work, target, part, signal, trace), work, target, part);
    // The provider has counted it, whether its answer is of use or not. At once: the request may end with the next turn.
    const first = countOf(believable, inputsOf(part));
    work.count(first, target);
    const reply =
      believable.tokens === undefined
        ? await withOwnCount(believable, first, work, target, part)
        : believable;
    counted = first;
    trace?.counted(first.tokens);
    if (part.pieces.length >= MANY_PIECES) await outside.turn?.();
    const isPlain = isCut(reply, inputsOf(part));
    const byCount = isPlain ? undefined : await limitByCount(work, target, part, reply);
    const isUnknown = !isPlain && reply.tokens === undefined;
    if (isUnknown || (byCount === "in doubt" && !work.run.isMeasurement))
      await tryCut(work, target, part, (texts) => replyInTime(ofNobody(work), target, texts, signal, trace));
    if (isKnownToCut(target)) await refuseLonger(part, target, work);
    refuseUndecided(part, target, plan);
    const seen = { isPlain, byCount: byCount === "in doubt" ? undefined : byCount };
    const whole = cutTold(reply, part, work, target, seen);
    const answered = prove(whole, part, plan, target, healthOf(target).hasAnswered);
    refuseMixedLengths(answered, healthOf(target));
    tellLength(answered, work, target);
    ended("good", "ok");
    healthOf(target).mayBeLoading = false;
    healthOf(target).hasAnswered = true;
    notePace(healthOf(target), part, outside.monotonic() - startedAt, provider.timeoutMs);
    if (part.pieces.length >= MANY_PIECES) await outside.turn?.();
    return answered;
  } catch (thrown) {
    if (signal.aborted) {
      const reason = asGatewayError(signal.reason);
      const isInVain = reason.kind === "deadline" && outside.monotonic() - startedAt >= provider.timeoutMs;
      if (isInVain) healthOf(target).mayBeLoading = false;
      ended(isInVain ? "timed out" : "unknown", reason.kind);
      throw reason;
    }
    const error = inRequest(asProviderError(thrown, work, target), part);
    const health = healthOf(target);
    if (error.kind === "timeout") {
      noteTooSlow(health, part);
      health.mayBeLoading = false;
    }
    health.lastError = { at: outside.now(), kind: error.kind, message: error.inLog };
    if (error.kind === "input_too_long" && error.tokensMax !== undefined)
      learn(work, target, error.tokensMax, "words");
    health.restsUntil = Math.max(health.restsUntil, outside.monotonic() + restMs(error));
    // One text that a provider cannot take says nothing new of the provider, however often it is sent.
    ended(isAgain && isAboutContent(error) ? "unknown" : outcomeOf(error), error.kind);
    failed(target, error);
    return undefined;
  }
}

async function replyInTime(
  work: Work,
  target: Target,
  part: Part,
  signal: EndSignal,
  trace: CallTrace | undefined,
): Promise<EmbedReply> {
  const { outside } = work;
  const { provider } = target;
  const attempt = new Ending();
  const call = { ...callFor(work, target), inputs: inputsOf(part), signal: abortSignalOf(attempt) };
  if (trace) traceBy(call.signal, trace);
  const unfollow = attempt.follow(signal);
  const timeoutMs = attemptMs(work, target, part);
  const callOff = Number.isFinite(timeoutMs)
    ? outside.alarm(timeoutMs, () => attempt.abort(tooSlow(timeoutMs)))
    : () => undefined;
  const estimate = estimateOf(inputsOf(part));
  // In the turn in which it is given up: by the next, the request's row may be written.
  let isAbandoned = false;
  const abandon = () => {
    isAbandoned = true;
    work.abandoned(estimate, target);
  };
  attempt.addEventListener("abort", abandon);
  const reply = begunBy(provider, call);
  try {
    // A plugin may overlook the signal: this keeps its word for it, so that nothing waits past its time.
    const inTime = await unlessAborted(attempt, reply);
    // It had come in the very turn in which it was given up.
    if (isAbandoned) work.abandoned({ ...estimate, tokens: 0 }, target, estimate);
    return inTime;
  } catch (thrown) {
    if (attempt.aborted) countLate(reply, work, target, part, { estimate, reason: attempt.reason });
    throw thrown;
  } finally {
    attempt.removeEventListener("abort", abandon);
    callOff();
    unfollow();
  }
}

/** A plugin may throw at once, or return what is no promise. */
async function begunBy({ upstream }: Target["provider"], call: EmbedCall): Promise<EmbedReply> {
  return upstream.embed(call);
}

const tooSlow = (timeoutMs: number) =>
  new GatewayError(
    "timeout",
    `The provider did not answer within ${Math.round(timeoutMs)} ms (timeout_ms). If it is slow but not down, raise timeout_ms, or lower max_inputs of the model, in the routing file.`,
  );

/** An abandoned call's answer has a count, which is better than the estimate. */
function countLate(
  reply: Promise<EmbedReply>,
  work: Work,
  target: Target,
  part: Part,
  { estimate, reason }: { readonly estimate: Count; readonly reason: unknown },
) {
  const { run, abandoned, outside } = work;
  reply
    .then((late) => {
      const counted = countOf(readCount(late, work, target, part), inputsOf(part));
      abandoned(counted, target, estimate);
      outside.log(
        "info",
        "late upstream answer: its call had timed out or was cancelled, its tokens are counted",
        {
          request: run.requestId,
          provider: target.provider.name,
          tokens: counted.tokens,
        },
      );
    })
    .catch((failure: unknown) => {
      // It was no answer, so nothing is owed; anything else may be the end of the call itself, which has the reason of that, or an answer
      // that cannot be counted.
      const isRefusal =
        failure !== reason && failure instanceof GatewayError && failure.upstreamStatus !== undefined;
      if (isRefusal) abandoned({ ...estimate, tokens: 0 }, target, estimate);
    });
}

/** Reading, proving and handing on so many vectors takes some milliseconds each: others' turns come in between. */
const MANY_PIECES = 128;

/** Providers whose counts were told to be none. */
const toldOfCount = new WeakSet<Target["provider"]>();

/** The reply as far as its token count is one; that a provider counts characters is told once. */
function readCount(reply: EmbedReply, { outside }: Work, target: Target, part: Part): EmbedReply {
  const health = healthOf(target);
  const before = health.countsCharacters;
  const read = believed(reply, inputsOf(part), health);
  const isRefused = reply.tokens !== undefined && read.tokens === undefined;
  if (isRefused && !health.countsCharacters && !toldOfCount.has(target.provider)) {
    toldOfCount.add(target.provider);
    outside.log("warn", "a provider's token count cannot be right: the gateway estimates instead", {
      provider: target.provider.name,
      model: target.model,
      tokens: String(reply.tokens),
      inputs: part.pieces.length,
    });
  }
  if (health.countsCharacters && !before) {
    outside.log("warn", "provider reports characters instead of tokens: token counts are estimated", {
      provider: target.provider.name,
      model: target.model,
    });
  }
  return read;
}

/** The gateway's own calls are charged to no caller, even when abandoned. */
function ofNobody(work: Work): Work {
  return {
    ...work,
    abandoned(estimate, of, before) {
      if (before === undefined) work.count(estimate, of);
    },
  };
}

/** The reply with our own count of it, where the model's vocabulary is known: the provider's is none. */
async function withOwnCount(
  reply: EmbedReply,
  first: Count,
  work: Work,
  target: Target,
  part: Part,
): Promise<CountedReply> {
  const ownCount = await ownCounts(work, target, part);
  if (!ownCount) return reply;
  const counted = { ...reply, ownCount };
  const more = countOf(counted, inputsOf(part)).tokens - first.tokens;
  if (more > 0) work.count({ tokens: more, tokensSource: "estimated", tokensByInput: undefined }, target);
  return counted;
}

/**
 * A text that a provider truncated silently is refused, so that another may embed it whole; where the model's texts are to be cut, it is told.
 * @throws GatewayError cut_silently
 */
function cutTold(
  reply: CountedReply,
  part: Part,
  work: Work,
  target: Target,
  seen: { readonly isPlain: boolean; readonly byCount: CutByCount | undefined },
): CountedReply {
  const { plan, request } = work;
  const { provider } = target;
  const { byCount } = seen;
  const isTold = (reply.truncated?.length ?? 0) + (reply.averaged?.length ?? 0) > 0;
  if (isTold) return reply;
  const isFull = fillsLimit(part, target, reply.tokens);
  const isPlain = seen.isPlain || isFull;
  if (!isPlain && byCount === undefined) return reply;
  const isAlone = part.pieces.length === 1;
  // The request itself left it to the vendor, who does not say which of several it was.
  const isTheirs = request.fields.truncate !== undefined && provider.accepts("truncate");
  if (isPlain && isAlone && reply.tokens !== undefined && !isTheirs)
    learn(work, target, reply.tokens, "usage");
  if (isAlone && plan.longInput === "truncate") return { ...reply, truncated: [0] };
  if (isTheirs) return reply;
  if (byCount) throw cutByCount(byCount, target);
  const words = isFull
    ? `${reply.tokens} tokens, as many as it looks at`
    : `${reply.tokens} tokens, fewer than the text has words`;
  throw new GatewayError(
    "cut_silently",
    `The provider counted ${words}: it truncated the text silently. Send it in shorter pieces, or set long_input: truncate or average for the model in the routing file.`,
    isAlone ? { tokensMax: reply.tokens, input: 0 } : { tokensMax: reply.tokens },
  );
}

const inputsOf = ({ pieces }: Part) => pieces.map(({ input }) => input);

/** A plugin counts inputs within its call; callers count them within their request. */
function inRequest(error: GatewayError, part: Part): GatewayError {
  const index = error.input ?? tooLongOne(error, part);
  return index === undefined ? error : error.withInput(part.pieces[index]?.place);
}

/** A token is a byte at least, beside a few that mark a text's ends: of several texts often only one can have been counted so long. */
const MARKS_MAX = 8;

function tooLongOne({ kind, tokens }: GatewayError, { pieces }: Part): number | undefined {
  if (kind !== "input_too_long" || tokens === undefined) return undefined;
  const sizeOf = ({ input }: Part["pieces"][number]) =>
    typeof input === "string" ? Buffer.byteLength(input) : input.length;
  const able = [...pieces.keys()].filter((i) => {
    const piece = pieces[i];
    return piece !== undefined && sizeOf(piece) + MARKS_MAX >= tokens;
  });
  return able.length === 1 ? able[0] : undefined;
}

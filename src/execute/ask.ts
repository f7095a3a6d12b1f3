/**
 * Makes one call to one target: it waits for its turn, has a time limit, and its reply is counted and checked. The outcome goes into the target's health.
 * attempts.ts decides whether to call again after a failure.
 */
import type { EndSignal } from "../domain/ending";
import { asGatewayError, GatewayError } from "../domain/errors";
import type { BegunCall } from "../domain/health";
import type { Answered, Part, Target } from "../domain/request";
import { type CallTrace, traceBy } from "../domain/trace";
import type { EmbedCall, EmbedReply, Input } from "../plugin";
import { believed, isCut } from "../tokens/belief";
import { type Count, type CountedReply, countOf, estimateOf } from "../tokens/count";
import { outcomeOf, restMs } from "../upstream/health";
import { prove } from "./assemble";
import { callFor } from "./call";
import { type Chosen, healthOf, isToWait } from "./choose";
import { coalesced } from "./coalesce";
import { proveWhole, tryCut } from "./cut-test";
import { createTestCalls, ofNobody, type TestCalls } from "./cut-test-calls";
import type { Sending, Single } from "./joint-call";
import { refuseMixedLengths, tellLength } from "./lengths";
import { fillsLimit, isKnownToCut, learn, refuseLonger, refuseUndecided } from "./limits";
import { placeBehindNul, refuseReadToNul } from "./nul-test";
import { type CutByCount, cutByCount, limitByCount, ownCounts } from "./own-count";
import { attemptMs, notePace, noteTooSlow } from "./pace";
import { isAboutContent } from "./poison-signs";
import { asProviderError } from "./provider-error";
import { SentCall } from "./sent-call";
import { traceCall } from "./trace-call";
import type { Work } from "./work";

/** @param failures how many calls failed: more than one if they were a cut test's. Left out: one */
export type Failed = Single["failed"];

/**
 * @param signal cancels the call
 * @param failed called with a failure before the call's place at the concurrency gate is released
 * @returns undefined if the call failed, or was never sent because the circuit breaker opened meanwhile or the target asked for a pause
 * @throws the signal's reason
 */
export async function ask(
  work: Work,
  chosen: Chosen,
  part: Part,
  signal: EndSignal,
  failed: Failed,
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

async function inTurn(
  work: Work,
  target: Target,
  depart: () => Sending | undefined,
  signal: EndSignal,
  failed: Failed,
): Promise<Answered | undefined> {
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
  { chosen, part, sharers }: Sending,
  call: BegunCall,
  signal: EndSignal,
  failed: Failed,
): Promise<Answered | undefined> {
  const { outside, plan } = work;
  const { target, isAgain } = chosen;
  const { provider } = target;
  const health = healthOf(target);
  const inputs = inputsOf(part);
  const sending = new SentCall(work, target, part, call, traceCall(work, target, part, sharers));
  const { startedAt, trace } = sending;
  let tests: TestCalls | undefined;
  try {
    if (isKnownToCut(target)) await refuseLonger(part, target, work);
    const believable = readCount(await replyInTime(work, target, part, signal, trace), work, target, inputs);
    // The provider has counted these tokens whether or not its reply is usable. Record them at once: the request may end in the next turn.
    const first = countOf(believable, inputs);
    work.count(first, target);
    const reply =
      believable.tokens === undefined
        ? await withOwnCount(believable, first, work, target, part)
        : believable;
    sending.counted = first;
    trace?.replied(first.tokens, reply.model, reply.vectors[0]?.values.length);
    if (part.pieces.length >= MANY_PIECES) await outside.turn?.();
    const isPlain = isCut(reply, inputs);
    const looked = isPlain ? undefined : limitByCount(work, target, part, reply);
    const byCount = looked && (await looked);
    const isUnknown = !isPlain && reply.tokens === undefined;
    const behindNul = placeBehindNul(part);
    const isInDoubt = isUnknown || (byCount === "in doubt" && !work.run.isMeasurement);
    if (behindNul !== -1 || isInDoubt || isKnownToCut(target)) {
      const made = createTestCalls(work, chosen, signal, (some) =>
        replyInTime(ofNobody(work), target, some, signal, trace),
      );
      tests = made;
      if (behindNul !== -1) await refuseReadToNul(target, behindNul, made.ask);
      if (isInDoubt) await tryCut(work, target, part, made.ask);
      if (isKnownToCut(target)) {
        const undecided = await refuseLonger(part, target, work);
        if (undecided.length > 0) await proveWhole(target, part, undecided, reply, made.ask);
      }
    }
    refuseUndecided(part, target, plan);
    const seen = { isPlain, byCount: byCount === "in doubt" ? undefined : byCount };
    const whole = cutTold(reply, part, work, target, seen);
    const answered = prove(whole, part, plan, target, health.hasAnswered);
    refuseMixedLengths(answered, health);
    tellLength(answered, work, target);
    sending.ended("good", "ok");
    health.mayBeLoading = false;
    health.hasAnswered = true;
    notePace(health, part, outside.monotonic() - startedAt, provider.timeoutMs);
    if (part.pieces.length >= MANY_PIECES) await outside.turn?.();
    return answered;
  } catch (thrown) {
    if (signal.aborted) {
      const reason = asGatewayError(signal.reason);
      const isInVain = reason.kind === "deadline" && outside.monotonic() - startedAt >= provider.timeoutMs;
      if (isInVain) health.mayBeLoading = false;
      sending.ended(isInVain ? "timed out" : "unknown", reason.kind);
      throw reason;
    }
    const error = inRequest(asProviderError(thrown, work, target), part);
    if (error.kind === "timeout") {
      noteTooSlow(health, part);
      health.mayBeLoading = false;
    }
    health.lastError = { at: outside.now(), kind: error.kind, message: error.inLog };
    if (error.kind === "input_too_long" && error.tokensMax !== undefined)
      learn(work, target, error.tokensMax, "words");
    health.restsUntil = Math.max(health.restsUntil, outside.monotonic() + restMs(error));
    // If the provider cannot take one text, sending that text again says nothing new about the provider's health.
    sending.ended(isAgain && isAboutContent(error) ? "unknown" : outcomeOf(error), error.kind);
    failed(target, error, Math.max(1, tests?.failures() ?? 0));
    return undefined;
  }
}

/** One promise for all that may end the wait: a plugin may ignore the signal, and the time limit holds anyway. */
function replyInTime(
  work: Work,
  target: Target,
  part: Part,
  signal: EndSignal,
  trace: CallTrace | undefined,
): Promise<EmbedReply> {
  const { outside } = work;
  const { provider } = target;
  const controller = new AbortController();
  const inputs = inputsOf(part);
  const call = { ...callFor(work, target), inputs, signal: controller.signal };
  if (trace) traceBy(controller.signal, trace);
  const timeoutMs = attemptMs(work, target, part);
  return new Promise((resolve, reject) => {
    let callOff: (() => void) | undefined;
    let isOver = false;
    const over = () => {
      isOver = true;
      signal.removeEventListener("abort", stop);
      callOff?.();
    };
    // Record the call in the same turn in which it is abandoned: the request's row may be written in the next turn.
    const abandon = (reason: unknown, isSent: boolean) => {
      over();
      controller.abort(reason);
      const estimate = estimateOf(inputs);
      if (isSent) work.abandoned(estimate, target);
      reject(reason);
      countLate(reply, work, target, part, { estimate, reason });
    };
    const stop = () => abandon(signal.reason, true);
    const isLate = signal.aborted;
    if (isLate) controller.abort(signal.reason);
    else {
      signal.addEventListener("abort", stop);
      if (Number.isFinite(timeoutMs))
        callOff = outside.alarm(timeoutMs, () => abandon(tooSlow(timeoutMs), true));
    }
    const reply = begunBy(provider, call);
    if (isLate) return abandon(signal.reason, false);
    reply.then(
      (inTime) => {
        if (isOver) return;
        over();
        resolve(inTime);
      },
      (thrown: unknown) => {
        if (isOver) return;
        over();
        reject(thrown);
      },
    );
  });
}

/** A plugin may throw synchronously, or return something that is not a promise. */
function begunBy({ upstream }: Target["provider"], call: EmbedCall): Promise<EmbedReply> {
  try {
    return Promise.resolve(upstream.embed(call));
  } catch (thrown) {
    return Promise.reject(thrown);
  }
}

const tooSlow = (timeoutMs: number) =>
  new GatewayError(
    "timeout",
    `The provider did not answer within ${Math.round(timeoutMs)} ms (timeout_ms). If it is slow but not down, raise timeout_ms, or lower max_inputs of the model, in the routing file.`,
  );

/** The reply to an abandoned call has a token count, which replaces the estimate. */
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
      const inputs = inputsOf(part);
      const counted = countOf(readCount(late, work, target, inputs), inputs);
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
      // A refusal costs nothing. Any other error may come from cancelling the call itself (its reason is then the signal's), or be a reply
      // that cannot be counted.
      const isRefusal =
        failure !== reason && failure instanceof GatewayError && failure.upstreamStatus !== undefined;
      if (isRefusal) abandoned({ ...estimate, tokens: 0 }, target, estimate);
    });
}

/** Reading, checking and passing on this many vectors takes some milliseconds each, so other work runs in between. */
const MANY_PIECES = 128;

/** Providers for which the log already says that their token counts are unusable. */
const toldOfCount = new WeakSet<Target["provider"]>();

/** Reads the token count of a reply. That a provider counts characters instead is logged once. */
function readCount(
  reply: EmbedReply,
  { outside }: Work,
  target: Target,
  inputs: readonly Input[],
): EmbedReply {
  const health = healthOf(target);
  const before = health.countsCharacters;
  const read = believed(reply, inputs, health);
  const isRefused = reply.tokens !== undefined && read.tokens === undefined;
  if (isRefused && !health.countsCharacters && !toldOfCount.has(target.provider)) {
    toldOfCount.add(target.provider);
    outside.log("warn", "a provider's token count cannot be right: the gateway estimates instead", {
      provider: target.provider.name,
      model: target.model,
      tokens: String(reply.tokens),
      inputs: inputs.length,
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

/** If the provider's count is unusable, puts our own count in its place, where the model's vocabulary is known. */
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
 * A text that a provider truncated silently is an error, so that another provider may embed the whole text. If the routing file allows
 * cutting for this model, the answer says that the text was cut.
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
  // The caller asked the vendor to truncate; with several texts the vendor does not say which one it cut.
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

/** A plugin gives the input's index within its call; callers know the index within their request. */
function inRequest(error: GatewayError, part: Part): GatewayError {
  const index = error.input ?? tooLongOne(error, part);
  return index === undefined ? error : error.withInput(part.pieces[index]?.place);
}

/** A token is at least one byte, apart from the few that mark a text's ends. So of several texts often only one can have this many tokens. */
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

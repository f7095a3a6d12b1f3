/**
 * One call with the single inputs of several requests. Requests may join until the concurrency gate lets it through. Each request then gets
 * its own result: its vector, its share of the tokens, or a failure that says nothing about another request's input.
 * coalesce.ts decides who may join; `shareOf` divides what an answer says about one input.
 */

import { sharesOf } from "../cache/apportion";
import { Ending, type EndSignal } from "../domain/ending";
import { GatewayError } from "../domain/errors";
import type { Answered, Coalescing, Part, Piece, Run, Target } from "../domain/request";
import { type Count, estimateOf } from "../tokens/count";
import { carrying } from "./carve";
import { type Chosen, healthOf, isToWait } from "./choose";
import { limitsOf } from "./pace";
import { isAboutContent } from "./poison-signs";
import type { Work } from "./work";

/** One request's call with its single input. */
export interface Single {
  readonly work: Work;
  readonly chosen: Chosen;
  readonly piece: Piece;
  /** Ends this request's wait; the call goes on for the other requests. */
  readonly signal: EndSignal;
  /** Called when the call fails, with this request's own target. */
  readonly failed: (target: Target, error: GatewayError, failures?: number) => void;
}

/** The contents of a call, fixed when its turn has come. */
export interface Sending {
  readonly chosen: Chosen;
  readonly part: Part;
  /** The traced requests that share the call; left out if only one does. */
  readonly sharers?: readonly Run[] | undefined;
}

/**
 * Waits at the concurrency gate and makes the call.
 * @param depart returns the call once there is a place; undefined: no call is needed any more
 */
export type InTurn = (
  work: Work,
  target: Target,
  depart: () => Sending | undefined,
  signal: EndSignal,
  failed: Single["failed"],
) => Promise<Answered | undefined>;

/** apart: the result says nothing about this request's input, which must be sent alone. undefined: `failed` was called, or nothing was sent. */
export type Told = Answered | "apart" | undefined;

export interface JointCall {
  /** @returns undefined if the call takes no more requests: start another one */
  join(single: Single): Promise<Told> | undefined;
}

interface Member extends Single {
  readonly tell: (told: Told) => void;
  readonly fail: (thrown: unknown) => void;
}

/**
 * A call to which requests must be added at once, in the same turn.
 * @param first the request whose parameters the call uses; those who join have equal ones
 * @param closed called once, when no request can join any more
 */
export function beginJointCall(
  first: Single,
  { windowMs, isSpread }: Coalescing,
  inTurn: InTurn,
  closed: () => void,
): JointCall {
  const { work, chosen } = first;
  const { target } = chosen;
  const { outside } = work;
  /** Requests that still wait for the call. */
  const members = new Set<Member>();
  const requests = new Set<object>();
  const fits = carrying(limitsOf(target));
  const { promise: windowOver, resolve: endWindow } = Promise.withResolvers<void>();
  let callOff = () => {};
  const allGone = new Ending();
  let isOpen = true;
  /** The requests whose inputs were sent, in the call's order; includes those that have stopped waiting. */
  let sent: readonly Member[] = [];
  /** Of the answer's first count. */
  let shares: readonly number[] = [];
  /** For requests that stopped waiting: the estimate that was recorded as their share. */
  const estimates = new Map<Member, Count>();
  let isEnded = false;

  function close(): void {
    if (!isOpen) return;
    isOpen = false;
    closed();
    callOff();
    endWindow();
  }

  function left(member: Member): void {
    members.delete(member);
    if (!isEnded && sent.includes(member)) abandonedBy(member, estimateOf([member.piece.input]));
    if (members.size > 0) return;
    close();
    allGone.abort(member.signal.reason);
  }

  function depart(): Sending | undefined {
    close();
    // A call that tests a recovering provider carries one request only.
    if (!healthOf(target).breaker.isClosed()) return undefined;
    for (const member of [...members]) {
      if (!isToWait(member.work, target)) continue;
      members.delete(member);
      member.tell(undefined);
    }
    if (members.size === 0) return undefined;
    sent = [...members];
    const isTraced = sent.some((member) => member.work.run.trace !== undefined);
    return {
      chosen: { ...chosen, isAgain: sent.every((member) => member.chosen.isAgain) },
      part: { pieces: sent.map(({ piece }) => piece) },
      sharers: isTraced ? sent.map((member) => member.work.run) : undefined,
    };
  }

  const sharesIn = (counted: Parameters<typeof sharesOf>[0]) =>
    sharesOf(
      counted,
      sent.map(({ piece }) => piece),
    );

  function shared(counted: Count): readonly { member: Member; share: Count }[] {
    const parts = sharesIn(counted);
    return sent.map((member, i) => {
      const tokens = parts[i] ?? 0;
      return { member, share: { tokens, tokensSource: counted.tokensSource, tokensByInput: [tokens] } };
    });
  }

  /** Counts an answer, also for requests that have stopped waiting. The tokens of a cut test, and what the own count adds, are counted later. */
  function count(counted: Count): void {
    const isAnswer = !isEnded;
    isEnded = true;
    if (isAnswer) shares = sharesIn(counted);
    for (const { member, share } of shared(counted)) {
      if (isAnswer && estimates.has(member)) abandonedBy(member, share);
      else member.work.count(share, target);
    }
  }

  function abandonedBy(member: Member, share: Count): void {
    member.work.abandoned(share, target, estimates.get(member));
    estimates.set(member, share);
  }

  function abandoned(counted: Count, _: Target, before?: Count): void {
    for (const { member, share } of shared(counted))
      if (before !== undefined || !estimates.has(member)) abandonedBy(member, share);
  }

  /** Every request records the whole call, with its own share of the tokens. */
  function called(call: Parameters<Work["called"]>[0]): void {
    for (const [i, member] of sent.entries())
      member.work.called({ ...call, tokens: call.tokens === undefined ? undefined : shares[i] });
  }

  let isApart = false;
  function failed(at: Target, error: GatewayError, failures = 1): void {
    isEnded = true;
    const isShared = sent.length > 1;
    // A provider that sent Retry-After is not called before then.
    const isAskedAgain = isAboutContent(error) && error.retryAfterMs === undefined;
    isApart = isShared && (!error.meaning.fallBack || isAskedAgain);
    if (isShared) {
      outside.log("warn", "upstream call for several requests failed (coalesce_ms)", {
        provider: at.provider.name,
        model: work.route.id,
        requests: sent.map((member) => member.work.run.requestId),
        kind: error.kind,
        upstream_status: error.upstreamStatus,
        reason: error.inLog,
        ...(isApart && { next: "each is asked for alone" }),
      });
    }
    for (const member of [...members]) {
      const { joint } = member.work;
      // A provider that limits the number of calls should get few of them. Any other error may be caused by another request's input.
      if (error.kind !== "overloaded") joint.isOver = true;
      if (isApart) joint.callsInVain += failures;
      else member.failed(member.chosen.target, isShared ? error.withoutWords() : error, failures);
    }
  }

  async function carryOut(): Promise<void> {
    try {
      // Without a window, requests of the same turn still join: nobody needs to wait for them.
      if (windowMs === 0) await outside.turn?.();
      else if (isOpen) {
        callOff = outside.alarm(windowMs, endWindow);
        await windowOver;
      }
      const jointly: Work = { ...work, signal: allGone, count, abandoned, called };
      const answered = await inTurn(jointly, target, depart, allGone, failed);
      const unanswered = isApart ? "apart" : undefined;
      if (!answered) for (const member of members) member.tell(unanswered);
      else {
        const own = sharesIn(answered);
        for (const [place, member] of sent.entries())
          if (members.has(member)) member.tell(shareOf(answered, place, own));
      }
    } catch (thrown) {
      // Requests that stopped waiting were told why by their own signal.
      for (const member of members) member.fail(thrown);
    } finally {
      close();
    }
  }

  const inputsMax = () =>
    isSpread
      ? Math.ceil(healthOf(target).inputsUnderWay / target.provider.gate.places)
      : Number.POSITIVE_INFINITY;

  return {
    join(single) {
      // A hedged second call must not join its own first call: it would be answered no sooner.
      if (requests.has(single.work.run)) return Promise.resolve("apart" as const);
      if (!isOpen || members.size >= inputsMax() || !fits.take(single.piece)) {
        close();
        return undefined;
      }
      const { promise, resolve, reject } = Promise.withResolvers<Told>();
      const { signal } = single;
      const leave = () => {
        reject(signal.reason);
        left(member);
      };
      const stays = () => signal.removeEventListener("abort", leave);
      const member: Member = {
        ...single,
        tell(told) {
          stays();
          resolve(told);
        },
        fail(thrown) {
          stays();
          reject(thrown);
        },
      };
      signal.addEventListener("abort", leave);
      const isFirst = requests.size === 0;
      members.add(member);
      requests.add(single.work.run);
      if (fits.isFull()) close();
      if (isFirst) void carryOut();
      return promise;
    },
  };
}

/** What the answer says about one of its inputs. Its share of the call's token count is an estimate of the tokens of its own text. */
function shareOf(answered: Answered, place: number, shares: readonly number[]): Answered {
  const { part, vectors, typed, tokensSource, tokensByInput, truncated, averaged } = answered;
  const piece = part.pieces[place];
  const values = vectors[place];
  if (piece === undefined || values === undefined)
    throw new GatewayError("internal", "The gateway lost track of which vector belongs to which request.");
  const own = (places: readonly number[]) => (places.includes(place) ? [0] : []);
  return {
    ...answered,
    part: { pieces: [piece] },
    vectors: [values],
    typed: typed?.slice(place, place + 1),
    tokens: shares[place] ?? 0,
    tokensSource: tokensByInput ? tokensSource : "estimated",
    tokensByInput: shares.slice(place, place + 1),
    truncated: own(truncated),
    averaged: own(averaged),
  };
}

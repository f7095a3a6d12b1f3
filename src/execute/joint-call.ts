/**
 * One call that carries the single inputs of several requests. It may be joined until there is a place for it at the gate; then each
 * request is told its own: its vector, its share of the tokens, a failure without words about another's input.
 * Who may join is in coalesce.ts; what else an answer tells of one input is divided in `shareOf`.
 */

import { sharesOf } from "../cache/apportion";
import { Ending, type EndSignal } from "../domain/ending";
import { GatewayError } from "../domain/errors";
import type { Answered, Coalescing, Part, Piece, Target } from "../domain/request";
import { type Count, estimateOf } from "../tokens/count";
import { carrying } from "./carve";
import { type Chosen, healthOf, isToWait } from "./choose";
import { limitsOf } from "./pace";
import { isAboutContent } from "./poison-signs";
import type { Work } from "./work";

/** A request's call of one input. */
export interface Single {
  readonly work: Work;
  readonly chosen: Chosen;
  readonly piece: Piece;
  /** Ends this request's wait; the call goes on for the others. */
  readonly signal: EndSignal;
  /** Called with a failure of the call, at the target as this request has it. */
  readonly failed: (target: Target, error: GatewayError) => void;
}

/** What a call consists of, once it is its turn. */
export interface Sending {
  readonly chosen: Chosen;
  readonly part: Part;
}

/**
 * Waits for a place and makes the call.
 * @param depart is asked for the call when there is a place; undefined: no call is needed any more
 */
export type InTurn = (
  work: Work,
  target: Target,
  depart: () => Sending | undefined,
  signal: EndSignal,
  failed: Single["failed"],
) => Promise<Answered | undefined>;

/** apart: nothing is known of this request's input, which is to be sent alone. undefined: `failed` was told, or nothing was sent. */
export type Told = Answered | "apart" | undefined;

export interface JointCall {
  /** @returns undefined where it takes no more: another must be begun */
  join(single: Single): Promise<Told> | undefined;
}

interface Member extends Single {
  readonly tell: (told: Told) => void;
  readonly fail: (thrown: unknown) => void;
}

/**
 * A call to which members must be added at once, in the same turn.
 * @param first whose words it has: those who join it have the same
 * @param closed called once when no request can join any more
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
  /** Those who still wait for it. */
  const members = new Set<Member>();
  const requests = new Set<object>();
  const fits = carrying(limitsOf(target));
  const { promise: windowOver, resolve: endWindow } = Promise.withResolvers<void>();
  let callOff = () => {};
  const allGone = new Ending();
  let isOpen = true;
  /** Whose inputs were sent, in the call's order: also those who have gone since. */
  let sent: readonly Member[] = [];
  let shares: readonly number[] = [];
  /** Of those who did not wait for the answer, what their share was taken for. */
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
    // What tries a provider again is one request's call.
    if (!healthOf(target).breaker.isClosed()) return undefined;
    for (const member of [...members]) {
      if (!isToWait(member.work, target)) continue;
      members.delete(member);
      member.tell(undefined);
    }
    if (members.size === 0) return undefined;
    sent = [...members];
    return {
      chosen: { ...chosen, isAgain: sent.every((member) => member.chosen.isAgain) },
      part: { pieces: sent.map(({ piece }) => piece) },
    };
  }

  function shared(counted: Count): readonly { member: Member; share: Count }[] {
    shares = sharesOf(
      counted,
      sent.map(({ piece }) => piece),
    );
    return sent.map((member, i) => {
      const tokens = shares[i] ?? 0;
      return { member, share: { tokens, tokensSource: counted.tokensSource, tokensByInput: [tokens] } };
    });
  }

  /** Also of an answer that comes when some have gone. */
  function count(counted: Count): void {
    isEnded = true;
    for (const { member, share } of shared(counted)) {
      if (estimates.has(member)) abandonedBy(member, share);
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

  /** Each request tells of the whole call, and of its own tokens. */
  function called(call: Parameters<Work["called"]>[0]): void {
    for (const [i, member] of sent.entries())
      member.work.called({ ...call, tokens: call.tokens === undefined ? undefined : shares[i] });
  }

  let isApart = false;
  function failed(at: Target, error: GatewayError): void {
    isEnded = true;
    const isShared = sent.length > 1;
    // Who says when to come back is left alone until then.
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
      // Limited for its calls, the provider had better get few of them; else, whatever it was may be another request's doing.
      if (error.kind !== "overloaded") joint.isOver = true;
      if (isApart) joint.callsInVain += 1;
      else member.failed(member.chosen.target, isShared ? error.withoutWords() : error);
    }
  }

  async function carryOut(): Promise<void> {
    try {
      // Those who come in the same turn as the first are no reason to wait, and no reason to go without.
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
        for (const [place, member] of sent.entries())
          if (members.has(member)) member.tell(shareOf(answered, place, shares));
      }
    } catch (thrown) {
      // Those who have gone were told why by their own signal.
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
      // A request's second call beside its first is there to be answered sooner, not by the same.
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

/** What the answer tells of one of its inputs. A share of what was counted for all is an estimate of what its own text came to. */
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

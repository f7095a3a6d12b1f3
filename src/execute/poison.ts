/**
 * One input that a provider cannot embed fails its whole call. This finds and names it by sending the call again in halves (binary search).
 * Answers of good halves are kept, so that they are not sent again. poison-signs.ts says which errors lead here.
 */

import type { GatewayError } from "../domain/errors";
import type { Part, Piece, Target } from "../domain/request";
import { unlessAborted } from "../domain/until";
import { attempts } from "./attempts";
import { halves } from "./carve";
import { healthOf } from "./choose";
import { isAboutContent } from "./poison-signs";
import type { Work } from "./work";

/** Pieces that were refused together. */
interface Suspects {
  readonly part: Part;
  readonly error: GatewayError;
}

/**
 * @param target the target that refused the part
 * @throws GatewayError that names the input at fault, or the original error if no single input is at fault
 */
export async function isolate(work: Work, part: Part, target: Target, original: GatewayError): Promise<void> {
  const { evidence, searches, signal } = work;
  // If the provider currently fails every call and its circuit breaker is open, the search cannot tell one input from another.
  if (original.meaning.fallBack && !healthOf(target).breaker.isClosed()) throw original.withInput(undefined);
  const [only, ...others] = part.pieces;
  if (only && others.length === 0) {
    const isOwnFault = await unlessAborted(signal, evidence.awaited(target));
    throw original.withInput(isOwnFault ? only.place : undefined);
  }
  evidence.begin();
  try {
    // If the request as a whole is at fault, all of its parts are refused: one search is enough to find out.
    const search = searches.last.then(() => searched(work, part, target, original));
    searches.last = search.catch(() => undefined);
    await search;
  } finally {
    evidence.end();
  }
}

async function searched(work: Work, part: Part, target: Target, original: GatewayError): Promise<void> {
  work.signal.throwIfAborted();
  const error = await findFault(work, part, target, original);
  if (error === undefined) return;
  // Before the next search starts.
  work.fail(error);
  throw error;
}

/** @returns undefined if everything was answered in smaller calls */
async function findFault(
  work: Work,
  whole: Part,
  target: Target,
  original: GatewayError,
): Promise<GatewayError | undefined> {
  const { evidence, route } = work;
  const search: Work = {
    ...work,
    route: { ...route, targets: [target] },
    isSearch: true,
    fail: () => undefined,
  };
  const noOnesFault = original.withInput(undefined);
  const accused: Suspects[] = [];
  const suspects: Suspects[] = [{ part: whole, error: original }];
  let callsLeft = 2 * Math.ceil(Math.log2(whole.pieces.length)) + 2;
  for (let next = suspects.shift(); next; next = suspects.shift()) {
    if (next.part.pieces.length === 1) accused.push(next);
    else {
      callsLeft -= 2;
      const isDown = !healthOf(target).breaker.isClosed() && !evidence.isThere(target);
      if (callsLeft < 0 || isDown) return noOnesFault;
      const outcomes = await Promise.all(
        divided(next).map(async (part) => {
          const outcome = await attempts(search, part);
          // At once: whatever happens to the other half, this one is not sent again.
          if (outcome.kind === "answered") await work.take(outcome.answered, target);
          return { part, outcome };
        }),
      );
      const refused: Suspects[] = [];
      for (const { part, outcome } of outcomes) {
        if (outcome.kind === "answered") continue;
        // A different error came in between, so no conclusion is possible.
        if (outcome.kind !== "failed" || !isAboutContent(outcome.error)) return noOnesFault;
        refused.push({ part, error: outcome.error });
      }
      suspects.unshift(...refused);
    }
    const named = evidence.isThere(target) ? accused[0] : undefined;
    if (named) return named.error.withInput(named.part.pieces[0]?.place);
  }
  return accused.length > 0 ? noOnesFault : undefined;
}

/** If the answer showed which vector was invalid, separates that input from the others; otherwise halves the part. */
function divided({ part, error }: Suspects): readonly Part[] {
  const isNamed = ({ place }: Piece) => error.isUnsound && place === error.input;
  const named = part.pieces.filter(isNamed);
  const others = part.pieces.filter((piece) => !isNamed(piece));
  return named.length > 0 && others.length > 0 ? [{ pieces: named }, { pieces: others }] : halves(part);
}

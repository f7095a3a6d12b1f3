/**
 * Answers a part, from its first call to its vectors. A part that no single call can serve is divided among several calls.
 * A new reason to divide a part is a branch of `answer`.
 */

import { asGatewayError } from "../domain/errors";
import type { Part } from "../domain/request";
import { allDone } from "../domain/until";
import { attempts } from "./attempts";
import { halves } from "./carve";
import type { Chosen } from "./choose";
import { canFit, fitAnew } from "./fit-anew";
import type { History } from "./history";
import { isolate } from "./poison";
import { isSuspect, isTooMuch } from "./poison-signs";
import type { Work } from "./work";

/** @throws GatewayError that ends the request; the request's other calls are cancelled by then */
export async function answer(work: Work, part: Part, history?: History, first?: Chosen): Promise<void> {
  try {
    const rest = await begun(work, part, history, first);
    if (rest.length > 0) await allDone(rest);
  } catch (thrown) {
    const error = asGatewayError(thrown);
    work.fail(error);
    throw error;
  }
}

/** @returns the parts that are still to be answered */
async function begun(work: Work, part: Part, history?: History, first?: Chosen): Promise<Promise<void>[]> {
  const { plan, evidence } = work;
  // The follow-up calls begin before this one is marked as ended. Otherwise, code that waits for evidence would learn too early that no more comes.
  evidence.begin();
  try {
    const outcome = await attempts(work, part, history, first);
    if (outcome.kind === "answered") {
      const taking = work.take(outcome.answered, outcome.target);
      return taking ? [taking] : [];
    }
    if (outcome.kind === "carved anew") {
      const { parts, history: before, inTurn } = outcome;
      if (inTurn) return [oneByOne(work, parts, before)];
      return parts.map((smaller) => answer(work, smaller, before));
    }
    const { error, target } = outcome;
    if (isTooMuch(error, part, plan)) return halves(part).map((half) => answer(work, half));
    if (canFit(error, work)) {
      const [piece] = part.pieces;
      if (part.pieces.length > 1 || !piece) return halves(part).map((half) => answer(work, half));
      return [fitAnew(work, piece, target, error, answer)];
    }
    if (isSuspect(error, part, plan)) return [isolate(work, part, target, error)];
    throw error;
  } finally {
    evidence.end();
  }
}

async function oneByOne(work: Work, parts: readonly Part[], history: History): Promise<void> {
  for (const part of parts) await answer(work, part, history);
}

/**
 * A part from its first call to its vectors: what no single call can do is divided among several.
 * Another reason to divide a part is a branch of `answer`.
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

/** @throws GatewayError that ends the request; its other calls are ended already */
export async function answer(work: Work, part: Part, history?: History, first?: Chosen): Promise<void> {
  try {
    await allDone(await begun(work, part, history, first));
  } catch (thrown) {
    const error = asGatewayError(thrown);
    work.fail(error);
    throw error;
  }
}

/** @returns what is left to be done */
async function begun(work: Work, part: Part, history?: History, first?: Chosen): Promise<Promise<void>[]> {
  const { plan, evidence } = work;
  // What it leads to has begun before it ends, so that those who wait for evidence are not told too early that none will come.
  evidence.begin();
  try {
    const outcome = await attempts(work, part, history, first);
    if (outcome.kind === "answered") {
      work.take(outcome.answered, outcome.target);
      return [];
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

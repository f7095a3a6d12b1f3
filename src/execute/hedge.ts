/**
 * Hedged requests: a single-input request that is slow to be answered is sent a second time, and the first good answer is used.
 * Off unless the model's entry says `hedge_after_ms`; a new condition for it is a line of `isHedged`.
 */

import { Ending, type EndSignal } from "../domain/ending";
import { GatewayError } from "../domain/errors";
import type { Answered, Part } from "../domain/request";
import { ask, type Failed } from "./ask";
import { type Chosen, chooseBeside } from "./choose";
import type { History } from "./history";
import type { Work } from "./work";

/** Only a request's first call is hedged. */
export function isHedged({ route, plan, run }: Work, { calls }: History): boolean {
  return route.hedgeAfterMs !== undefined && plan.pieces.length === 1 && calls === 0 && run.attemptsMax > 1;
}

/** Like `ask`, with one call or two. The slower one is abandoned, and its tokens are counted if it is answered after all. */
export async function hedged(
  work: Work,
  first: Chosen,
  part: Part,
  signal: EndSignal,
  failed: Failed,
): Promise<Answered | undefined> {
  const over = new Ending();
  const unfollow = over.follow(signal);
  const heard: Failed = (target, error, failures) => {
    // The other call may still be queued, or be waiting for inputs to coalesce with (coalesce_ms).
    if (error.retryAfterMs !== undefined)
      work.comeBackAt.set(target, work.outside.monotonic() + error.retryAfterMs);
    failed(target, error, failures);
  };
  const one = ask(work, first, part, over, heard);
  const second = (await isSlow(work, one)) ? chooseBeside(work, first) : undefined;
  if (!second) return one;
  const two = ask(work, second, part, over, heard);
  try {
    return (await Promise.race([one, two])) ?? (await one) ?? (await two);
  } finally {
    unfollow();
    over.abort(new GatewayError("cancelled", "Another call was answered first."));
  }
}

async function isSlow({ route, outside }: Work, call: Promise<unknown>): Promise<boolean> {
  const { promise: slow, resolve } = Promise.withResolvers<boolean>();
  const callOff = outside.alarm(route.hedgeAfterMs ?? 0, () => resolve(true));
  const done = () => false;
  const first = await Promise.race([slow, call.then(done, done)]);
  callOff();
  return first;
}

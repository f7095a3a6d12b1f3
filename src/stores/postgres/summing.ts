/** Keeps the sums up to date (sums.ts) while the process serves. Every process tries; a lock lets one at a time do it. */
import { Ending } from "../../domain/ending";
import { asGatewayError } from "../../domain/errors";
import type { Outside } from "../../domain/outside";
import type { Pool } from "./pool";
import { sumBite } from "./sums";

const LOOK_EVERY_MS = 10_000;
const PAUSE_MS = 50;

/** @returns a function that stops it */
export function keepSummed(
  pool: Pool,
  { sleep, random, log }: Pick<Outside, "sleep" | "random" | "log">,
): () => void {
  const over = new Ending();

  async function forEver(): Promise<void> {
    for (;;) {
      await sleep(LOOK_EVERY_MS * (0.5 + random()), over);
      try {
        while (await sumBite(pool)) await sleep(PAUSE_MS, over);
      } catch (thrown) {
        if (over.aborted) return;
        // The pool reports a database that is down.
        if (pool.downSince() === undefined)
          log("warn", "requests could not be summed up: retrying", { reason: asGatewayError(thrown).inLog });
      }
    }
  }

  // The loop rejects only when it is stopped.
  forEver().catch(() => undefined);
  return () => over.abort("over");
}

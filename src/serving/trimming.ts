/**
 * Checks now and then whether the database has more than `keep` allows, and trims it in small steps (src/books/trimming.ts), with pauses for
 * requests' writes. Every process does; rows that another one has trimmed are simply gone.
 */
import { Ending } from "../domain/ending";
import { asGatewayError } from "../domain/errors";
import type { Outside } from "../domain/outside";
import type { Gateway } from "../gateway";

const LOOK_EVERY_MS = 600_000;
const PAUSE_MS = 50;

/** @returns a function that ends it */
export function keepTrimmed(
  { trimming }: Pick<Gateway, "trimming">,
  { sleep, random, log }: Pick<Outside, "sleep" | "random" | "log">,
): () => void {
  const over = new Ending();

  async function trim(): Promise<void> {
    let bites = 0;
    try {
      while (await trimming.bite()) {
        bites += 1;
        await sleep(PAUSE_MS, over);
      }
    } catch (thrown) {
      if (over.aborted) return;
      log("warn", "the database could not be trimmed now", { reason: asGatewayError(thrown).message });
    }
    if (bites > 0) log("info", "the database was trimmed", { bites });
  }

  async function forEver(): Promise<void> {
    for (;;) {
      await sleep(LOOK_EVERY_MS * (0.5 + random()), over);
      await trim();
    }
  }

  // It rejects only when stopped.
  forEver().catch(() => undefined);
  return () => over.abort("over");
}

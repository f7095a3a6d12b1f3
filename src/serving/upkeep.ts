/**
 * Work on the database that is nobody's request, in small steps with pauses for requests' writes: trimming what `keep` no longer allows
 * (src/books/trimming.ts), and the sums of finished hours and days (src/books/regrouping.ts). Every process looks now and then; what another one has
 * done is simply done. Another kind of such work is a function here.
 */
import { Ending } from "../domain/ending";
import { asGatewayError } from "../domain/errors";
import type { Outside } from "../domain/outside";
import type { Gateway } from "../gateway";

const TRIM_EVERY_MS = 600_000;
const GROUP_EVERY_MS = 60_000;
/** After a start, or a change of the release, there may be much to do. */
const GROUP_FIRST_MS = 5_000;
const PAUSE_MS = 50;

type World = Pick<Outside, "sleep" | "random" | "log">;
interface Work {
  readonly everyMs: number;
  readonly firstMs: number;
  readonly bite: () => Promise<boolean>;
  failed(reason: string): void;
  done?(bites: number): void;
}

/** @returns a function that ends it */
export const keepTrimmed = ({ trimming }: Gateway["upkeep"], world: World): (() => void) =>
  keepAtIt(world, {
    everyMs: TRIM_EVERY_MS,
    firstMs: TRIM_EVERY_MS,
    bite: () => trimming.bite(),
    failed: (reason) => world.log("warn", "the database could not be trimmed now", { reason }),
    done: (bites) => world.log("info", "the database was trimmed", { bites }),
  });

/** @returns a function that ends it */
export const keepGrouped = ({ regrouping }: Gateway["upkeep"], world: World): (() => void) =>
  keepAtIt(world, {
    everyMs: GROUP_EVERY_MS,
    firstMs: GROUP_FIRST_MS,
    bite: () => regrouping.bite(),
    failed: (reason) =>
      world.log("warn", "sums of finished hours and days could not be made now", { reason }),
  });

function keepAtIt({ sleep, random }: World, { everyMs, firstMs, bite, failed, done }: Work): () => void {
  const over = new Ending();

  async function inBites(): Promise<void> {
    let bites = 0;
    try {
      while (await bite()) {
        bites += 1;
        await sleep(PAUSE_MS, over);
      }
    } catch (thrown) {
      if (over.aborted) return;
      failed(asGatewayError(thrown).message);
    }
    if (bites > 0) done?.(bites);
  }

  async function forEver(): Promise<void> {
    for (let next = firstMs; ; next = everyMs) {
      await sleep(next * (0.5 + random()), over);
      await inBites();
    }
  }

  // It rejects only when stopped.
  forEver().catch(() => undefined);
  return () => over.abort("over");
}

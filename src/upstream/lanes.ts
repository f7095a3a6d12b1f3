/**
 * Limits the calls in flight at one provider, and shares the places between interactive and bulk work, so that neither starves
 * the other. A new lane is a member of `Lane` and a row of WEIGHTS.
 */

import type { Outside } from "../domain/outside";
import type { Gate, Lane } from "../domain/request";
import { NOTHING_TO_DO } from "../domain/until";

/** Places that each lane gets while both have calls waiting. */
const WEIGHTS: Readonly<Record<Lane, number>> = { interactive: 4, bulk: 1 };

/** A call that has waited this long gets every second place, however many interactive calls arrive. */
const AGED_AFTER_MS = 5_000;

/** One place in this many is never given to bulk work, so that a single query finds a free place while a large batch runs at full speed. */
const KEPT_FROM_BULK = 8;

interface Waiting {
  readonly since: number;
  readonly admit: () => void;
}

/** @param queueMax how many calls may wait in each lane before the lane is full */
export function createLanes(
  places: number,
  queueMax: number,
  { monotonic }: Pick<Outside, "monotonic">,
): Gate {
  const bulkPlaces = places === 1 ? 1 : places - Math.max(1, Math.floor(places / KEPT_FROM_BULK));
  const queues: Readonly<Record<Lane, Waiting[]>> = { interactive: [], bulk: [] };
  /** What each lane got while both had calls waiting, divided by its weight: the lane with less comes first. */
  const given: Record<Lane, number> = { interactive: 0, bulk: 0 };
  let free = places;
  let bulkInside = 0;

  const hasPlace = (lane: Lane) => free > 0 && (lane === "interactive" || bulkInside < bulkPlaces);

  function take(lane: Lane): void {
    free -= 1;
    if (lane === "bulk") bulkInside += 1;
  }

  function weightOf(lane: Lane): number {
    const since = queues[lane][0]?.since ?? Number.POSITIVE_INFINITY;
    return monotonic() - since >= AGED_AFTER_MS ? WEIGHTS.interactive : WEIGHTS[lane];
  }

  function nextLane(): Lane | undefined {
    const mayGo = (["interactive", "bulk"] as const).filter(
      (lane) => queues[lane].length > 0 && hasPlace(lane),
    );
    const [one, other] = mayGo;
    if (one === undefined || other === undefined) return one;
    return given[one] <= given[other] ? one : other;
  }

  /** A freed place goes straight to the next waiting call, so that no new call overtakes it. */
  function admitWaiting(): void {
    for (let lane = nextLane(); lane !== undefined; lane = nextLane()) {
      const weight = weightOf(lane);
      const next = queues[lane].shift();
      given[lane] += 1 / weight;
      take(lane);
      next?.admit();
    }
  }

  /** An empty lane does not save up places for later. */
  function catchUp(lane: Lane): void {
    const other = lane === "bulk" ? "interactive" : "bulk";
    if (queues[other].length > 0) given[lane] = Math.max(given[lane], given[other]);
    else given[lane] = given[other] = 0;
  }

  return {
    places,
    isFull: (lane) => queues[lane].length >= queueMax,
    waiting: (lane) => queues[lane].length,
    inside: () => places - free,
    enter(signal, lane) {
      if (signal.aborted) return Promise.reject(signal.reason);
      const queue = queues[lane];
      if (queue.length === 0 && hasPlace(lane)) {
        take(lane);
        return NOTHING_TO_DO;
      }
      if (queue.length === 0) catchUp(lane);
      return new Promise((resolve, reject) => {
        const waiting: Waiting = {
          since: monotonic(),
          admit() {
            signal.removeEventListener("abort", giveUp);
            resolve();
          },
        };
        const giveUp = () => {
          queue.splice(queue.indexOf(waiting), 1);
          reject(signal.reason);
        };
        signal.addEventListener("abort", giveUp);
        queue.push(waiting);
      });
    },
    leave(lane) {
      free += 1;
      if (lane === "bulk") bulkInside -= 1;
      admitWaiting();
    },
  };
}

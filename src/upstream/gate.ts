/**
 * Bounds how many calls are under way at one provider, first come first served.
 * Lanes for interactive and bulk work go here, when there is more than one queue.
 */
import type { Gate } from "../domain";

export function createGate(places: number): Gate {
  let free = places;
  const waiting: (() => void)[] = [];
  return {
    enter(signal) {
      if (signal.aborted) return Promise.reject(signal.reason);
      if (free > 0) {
        free -= 1;
        return Promise.resolve();
      }
      return new Promise((resolve, reject) => {
        const admit = () => {
          signal.removeEventListener("abort", giveUp);
          resolve();
        };
        const giveUp = () => {
          waiting.splice(waiting.indexOf(admit), 1);
          reject(signal.reason);
        };
        signal.addEventListener("abort", giveUp, { once: true });
        waiting.push(admit);
      });
    },
    leave() {
      // The place goes straight to the next in line, so that nobody slips in between.
      const next = waiting.shift();
      if (next) next();
      else free += 1;
    },
  };
}

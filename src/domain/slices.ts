/**
 * Work on the many inputs of one request in slices of less than a millisecond, so that other requests are answered in between. A few inputs are
 * worked on at once, at no cost. Work whose time grows with a request's inputs goes through here, or to a Worker (src/aside/).
 */
import type { Outside } from "./outside";

/** How long a slice holds up others. An answer to another request needs some ten turns of the event loop, and one slice runs in each. */
const SLICE_MS = 0.3;
/** Items between two looks at the clock; so few are never divided. */
const ITEMS = 32;

export type Slicing = Pick<Outside, "monotonic" | "turn" | "slice">;

/**
 * Calls `step` for consecutive ranges of the items, in order.
 * @param count of all items
 * @param step works on the items from `from` to before `to`
 * @returns undefined if all was done at once
 * @throws what `step` throws, at once or through the promise: then no further step is taken
 */
export function inSlices(
  count: number,
  step: (from: number, to: number) => void,
  { monotonic, turn, slice = turn }: Slicing,
): Promise<void> | undefined {
  if (count <= ITEMS || slice === undefined) {
    step(0, count);
    return undefined;
  }
  let next = 0;
  const oneSlice = () => {
    const endsAt = monotonic() + SLICE_MS;
    do {
      const from = next;
      next = Math.min(count, from + ITEMS);
      step(from, next);
    } while (next < count && monotonic() < endsAt);
  };
  oneSlice();
  return next < count ? theRest() : undefined;

  async function theRest(): Promise<void> {
    while (next < count) {
      await slice?.();
      oneSlice();
    }
  }
}

/**
 * Metrics of what all processes have in common, read when they are asked for: the database, and when models end.
 */
import { endOf } from "../routes/lifecycle";
import type { Routes } from "../routes/route";
import type { SharedSample } from "./metrics";

export async function sharedFigures(
  routes: Pick<Routes, "named">,
  databaseBytes: () => Promise<number>,
): Promise<readonly SharedSample[]> {
  const ends = routes.named().flatMap(({ id, targets }): SharedSample[] => {
    // With several routes, the first that ends is what has to be planned for.
    const all = targets.flatMap(({ facts }) => endOf(facts) ?? []);
    return all.length === 0 ? [] : [{ name: "endOfLife", values: [id], value: Math.min(...all) }];
  });
  // What it could not tell is /readyz's to say: here it is a number.
  const bytes = await databaseBytes().catch(() => undefined);
  return [
    ...ends,
    { name: "databaseUp", values: [], value: bytes === undefined ? 0 : 1 },
    { name: "databaseSize", values: [], value: bytes ?? 0 },
  ];
}

/**
 * Metrics that all processes share, read on request: the database, and models' end-of-life dates.
 */
import { endOf } from "../routes/lifecycle";
import type { Routes } from "../routes/route";
import type { SharedSample } from "./metrics";

export async function sharedFigures(
  routes: Pick<Routes, "named">,
  databaseBytes: () => Promise<number>,
): Promise<readonly SharedSample[]> {
  const ends = routes.named().flatMap(({ id, targets }): SharedSample[] => {
    // With several routes, the first one that ends matters.
    const all = targets.flatMap(({ facts }) => endOf(facts) ?? []);
    return all.length === 0 ? [] : [{ name: "endOfLife", values: [id], value: Math.min(...all) }];
  });
  // /readyz reports errors; here a failure is just a number.
  const bytes = await databaseBytes().catch(() => undefined);
  return [
    ...ends,
    { name: "databaseUp", values: [], value: bytes === undefined ? 0 : 1 },
    { name: "databaseSize", values: [], value: bytes ?? 0 },
  ];
}

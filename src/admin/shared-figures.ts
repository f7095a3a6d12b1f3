/**
 * Metrics that all processes share, read on request: the database, and models' end-of-life dates.
 */
import { endOf } from "../routes/lifecycle";
import type { Routes } from "../routes/route";
import type { Stores } from "../stores/stores";
import type { SharedSample } from "./metrics";

export async function sharedFigures(
  routes: Pick<Routes, "named">,
  database: Pick<Stores, "size" | "check">,
): Promise<readonly SharedSample[]> {
  const ends = routes.named().flatMap(({ id, targets }): SharedSample[] => {
    // With several routes, the first one that ends matters.
    const all = targets.flatMap(({ facts }) => endOf(facts) ?? []);
    return all.length === 0 ? [] : [{ name: "endOfLife", values: [id], value: Math.min(...all) }];
  });
  // /readyz reports errors; here a failure is just a number.
  const bytes = await database.size().catch(() => undefined);
  return [
    ...ends,
    { name: "databaseUp", values: [], value: bytes !== undefined && isUsable(database) ? 1 : 0 },
    { name: "databaseSize", values: [], value: bytes ?? 0 },
  ];
}

function isUsable({ check }: Pick<Stores, "check">): boolean {
  try {
    check();
    return true;
  } catch {
    return false;
  }
}

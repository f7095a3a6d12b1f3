/**
 * Limits how deeply a request's field may be nested. Parsing JSON has no limit, but writing it does: a value that could not be written again
 * must be the caller's 400, not a failure on the way to the provider.
 */

/** Many times what a provider's own fields need. */
export const DEPTH_MAX = 64;

export function isTooDeep(value: unknown): boolean {
  if (typeof value !== "object" || value === null) return false;
  // Level by level: recursion would itself fail at some thousand levels.
  let level: readonly object[] = objectsAmong([value]);
  for (let depth = 1; level.length > 0; depth++) {
    if (depth > DEPTH_MAX) return true;
    level = level.flatMap((one) => objectsAmong(Object.values(one)));
  }
  return false;
}

const objectsAmong = (values: readonly unknown[]): object[] =>
  values.filter((value): value is object => typeof value === "object" && value !== null);

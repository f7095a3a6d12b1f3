/**
 * How deeply a field of a request may be nested. Parsing knows no bound, but writing JSON does: a value that nobody could write again
 * must be the caller's 400, not a fault on the way to the provider.
 */

/** What a provider's own fields need, many times over. */
export const DEPTH_MAX = 64;

export function isTooDeep(value: unknown): boolean {
  // A level at a time: recursion would itself end at a depth of some thousands.
  let level: readonly object[] = objectsAmong([value]);
  for (let depth = 1; level.length > 0; depth++) {
    if (depth > DEPTH_MAX) return true;
    level = level.flatMap((one) => objectsAmong(Object.values(one)));
  }
  return false;
}

const objectsAmong = (values: readonly unknown[]): object[] =>
  values.filter((value): value is object => typeof value === "object" && value !== null);

/**
 * The token count of a reply, even an invalid one: vectors are not refused for that. The gateway sees that it is
 * not valid, and estimates.
 */

/** @returns undefined where there is none; not a number where the reply's is not */
export function countAt(reply: unknown, ...path: readonly string[]): number | undefined {
  let value = reply;
  for (const key of path) {
    if (typeof value !== "object" || value === null) return undefined;
    value = Reflect.get(value, key);
  }
  if (value === undefined || value === null) return undefined;
  return typeof value === "number" ? value : Number.NaN;
}

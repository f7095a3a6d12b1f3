/**
 * What a reply says of tokens, whatever it is: vectors are not refused for a count that is none. What can be no count is handed on, for the
 * gateway to see; it estimates instead.
 */

/** @returns undefined where nothing is said; no number where what is said is no number */
export function countAt(reply: unknown, ...path: readonly string[]): number | undefined {
  let value = reply;
  for (const key of path) {
    if (typeof value !== "object" || value === null) return undefined;
    value = Reflect.get(value, key);
  }
  if (value === undefined || value === null) return undefined;
  return typeof value === "number" ? value : Number.NaN;
}

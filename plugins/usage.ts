/**
 * The token count of a reply, even an invalid one: an invalid count is no reason to refuse the vectors. The gateway detects it
 * and estimates the count.
 */

/** @returns undefined where there is none; not a number where the reply's count is not one */
export function countAt(reply: unknown, ...path: readonly string[]): number | undefined {
  let value = reply;
  for (const key of path) {
    if (typeof value !== "object" || value === null) return undefined;
    value = Reflect.get(value, key);
  }
  if (value === undefined || value === null) return undefined;
  return typeof value === "number" ? value : Number.NaN;
}

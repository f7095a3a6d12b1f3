/**
 * The model in a path of a vendor's own API, where it stands between two words and may hold slashes and colons itself.
 * What an escaped name means is the dialect's.
 */

/** @returns what lies between the first `start` and the `end` of the path; undefined where there is nothing */
export function modelBetween(start: string, path: string, end: string): string | undefined {
  const at = path.indexOf(start);
  if (at === -1 || !path.endsWith(end)) return undefined;
  return path.slice(at + start.length, -end.length) || undefined;
}

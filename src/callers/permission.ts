/**
 * Which models a workspace may use: ids and patterns of its settings. For a workspace, a forbidden model does not exist, nor does
 * a provider that serves only such models: code that looks up a name checks here first.
 */
import { matches } from "../config/models";

/** @param ids the requested id, and the one behind its alias: one of them is enough */
export type MayUse = (ids: readonly string[]) => boolean;

/** The pattern of a workspace without restrictions. */
export const ALL_MODELS: readonly string[] = ["*"];

/** For a single check. */
export function mayUse(models: readonly string[], ids: readonly string[]): boolean {
  return models.some((allowed) => ids.some((id) => allowed === id || matches(allowed, id)));
}

/** For many checks: entries without a star are looked up. */
export function permission(models: readonly string[]): MayUse {
  const exact = new Set(models);
  const patterns = models.filter((allowed) => allowed.includes("*"));
  return (ids) => ids.some((id) => exact.has(id) || patterns.some((pattern) => matches(pattern, id)));
}

/**
 * Whether an allowed id may match a pattern of the routing file, and none before it.
 * @param before the patterns that are tried before it
 */
export function mayUsePattern(
  models: readonly string[],
  pattern: string,
  before: readonly string[],
): boolean {
  return models.some((allowed) => {
    if (!allowed.includes("*"))
      return matches(pattern, allowed) && !before.some((earlier) => matches(earlier, allowed));
    const both = inBoth(allowed, pattern);
    return both !== undefined && !before.some((earlier) => covers(earlier, both));
  });
}

/** The pattern of what two patterns with one star have in common; undefined if there is nothing. */
function inBoth(one: string, other: string): string | undefined {
  const [start, end] = partsOf(one);
  const [otherStart, otherEnd] = partsOf(other);
  const isPossible =
    (start.startsWith(otherStart) || otherStart.startsWith(start)) &&
    (end.endsWith(otherEnd) || otherEnd.endsWith(end));
  return isPossible ? `${longer(start, otherStart)}*${longer(end, otherEnd)}` : undefined;
}

function covers(pattern: string, inner: string): boolean {
  const [start, end] = partsOf(pattern);
  const [innerStart, innerEnd] = partsOf(inner);
  return innerStart.startsWith(start) && innerEnd.endsWith(end);
}

function partsOf(pattern: string): readonly [start: string, end: string] {
  const star = pattern.indexOf("*");
  return [pattern.slice(0, star), pattern.slice(star + 1)];
}

const longer = (one: string, other: string) => (one.length > other.length ? one : other);

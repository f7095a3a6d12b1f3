/**
 * The dimensions that a model supports, those that may be requested, and who shortens vectors: the provider, or the gateway by cutting.
 * A new way is a case of `dimensions_policy` (src/domain/facts.ts) and of both functions here.
 */
import type { DimensionsAllowed, KnownFacts } from "./facts";

type Sizes = Pick<KnownFacts, "dimensions" | "dimensions_allowed" | "dimensions_policy">;

export function isAllowed(size: number, allowed: DimensionsAllowed): boolean {
  return Array.isArray(allowed) ? allowed.includes(size) : size >= allowed.min && size <= allowed.max;
}

/** @returns whether a model can return these dimensions, by itself or cut */
export function canMake(
  size: number | undefined,
  { dimensions, dimensions_allowed, dimensions_policy }: Sizes,
): boolean {
  if (size === undefined || size === dimensions) return true;
  // Its dimensions are unknown: the answer will show whether they match.
  if (dimensions === undefined && dimensions_allowed === undefined) return true;
  if (dimensions_allowed !== undefined && isAllowed(size, dimensions_allowed)) return true;
  return dimensions_policy === "truncate" && dimensions !== undefined && size < dimensions;
}

/** The provider is asked for dimensions only if it supports several; never for a model's only dimensions. */
export function dimensionsToAsk(
  requested: number | undefined,
  { dimensions_allowed: allowed }: Sizes,
): number | undefined {
  return requested !== undefined && allowed !== undefined && isAllowed(requested, allowed)
    ? requested
    : undefined;
}

/** The supported dimensions, for an error's message. */
export function sizesInWords({
  dimensions: own,
  dimensions_allowed: allowed,
  dimensions_policy: policy,
}: Sizes): string {
  if (policy === "truncate" && own !== undefined) return `from 1 to ${own} are allowed`;
  if (allowed === undefined) {
    return own === undefined ? "leave 'dimensions' out" : `${own} is the only size it has`;
  }
  return Array.isArray(allowed)
    ? `${allowed.join(", ")} are allowed`
    : `from ${allowed.min} to ${allowed.max} are allowed`;
}

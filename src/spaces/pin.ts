/**
 * `X-Embedgate-Space`: a caller names the space of its stored vectors, and gets no vector from another space.
 */
import { GatewayError } from "../domain/errors";
import { inHeader } from "../domain/header-values";
import type { Route } from "../domain/request";

/** Prefix of a space's name while only a later route has defined it; a prefix, so that the last @ is followed by the dimensions. */
export const UNVERIFIED = "unverified:";

/** @param pinned a space's name, or name@dimensions as in `x-embedding-space`; plain or encoded for a header */
export function refuseOtherSpace(
  asked: string | undefined,
  space: string,
  dimensions: number | undefined,
): void {
  const pinned = asked?.startsWith(UNVERIFIED) ? asked.slice(UNVERIFIED.length) : asked;
  if (pinned === undefined) return;
  const said = inHeader(space);
  for (const name of [said, space]) {
    if (pinned === name || pinned === `${name}@${dimensions}`) return;
    // If the dimensions are known only with the answer, only the name is checked before.
    if (dimensions === undefined && pinned.startsWith(`${name}@`)) return;
  }
  const actual = dimensions === undefined ? said : `${said}@${dimensions}`;
  throw new GatewayError(
    "space_mismatch",
    `The vectors would be in the space '${actual}', not in '${pinned.slice(0, 300)}' as X-Embedgate-Space requires, and could not be compared with those.`,
    { field: "X-Embedgate-Space" },
  );
}

/** Otherwise cached vectors of the old space would be mixed with vectors of the new one. */
export const measuredAnew = (id: string) =>
  new GatewayError(
    "unavailable",
    `The embedding space of '${id}' was just measured again: retry the request.`,
    {
      retryAfterMs: 1_000,
    },
  );

/** The `Retry-After` while a space is measured. */
const MEASURE_AGAIN_MS = 10_000;

export const notMeasuredYet = ({ id }: Pick<Route, "id">) =>
  new GatewayError(
    "rate_limited",
    `That provider's '${id.slice(0, 200)}' has not been measured yet, and too many new model ids were requested in a minute. Retry in a minute, or do not force a provider.`,
    { retryAfterMs: MEASURE_AGAIN_MS },
  );

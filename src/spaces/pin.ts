/**
 * `X-Embedgate-Space`: a caller names the space of its stored vectors, and gets no vector of another space.
 */
import { GatewayError } from "../domain/errors";
import { inHeader } from "../domain/header-values";

/** Prefix of a space's name while only a later route has defined it; a prefix, so that the last @ is followed by the size. */
export const UNVERIFIED = "unverified:";

/** @param pinned a space's name, or name@dimensions as `x-embedding-space` has it; as it is, or as a header has it */
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
    // Where only the answer tells the size, just the name is checked until then.
    if (dimensions === undefined && pinned.startsWith(`${name}@`)) return;
  }
  const actual = dimensions === undefined ? said : `${said}@${dimensions}`;
  throw new GatewayError(
    "space_mismatch",
    `The vectors would be in the space '${actual}', not in '${pinned.slice(0, 300)}' as X-Embedgate-Space requires, and could not be compared with those.`,
    { field: "X-Embedgate-Space" },
  );
}

/** Cached vectors of the old space would be mixed with vectors of the new one. */
export const measuredAnew = (id: string) =>
  new GatewayError(
    "unavailable",
    `The embedding space of '${id}' was just measured again: retry the request.`,
    {
      retryAfterMs: 1_000,
    },
  );

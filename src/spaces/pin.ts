/**
 * `X-Embedgate-Space`: a caller names the space that its stored vectors are in, and gets none of another.
 */
import { GatewayError } from "../domain/errors";
import { inHeader } from "../domain/header-values";

/** Stands before a space's name while a later route alone has told what it is; in front, so that what is behind the last @ is the size. */
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
    // Of a size that only the answer will tell, the name must do until then.
    if (dimensions === undefined && pinned.startsWith(`${name}@`)) return;
  }
  const actual = dimensions === undefined ? said : `${said}@${dimensions}`;
  throw new GatewayError(
    "space_mismatch",
    `The vectors would be in the space '${actual}', not in '${pinned.slice(0, 300)}' as X-Embedgate-Space requires, and could not be compared with those.`,
    { field: "X-Embedgate-Space" },
  );
}

/** Vectors that were found by what the space was would stand beside vectors of what it is now. */
export const measuredAnew = (id: string) =>
  new GatewayError(
    "unavailable",
    `The embedding space of '${id}' was just measured again: retry the request.`,
    {
      retryAfterMs: 1_000,
    },
  );

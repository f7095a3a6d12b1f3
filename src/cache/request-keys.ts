/**
 * What the keys of one request's inputs are: by content, workspace and space; or each its own, where inputs are equal to nothing.
 * A new thing that makes equal inputs unequal for a request is put into the space's name here.
 */

import type { Outside } from "../domain/outside";
import type { EmbedRequest, Route } from "../domain/request";
import type { Input } from "../plugin";
import type { CacheKey } from "./entry";
import { cacheKeys, keyedBy, passingKeys } from "./key";

/** Inputs that are embedded in view of one another are equal to nothing, not even to each other; nor may they be kept or shared. */
export function ownKeys({ inputs }: Pick<EmbedRequest, "inputs">): readonly CacheKey[] {
  return inputs.map((_, place) => `own:${place}`);
}

/** Bytes that are hashed in one turn of the event loop: a millisecond or two. */
const TURN_BYTES = 2 ** 20;

/**
 * @param measured the route's space as it was last measured: vectors that were kept before are of another one
 * @param forced the provider that the request insists on
 * @param scope the workspace, or null where all workspaces share
 * @param isKept whether anything is kept under the keys
 */
export function keysFor(
  request: EmbedRequest,
  route: Pick<Route, "id" | "facts">,
  measured: string,
  forced: string | undefined,
  scope: string | null,
  isKept: boolean,
  { turn }: Pick<Outside, "turn">,
): readonly CacheKey[] | Promise<readonly CacheKey[]> {
  // Who insists on a provider wants its vectors; and what fails there is no failure for those who may be served elsewhere.
  const space = forced === undefined ? measured : `${measured}@${forced}`;
  const about = keyedBy(request, { ...route, space }, scope);
  const keysOf = isKept ? cacheKeys : passingKeys;
  const runs = inTurns(request.inputs);
  const [only = []] = runs;
  if (runs.length <= 1) return keysOf(about, only);
  return (async () => {
    const keys: (readonly CacheKey[])[] = [];
    for (const inputs of runs) {
      if (keys.length > 0) await turn?.();
      keys.push(keysOf(about, inputs));
    }
    return keys.flat();
  })();
}

function inTurns(inputs: readonly Input[]): readonly (readonly Input[])[] {
  const runs: (readonly Input[])[] = [];
  let from = 0;
  let bytes = 0;
  for (const [place, { length }] of inputs.entries()) {
    bytes += 2 * length;
    if (bytes < TURN_BYTES) continue;
    runs.push(inputs.slice(from, place + 1));
    from = place + 1;
    bytes = 0;
  }
  if (from < inputs.length) runs.push(from === 0 ? inputs : inputs.slice(from));
  return runs;
}

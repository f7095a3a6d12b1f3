/**
 * The keys of one request's inputs: by content, workspace and space; or a unique key each, if inputs are never equal.
 * A new thing that makes equal inputs unequal for a request is added to the space's name here.
 */

import type { Outside } from "../domain/outside";
import type { EmbedRequest, Route } from "../domain/request";
import type { Input } from "../plugin";
import type { CacheKey } from "./entry";
import { cacheKeys, keyedBy, passingKeys } from "./key";

/** Inputs that are embedded in the context of each other are never equal, and may not be cached or shared. */
export function ownKeys({ inputs }: Pick<EmbedRequest, "inputs">): readonly CacheKey[] {
  return inputs.map((_, place) => `own:${place}`);
}

/** Bytes hashed in one turn of the event loop: takes a millisecond or two. */
const TURN_BYTES = 2 ** 20;

/**
 * @param measured the route's space by its last measurement: vectors cached before belong to another space
 * @param forced the provider that the request requires
 * @param scope the workspace, or null if all workspaces share the cache
 * @param isKept whether anything is stored under the keys
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
  // A request that forces a provider wants that provider's vectors, and a failure there must not fail requests that may be served elsewhere.
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

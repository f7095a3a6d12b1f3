/**
 * What the keys of one request's inputs are: by content, workspace and space; or each its own, where inputs are equal to nothing.
 * A further thing that makes equal inputs unequal for a request is put into the space's name here.
 */
import type { EmbedRequest, Route } from "../domain";
import type { ForcedProvider } from "../forced-provider";
import type { Outside } from "../outside";
import type { Spaces } from "../spaces/spaces";
import type { CacheKey } from "./entry";
import { cacheKeys, keyedBy } from "./key";

/** Inputs that are embedded in view of one another are equal to nothing, not even to each other. */
export function ownKeys(
  { inputs }: Pick<EmbedRequest, "inputs">,
  { randomBytes }: Pick<Outside, "randomBytes">,
): readonly CacheKey[] {
  return inputs.map(() => randomBytes(32).toHex());
}

/** @param scope the workspace, or null where all workspaces share */
export function keysFor(
  request: EmbedRequest,
  route: Route,
  forced: ForcedProvider | undefined,
  scope: string | null,
  spaces: Pick<Spaces, "revision">,
): readonly CacheKey[] {
  // Vectors that were kept before a space was measured anew are of another one.
  const measured = `${route.space}#${spaces.revision(route.space)}`;
  // Who insists on a provider wants its vectors; and what fails there is no failure for those who may be served elsewhere.
  const space = forced === undefined ? measured : `${measured}@${forced.name}`;
  return cacheKeys(keyedBy(request, { ...route, space }, scope), request.inputs);
}

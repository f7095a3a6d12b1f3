/**
 * What a request may look up in the cache and store there, and under which keys. A request whose inputs share one context (late chunking), or
 * that asks for further types, does not use the cache. src/cache/key.ts defines which inputs are equal.
 */
import type { CacheKey } from "../cache/entry";
import { keysFor, ownKeys } from "../cache/request-keys";
import type { Outside } from "../domain/outside";
import type { EmbedRequest, Route } from "../domain/request";
import type { CacheUse } from "./recall";

export interface Remembering {
  readonly route: Pick<Route, "id" | "facts" | "targets">;
  /** The route's embedding space according to its last measurement. */
  readonly measured: string;
  /** The provider that the request requires. */
  readonly forced: string | undefined;
  readonly workspace: string;
  /** What the request itself allows. */
  readonly use: CacheUse;
  /** Whether each input's vector is independent of the other inputs. */
  readonly isWhole: boolean;
  /** undefined: nothing is cached. */
  readonly caching: { readonly isShared: boolean } | undefined;
  readonly outside: Pick<Outside, "turn">;
}

export interface Remembered {
  /** One per input. */
  readonly keys: readonly CacheKey[];
  readonly use: { -readonly [Name in keyof CacheUse]: CacheUse[Name] };
}

/** Synchronous, unless the texts are so large that it must yield to the event loop. */
export function rememberedBy(request: EmbedRequest, about: Remembering): Remembered | Promise<Remembered> {
  const { route, measured, forced, workspace, use, isWhole, caching, outside } = about;
  if (!isWhole) return { keys: ownKeys(request), use: { find: false, keep: false } };
  const scope = caching?.isShared ? null : workspace;
  const keys = keysFor(request, route, measured, forced, scope, caching !== undefined, outside);
  // Only the float vector of an input is cached.
  const remembered = { use: request.types ? { find: false, keep: false } : { ...use } };
  return keys instanceof Promise
    ? keys.then((all) => ({ keys: all, ...remembered }))
    : { keys, ...remembered };
}

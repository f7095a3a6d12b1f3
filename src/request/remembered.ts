/**
 * What of a request may be found in the cache and kept there, and by what keys. A request whose inputs share one context (late chunking),
 * or are wanted in further types, takes no part. What makes two inputs equal is in src/cache/key.ts.
 */
import type { CacheKey } from "../cache/entry";
import { keysFor, ownKeys } from "../cache/request-keys";
import type { Outside } from "../domain/outside";
import type { EmbedRequest, Route } from "../domain/request";
import type { CacheUse } from "./recall";

export interface Remembering {
  readonly route: Pick<Route, "id" | "facts" | "targets">;
  /** The route's space as it was last measured. */
  readonly measured: string;
  /** The provider that the request insists on. */
  readonly forced: string | undefined;
  readonly workspace: string;
  /** What the request itself allows. */
  readonly use: CacheUse;
  /** Whether each input has a vector of its own, whatever stands beside it. */
  readonly isWhole: boolean;
  /** undefined: nothing is kept. */
  readonly caching: { readonly isShared: boolean } | undefined;
  readonly outside: Pick<Outside, "turn">;
}

export interface Remembered {
  /** One for each input. */
  readonly keys: readonly CacheKey[];
  readonly use: { -readonly [Name in keyof CacheUse]: CacheUse[Name] };
}

/** Synchronously, unless the texts are so large that it must yield to the event loop. */
export function rememberedBy(request: EmbedRequest, about: Remembering): Remembered | Promise<Remembered> {
  const { route, measured, forced, workspace, use, isWhole, caching, outside } = about;
  if (!isWhole) return { keys: ownKeys(request), use: { find: false, keep: false } };
  const scope = caching?.isShared ? null : workspace;
  const keys = keysFor(request, route, measured, forced, scope, caching !== undefined, outside);
  // What is kept of an input is its float vector alone.
  const remembered = { use: request.types ? { find: false, keep: false } : { ...use } };
  return keys instanceof Promise
    ? keys.then((all) => ({ keys: all, ...remembered }))
    : { keys, ...remembered };
}

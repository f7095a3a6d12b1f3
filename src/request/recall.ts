/**
 * Avoids repeated work: equal inputs of a request are merged, cached ones are looked up, and inputs that another request is already
 * fetching are awaited. Only the rest goes to a provider.
 * The cache keys define "equal" (src/cache/key.ts). Embedded inputs are cached one by one, so that a later failure loses none of them.
 */

import type { Recallable } from "../cache/cache";
import { putTogether, withoutDuplicates } from "../cache/duplicates";
import type { CacheEntry, CacheKey } from "../cache/entry";
import type { EndSignal } from "../domain/ending";
import { asGatewayError } from "../domain/errors";
import type { Embedded } from "../domain/request";

/** What a request allows the cache to do (its `Cache-Control`). */
export interface CacheUse {
  readonly find: boolean;
  readonly keep: boolean;
}

export interface Recalled {
  /** One per input, in the request's order. */
  readonly embedded: readonly Embedded[];
  /** Indices of the inputs for which this request itself called a provider. */
  readonly fresh: ReadonlySet<number>;
}

/** Embeds the inputs at these indices; passes each to `take` as soon as it is checked, and resolves when all are done. */
export type EmbedNow = (
  places: readonly number[],
  take: (embedded: ReadonlyMap<number, Embedded>) => void,
) => Promise<void>;

/** Runs once, before anything is embedded or awaited: @param places indices of the inputs that are not cached. */
export type BeforeEmbedding = (places: readonly number[]) => Promise<void>;

/**
 * @param keys one per input; inputs with equal keys have equal vectors
 * @param workspace the workspace of the request
 * @param before while it waits, no other request may wait for this one: otherwise two requests could deadlock
 * @throws GatewayError like embedNow; the signal's reason
 */
export async function recall(
  keys: readonly CacheKey[],
  use: CacheUse,
  cache: Recallable,
  workspace: string,
  signal: EndSignal,
  before: BeforeEmbedding,
  embedNow: EmbedNow,
): Promise<Recalled> {
  const unique = withoutDuplicates(keys);
  const placeOf = new Map<CacheKey, number>();
  for (const place of unique.places) {
    const key = keys[place];
    if (key !== undefined) placeOf.set(key, place);
  }
  const known = new Map<CacheKey, Embedded>();
  const fresh = new Set<number>();
  // Without the cache a request neither waits for others nor shares what it fetches.
  const shares = use.find && use.keep;
  const stillMissing = (wanted: readonly CacheKey[]) => {
    if (use.find) {
      for (const [i, entry] of cache.find(wanted).entries()) {
        const key = wanted[i];
        if (entry && key !== undefined) known.set(key, { ...entry, tokensShared: false });
      }
    }
    return wanted.filter((key) => !known.has(key));
  };
  let missing = stillMissing([...placeOf.keys()]);
  const { shared } = cache;
  if (shared && use.find && missing.length > 0) missing = await notFoundIn(shared, missing, known, signal);
  if (missing.length > 0) await before(missing.map((key) => placeOf.get(key) ?? 0));
  let hasWaited = false;
  while (missing.length > 0) {
    // Looked up again in the turn in which this request registers its flight: otherwise an entry cached meanwhile would be fetched twice.
    missing = stillMissing(missing);
    const boarding = shares ? cache.flights.board(missing, workspace) : undefined;
    const leads = boarding?.leads ?? missing;
    const keyAt = new Map<number, CacheKey>();
    for (const key of leads) keyAt.set(placeOf.get(key) ?? 0, key);
    /** Inputs that other machines may wait for: they must be told if this request fails. */
    const marked = shared && new Set(leads);
    const take = (embedded: ReadonlyMap<number, Embedded>) => {
      const entries = new Map<CacheKey, CacheEntry>();
      for (const [place, one] of embedded) {
        const key = keyAt.get(place);
        if (key === undefined) continue;
        known.set(key, one);
        fresh.add(place);
        entries.set(key, entryOf(one));
      }
      if (use.keep) {
        cache.keep(entries);
        for (const key of marked ? entries.keys() : NOBODY) marked?.delete(key);
      }
      for (const [key, entry] of entries) boarding?.land(key, entry);
    };
    try {
      // A request waits once only. After another machine has failed, all machines call the provider themselves, not one after the other.
      const mayWait: boolean = boarding !== undefined && !hasWaited && leads.length > 0;
      const others: ReadonlySet<CacheKey> = shared && mayWait ? await shared.claim(leads, signal) : NOBODY;
      hasWaited ||= others.size > 0;
      for (const key of others) keyAt.delete(placeOf.get(key) ?? 0);
      if (keyAt.size > 0) await embedNow([...keyAt.keys()], take);
      // Fetches its own inputs first: otherwise two machines could deadlock.
      if (shared && others.size > 0) {
        for (const [key, entry] of await shared.arrivals(others, signal)) {
          known.set(key, { ...entry, tokensShared: false });
          boarding?.land(key, entry);
        }
        boarding?.leave();
      }
      // Their failure fails this request too, unless the provider has just answered this request: then it calls again itself.
      const failures = leads.length > 0 ? "left" : "shared";
      if (boarding && boarding.joins.length > 0) {
        for (const [key, entry] of await boarding.arrivals(signal, failures))
          known.set(key, { ...entry, tokensShared: false });
      } else signal.throwIfAborted();
    } catch (thrown) {
      boarding?.leave(asGatewayError(thrown));
      throw thrown;
    } finally {
      if (shared && marked && marked.size > 0) shared.release(marked);
    }
    boarding?.leave();
    // Inputs whose flight ended without an answer are fetched again.
    missing = missing.filter((key) => !known.has(key));
  }
  const answers = unique.places.map((place) => known.get(keys[place] ?? ""));
  return { embedded: putTogether(answers, unique), fresh };
}

const NOBODY: ReadonlySet<CacheKey> = new Set();

/** Looks up the vectors of other machines and keeps those found. @returns the rest */
async function notFoundIn(
  shared: NonNullable<Recallable["shared"]>,
  missing: readonly CacheKey[],
  known: Map<CacheKey, Embedded>,
  signal: EndSignal,
): Promise<CacheKey[]> {
  for (const [key, entry] of await shared.find(missing, signal))
    known.set(key, { ...entry, tokensShared: false });
  return missing.filter((key) => !known.has(key));
}

/** A share of a call's tokens is not an exact count of this input: a later cache hit reports it as an estimate. */
function entryOf({ tokensShared, ...entry }: Embedded): CacheEntry {
  return tokensShared ? { ...entry, tokensSource: "estimated" } : entry;
}

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
  const wanted = unique.places.map((place) => new Wanted(keys[place] ?? "", place));
  const fresh = new Set<number>();
  // Without the cache a request neither waits for others nor shares what it fetches.
  const shares = use.find && use.keep;
  let missing: readonly Wanted[] = wanted;
  if (use.find) missing = lookedUp(missing, cache);
  const { shared } = cache;
  if (shared && use.find && missing.length > 0) {
    found(missing, await shared.find(missing.map(keyOf), signal));
    missing = missing.filter(isMissing);
  }
  if (missing.length > 0) await before(missing.map(placeOf));
  let hasWaited = false;
  while (missing.length > 0) {
    // Looked up again in the turn in which this request registers its flight: otherwise an entry cached meanwhile would be fetched twice.
    if (use.find) missing = lookedUp(missing, cache);
    const boarding = shares ? cache.flights.board(missing.map(keyOf), workspace) : undefined;
    const led = boarding && boarding.leads.length < missing.length ? new Set(boarding.leads) : undefined;
    for (const one of missing) one.isLed = led?.has(one.key) ?? true;
    const leads = led ? missing.filter(isLed) : missing;
    /** Inputs that other machines may wait for: they must be told if this request fails. */
    const marked = shared && new Set(leads.map(keyOf));
    const take = (embedded: ReadonlyMap<number, Embedded>) => {
      const entries = new Map<CacheKey, CacheEntry>();
      for (const [place, one] of embedded) {
        const own = wanted[unique.answeredBy[place] ?? -1];
        if (own?.place !== place || !own.isLed) continue;
        own.embedded = one;
        fresh.add(place);
        entries.set(own.key, entryOf(one));
      }
      if (use.keep) {
        cache.keep(entries);
        for (const key of marked ? entries.keys() : NOBODY) marked?.delete(key);
      }
      if (boarding) for (const [key, entry] of entries) boarding.land(key, entry);
    };
    try {
      // A request waits once only. After another machine has failed, all machines call the provider themselves, not one after the other.
      const mayWait: boolean = boarding !== undefined && !hasWaited && leads.length > 0;
      const others: ReadonlySet<CacheKey> =
        shared && mayWait ? await shared.claim(leads.map(keyOf), signal) : NOBODY;
      hasWaited ||= others.size > 0;
      if (others.size > 0) for (const one of leads) if (others.has(one.key)) one.isLed = false;
      const own = others.size > 0 ? leads.filter(isLed) : leads;
      if (own.length > 0) await embedNow(own.map(placeOf), take);
      // Fetches its own inputs first: otherwise two machines could deadlock.
      if (shared && others.size > 0) {
        const entries = await shared.arrivals(others, signal);
        found(leads, entries);
        for (const [key, entry] of entries) boarding?.land(key, entry);
        boarding?.leave();
      }
      // Their failure fails this request too, unless the provider has just answered this request: then it calls again itself.
      const failures = leads.length > 0 ? "left" : "shared";
      if (led && boarding) found(missing, await boarding.arrivals(signal, failures));
      else signal.throwIfAborted();
    } catch (thrown) {
      boarding?.leave(asGatewayError(thrown));
      throw thrown;
    } finally {
      if (shared && marked && marked.size > 0) shared.release(marked);
    }
    boarding?.leave();
    // Inputs whose flight ended without an answer are fetched again.
    missing = missing.filter(isMissing);
  }
  return { embedded: putTogether(wanted.map(embeddedOf), unique), fresh };
}

/** An input to be embedded, once for all that are equal. */
class Wanted {
  embedded: Embedded | undefined;
  /** Whether this request fetches it itself. */
  isLed = false;

  constructor(
    readonly key: CacheKey,
    readonly place: number,
  ) {}
}

const keyOf = ({ key }: Wanted) => key;
const placeOf = ({ place }: Wanted) => place;
const embeddedOf = ({ embedded }: Wanted) => embedded;
const isMissing = ({ embedded }: Wanted) => embedded === undefined;
const isLed = (one: Wanted) => one.isLed;

const NOBODY: ReadonlySet<CacheKey> = new Set();

/** Looks inputs up in this machine's cache. @returns the rest */
function lookedUp(missing: readonly Wanted[], cache: Recallable): readonly Wanted[] {
  const entries = cache.find(missing.map(keyOf));
  let isAny = false;
  for (let i = 0; i < missing.length; i++) {
    const entry = entries[i];
    const one = missing[i];
    if (entry === undefined || one === undefined) continue;
    one.embedded = ofCache(entry);
    isAny = true;
  }
  return isAny ? missing.filter(isMissing) : missing;
}

/** Notes what other machines or other requests have found. */
function found(missing: readonly Wanted[], entries: ReadonlyMap<CacheKey, CacheEntry>): void {
  if (entries.size === 0) return;
  for (const one of missing) {
    const entry = entries.get(one.key);
    if (entry) one.embedded = ofCache(entry);
  }
}

function ofCache({ values, tokens, tokensSource, truncated, averaged }: CacheEntry): Embedded {
  return { values, tokens, tokensSource, tokensShared: false, truncated, averaged };
}

/** A share of a call's tokens is not an exact count of this input: a later cache hit reports it as an estimate. */
function entryOf(one: Embedded): CacheEntry {
  const { values, tokens, tokensSource, tokensShared, truncated, averaged } = one;
  return {
    values,
    tokens,
    tokensSource: tokensShared ? "estimated" : tokensSource,
    truncated,
    averaged,
  };
}

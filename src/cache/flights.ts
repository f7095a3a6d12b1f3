/**
 * What is being fetched now, by key, so that equal inputs of several requests are fetched once.
 * A joining request only waits and has no duties, so nothing can be left behind. When extending this, keep `board` free of awaits.
 */
import type { EndSignal } from "../domain/ending";
import { GatewayError } from "../domain/errors";
import { unlessAborted } from "../domain/until";
import { type CacheEntry, type CacheKey, copyOf } from "./entry";

export interface Flights {
  /**
   * Divides keys into those that this request must fetch and those that another request is fetching. Look into the cache and call this in the
   * same turn of the event loop: an entry that arrives in between would be fetched twice.
   * @param workspace the request's workspace: other workspaces may wait for it, but never see a provider's error message about it
   */
  board(keys: readonly CacheKey[], workspace: string): Boarding;
  /** Keys that are being fetched. */
  underWay(): number;
}

export interface Boarding {
  /** Keys that this request must fetch; it then calls `land` for each, or `leave`. */
  readonly leads: readonly CacheKey[];
  /** Keys that another request is fetching. */
  readonly joins: readonly CacheKey[];
  /** Passes the entry to the requests that joined. Cache it first. @throws GatewayError internal if this request does not fetch the key */
  land(key: CacheKey, entry: CacheEntry): void;
  /**
   * Waits until every joined key has landed or was left; with failures "left", keys whose fetch failed count as left. Keys that are missing in the
   * result were left: look into the cache and board them again, and exactly one of the waiting requests will fetch each.
   * @throws the signal's reason; the leader's error if the provider failed (see `leave`), without the provider's message if the leader is
   * of another workspace; GatewayError internal while this request still has to fetch keys itself
   * (two requests could wait for each other for ever)
   */
  arrivals(signal: EndSignal, failures?: "shared" | "left"): Promise<ReadonlyMap<CacheKey, CacheEntry>>;
  /**
   * Ends what has not landed. Always call it at the end; it does nothing if all keys have landed.
   * @param reason the failure, if there was one. A failure of the provider also fails the joined requests: they would only call it again, one after
   * another. Every other reason concerns only the leader (its client, its deadline, one of its inputs), so the others try again. A request
   * that was bound to one provider gives no reason either: the others may be served by another provider.
   */
  leave(reason?: GatewayError): void;
}

type Outcome = { readonly entry: CacheEntry } | { readonly error: GatewayError } | "left";

interface Flight {
  /** The workspace of the leader. */
  readonly workspace: string;
  /** Made for the first request that joins: hardly any does. Never rejects, because nobody may be listening. */
  joined: PromiseWithResolvers<Outcome> | undefined;
}

/** Another request's flight, as who joins it sees it. */
interface Joined {
  readonly outcome: Promise<Outcome>;
  readonly workspace: string;
}

export function openFlights(): Flights {
  const inTheAir = new Map<CacheKey, Flight>();
  return {
    board: (keys, workspace) => new Boarded(inTheAir, keys, workspace),
    underWay: () => inTheAir.size,
  };
}

const NONE: readonly CacheKey[] = [];

class Boarded implements Boarding {
  readonly leads: readonly CacheKey[];
  private readonly own = new Map<CacheKey, Flight>();
  /** Made for the first key that another request is fetching. */
  private joined: Map<CacheKey, Joined> | undefined;

  constructor(
    private readonly inTheAir: Map<CacheKey, Flight>,
    keys: readonly CacheKey[],
    private readonly workspace: string,
  ) {
    const { own } = this;
    for (const key of keys) {
      if (own.has(key)) continue;
      const before = inTheAir.get(key);
      if (before) {
        before.joined ??= Promise.withResolvers<Outcome>();
        this.joined ??= new Map();
        this.joined.set(key, { outcome: before.joined.promise, workspace: before.workspace });
        continue;
      }
      const flight: Flight = { workspace, joined: undefined };
      own.set(key, flight);
      inTheAir.set(key, flight);
    }
    this.leads = own.size === keys.length ? keys : [...own.keys()];
  }

  get joins(): readonly CacheKey[] {
    return this.joined ? [...this.joined.keys()] : NONE;
  }

  land(key: CacheKey, entry: CacheEntry): void {
    const flight = this.own.get(key);
    if (!flight) throw fault("landed what it does not lead");
    // A separate copy: the leader may modify its own vector.
    this.finish(key, flight, flight.joined ? { entry: copyOf(entry) } : "left");
  }

  leave(reason?: GatewayError): void {
    if (this.own.size === 0) return;
    const outcome = reason && isTheProviders(reason) ? { error: reason } : "left";
    for (const [key, flight] of [...this.own]) this.finish(key, flight, outcome);
  }

  async arrivals(
    signal: EndSignal,
    failures: "shared" | "left" = "shared",
  ): Promise<ReadonlyMap<CacheKey, CacheEntry>> {
    const { workspace, joined = new Map<CacheKey, Joined>() } = this;
    if (this.own.size > 0) throw fault("waits for others before its own are done");
    const landed = new Map<CacheKey, CacheEntry>();
    const all = async () => {
      await Promise.all(
        [...joined].map(async ([key, { outcome: landing, workspace: leader }]) => {
          const outcome = await landing;
          if (outcome === "left") return;
          if ("error" in outcome) {
            if (failures === "left") return;
            // The first failure ends the wait: the request has failed, whatever happens to its other inputs.
            throw leader === workspace ? outcome.error : outcome.error.withoutWords();
          }
          landed.set(key, copyOf(outcome.entry));
        }),
      );
    };
    signal.throwIfAborted();
    if (joined.size > 0) await unlessAborted(signal, all());
    return landed;
  }

  private finish(key: CacheKey, flight: Flight, outcome: Outcome): void {
    this.own.delete(key);
    this.inTheAir.delete(key);
    flight.joined?.resolve(outcome);
  }
}

/** An error that names an input is about that input, and the waiting request may have asked for other inputs of the same call. */
const isTheProviders = ({ meaning, input }: GatewayError): boolean => meaning.fallBack && input === undefined;

const fault = (what: string) => new GatewayError("internal", `A request ${what}.`);

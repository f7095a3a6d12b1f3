/**
 * What is being fetched right now, by key, so that equal inputs of several requests are fetched once.
 * A joiner only ever waits: it takes over no duty, so nothing can be left behind. When extending, keep `board` without a wait inside.
 */
import type { EndSignal } from "../domain/ending";
import { GatewayError } from "../domain/errors";
import { unlessAborted } from "../domain/until";
import { type CacheEntry, type CacheKey, copyOf } from "./entry";

export interface Flights {
  /**
   * Divides keys into those that this request is to fetch and those that another fetches already. Look into the cache and board in the
   * same turn of the event loop: what lands in between would be fetched twice.
   * @param workspace whose request it is: others may wait for it, and are never told a provider's words about it
   */
  board(keys: readonly CacheKey[], workspace: string): Boarding;
  /** Keys being fetched. */
  underWay(): number;
}

export interface Boarding {
  /** To be fetched by this request, which then says `land` for each, or `leave`. */
  readonly leads: readonly CacheKey[];
  /** Fetched by another request. */
  readonly joins: readonly CacheKey[];
  /** Hands the entry to those who joined. Keep it in the cache first. @throws GatewayError internal when this request does not lead it */
  land(key: CacheKey, entry: CacheEntry): void;
  /**
   * Waits until every joined key landed or was left; with failures "left", those that failed count as that. Those that are not in the answer were left: look into the cache and board them
   * again, and exactly one of those who waited will lead.
   * @throws the signal's reason; the leader's error, where the provider failed (see `leave`), of another workspace's leader without its
   * words; GatewayError internal while own keys are
   * in the air (two requests could wait for each other for ever)
   */
  arrivals(signal: EndSignal, failures?: "shared" | "left"): Promise<ReadonlyMap<CacheKey, CacheEntry>>;
  /**
   * Ends what has not landed. Always called at the end; nothing happens after all have landed.
   * @param reason why, where something failed. A fault of the provider is the joiners' too: they would only ask it again, one after
   * another. Every other reason is the leader's own (its client, its deadline, one of its inputs), so theirs is to try again. A request
   * that was bound to one provider gives no reason either: others may be served elsewhere.
   */
  leave(reason?: GatewayError): void;
}

type Outcome = { readonly entry: CacheEntry } | { readonly error: GatewayError } | "left";

interface Flight {
  /** Never rejects: there may be no listener. */
  readonly outcome: Promise<Outcome>;
  readonly end: (outcome: Outcome) => void;
  /** The leader's. */
  readonly workspace: string;
  joined: boolean;
}

export function openFlights(): Flights {
  const inTheAir = new Map<CacheKey, Flight>();

  function board(keys: readonly CacheKey[], workspace: string): Boarding {
    const own = new Map<CacheKey, Flight>();
    const joined = new Map<CacheKey, Flight>();
    for (const key of keys) {
      if (own.has(key)) continue;
      const before = inTheAir.get(key);
      if (before) {
        before.joined = true;
        joined.set(key, before);
        continue;
      }
      const { promise: outcome, resolve: end } = Promise.withResolvers<Outcome>();
      const flight = { outcome, end, workspace, joined: false };
      own.set(key, flight);
      inTheAir.set(key, flight);
    }

    function finish(key: CacheKey, flight: Flight, outcome: Outcome): void {
      own.delete(key);
      inTheAir.delete(key);
      flight.end(outcome);
    }

    return {
      leads: [...own.keys()],
      joins: [...joined.keys()],
      land(key, entry) {
        const flight = own.get(key);
        if (!flight) throw fault("landed what it does not lead");
        // A separate copy: the leader may modify its own vector.
        finish(key, flight, flight.joined ? { entry: copyOf(entry) } : "left");
      },
      leave(reason) {
        const outcome = reason && isTheProviders(reason) ? { error: reason } : "left";
        for (const [key, flight] of [...own]) finish(key, flight, outcome);
      },
      async arrivals(signal, failures = "shared") {
        if (own.size > 0) throw fault("waits for others before its own are done");
        const landed = new Map<CacheKey, CacheEntry>();
        const all = async () => {
          await Promise.all(
            [...joined].map(async ([key, flight]) => {
              const outcome = await flight.outcome;
              if (outcome === "left") return;
              if ("error" in outcome) {
                if (failures === "left") return;
                // The first failure ends the wait: the request has failed, whatever becomes of its other inputs.
                throw flight.workspace === workspace ? outcome.error : outcome.error.withoutWords();
              }
              landed.set(key, copyOf(outcome.entry));
            }),
          );
        };
        signal.throwIfAborted();
        if (joined.size > 0) await unlessAborted(signal, all());
        return landed;
      },
    };
  }

  return { board, underWay: () => inTheAir.size };
}

/** An error that names an input is about that input, and the joiner may have asked for others of the same call. */
const isTheProviders = ({ meaning, input }: GatewayError): boolean => meaning.fallBack && input === undefined;

const fault = (what: string) => new GatewayError("internal", `A request ${what}.`);

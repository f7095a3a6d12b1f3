/**
 * The requests in flight: their limit, waiting for the last one, and cutting off the rest.
 * It has no clock: graceful shutdown decides how long to wait (src/serving/ending.ts).
 */
import { Ending } from "../domain/ending";
import { GatewayError } from "../domain/errors";

/** A request in flight. */
export interface Flight {
  /** Ends the request. */
  readonly ending: Ending;
  /** The request's work is done; nothing happens if it is kept. */
  leave(): void;
  /** Keeps the request in flight after its work is done, until the returned function is called. */
  keep(): () => void;
  /** What the caller is told of a failure: if `cut` ended the request, that. */
  reasonOf(thrown: unknown): unknown;
}

export interface UnderWay {
  /** @throws GatewayError busy */
  enter(): Flight;
  /** Does one request's work. @throws GatewayError busy, also if `cut` ended it */
  run<T>(work: (ending: Ending) => Promise<T>): Promise<T>;
  count(): number;
  /** From now on, kept-alive connections are told to close; all requests are still answered. @returns a function that ends this */
  leave(): () => void;
  /** Since `leave`, `drain` or `end`. */
  isLeaving(): boolean;
  /** Like `leave`, and load balancers are told that the gateway is no longer ready. */
  drain(): void;
  /** @throws GatewayError busy, since `drain` or `end` */
  checkStays(): void;
  /** Accepts no more requests; resolves when the last one has ended. */
  end(): Promise<void>;
  /** Ends all requests in flight, each with an answer and its ledger row. */
  cut(): void;
}

/** For clients that obey `Retry-After`: places become free within a moment. */
const COME_BACK_MS = 1_000;

/**
 * @param most the current limit: a reload may change it
 * @param changed called with the number of requests at each change
 */
export function createUnderWay(most: () => number, changed?: (count: number) => void): UnderWay {
  const endings = new Set<Ending>();
  const empty = Promise.withResolvers<void>();
  let isEnding = false;
  let leaving = 0;
  let isDraining = false;

  function enter(): Flight {
    if (isEnding) throw busy(SHUTTING_DOWN);
    if (endings.size >= most())
      throw busy(
        `Too many requests in flight (server.max_concurrent_requests: ${most()}): try again in a moment.`,
      );
    const flight = new InFlight();
    endings.add(flight.ending);
    changed?.(endings.size);
    return flight;
  }

  function left(ending: Ending): void {
    endings.delete(ending);
    changed?.(endings.size);
    if (isEnding && endings.size === 0) empty.resolve();
  }

  class InFlight implements Flight {
    readonly ending = new Ending();
    private isKept = false;

    leave(): void {
      if (!this.isKept) left(this.ending);
    }

    keep(): () => void {
      this.isKept = true;
      return () => left(this.ending);
    }

    reasonOf(thrown: unknown): unknown {
      const { aborted, reason } = this.ending;
      return aborted && thrown instanceof GatewayError && thrown.kind === "cancelled" ? reason : thrown;
    }
  }

  return {
    enter,
    async run(work) {
      const flight = enter();
      try {
        return await work(flight.ending);
      } catch (thrown) {
        throw flight.reasonOf(thrown);
      } finally {
        flight.leave();
      }
    },
    count: () => endings.size,
    leave() {
      leaving += 1;
      return () => {
        leaving -= 1;
      };
    },
    isLeaving: () => leaving > 0 || isDraining,
    drain() {
      isDraining = true;
    },
    checkStays() {
      if (isDraining) throw busy(SHUTTING_DOWN);
    },
    end() {
      isEnding = true;
      isDraining = true;
      if (endings.size === 0) empty.resolve();
      return empty.promise;
    },
    cut() {
      const reason = busy("The gateway shut down before the request was done.");
      for (const ending of endings) ending.abort(reason);
    },
  };
}

const SHUTTING_DOWN = "The gateway is shutting down: try again, and another one will answer.";

const busy = (message: string) => new GatewayError("busy", message, { retryAfterMs: COME_BACK_MS });

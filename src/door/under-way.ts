/**
 * The requests in flight: their limit, waiting for the last one, and cutting off the rest.
 * It has no clock: graceful shutdown decides how long to wait (src/serving/ending.ts).
 */
import { Ending } from "../domain/ending";
import { GatewayError } from "../domain/errors";

export interface UnderWay {
  /**
   * Does one request's work; its controller ends it.
   * @param work may keep the request in flight after it is done itself, until it calls what `keep` returned
   * @throws GatewayError busy, also if `cut` ended it
   */
  run<T>(work: (ending: Ending, keep: () => () => void) => Promise<T>): Promise<T>;
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
  return {
    async run(work) {
      if (isEnding) throw busy(SHUTTING_DOWN);
      if (endings.size >= most())
        throw busy(
          `Too many requests in flight (server.max_concurrent_requests: ${most()}): try again in a moment.`,
        );
      const ending = new Ending();
      endings.add(ending);
      changed?.(endings.size);
      let isKept = false;
      const leave = () => {
        endings.delete(ending);
        changed?.(endings.size);
        if (isEnding && endings.size === 0) empty.resolve();
      };
      try {
        return await work(ending, () => {
          isKept = true;
          return leave;
        });
      } catch (thrown) {
        const isCut = ending.aborted && thrown instanceof GatewayError && thrown.kind === "cancelled";
        throw isCut ? ending.reason : thrown;
      } finally {
        if (!isKept) leave();
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

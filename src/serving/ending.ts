/**
 * Graceful shutdown: first load balancers are told (`server.drain_ms`), then no new connection is accepted and the requests in flight get
 * their grace period (`server.grace_ms`); the rest is cut off with an answer each. Every wait is limited: a service manager that sent SIGTERM
 * sends SIGKILL next (Kubernetes after 30 s), which loses answers.
 */
import type { GatewayConfig } from "../config/gateway-config";
import type { Outside } from "../domain/outside";
import type { Gateway } from "../gateway";

/** The share of the grace period, and its limit, that is reserved for cut off requests: to write their answers and settle their rows. */
const CUTTING_PART = 1 / 10;
const CUTTING_MS_MAX = 1_000;
/** The shortest time for each step of closing, however short the grace period is. */
export const STEP_MS_MIN = 1_000;
/** The steps of closing that wait. */
export const STEPS = 4;

export interface Ending extends Pick<Gateway, "underWay" | "close"> {
  config(): { readonly server: Pick<GatewayConfig["server"], "drain_ms" | "grace_ms"> };
}

export interface Listening {
  /** Accepts no more connections; resolves once the open ones have got their answers. */
  stop(cutOff?: boolean): Promise<void>;
}

/**
 * Ends the gateway; whatever could not be ended in time is logged.
 * @param drains whether load balancers get `server.drain_ms` to notice; false at a terminal, or if another
 * process has replaced this one already
 */
export async function endGracefully(
  gateway: Ending,
  listening: Listening,
  outside: Pick<Outside, "sleep" | "log" | "monotonic">,
  drains: boolean,
): Promise<void> {
  const { drain_ms: longestDrain, grace_ms } = gateway.config().server;
  const drain_ms = drains ? longestDrain : 0;
  const { underWay } = gateway;
  const endsAt = outside.monotonic() + drain_ms + grace_ms;
  const left = () => Math.max(STEP_MS_MIN, endsAt - outside.monotonic());
  const done = async (work: Promise<unknown>, ms: number) => {
    const timer = new AbortController();
    try {
      return await Promise.race([
        work.then(() => true),
        outside.sleep(ms, timer.signal).then(
          () => false,
          () => false,
        ),
      ]);
    } finally {
      timer.abort();
    }
  };
  if (drain_ms > 0) {
    underWay.drain();
    outside.log(
      "info",
      "graceful shutdown: /readyz is 503, and requests are accepted until drain_ms is over",
      {
        drain_ms,
      },
    );
    await outside.sleep(drain_ms);
  }
  const lastLeft = underWay.end();
  const answered = listening.stop();
  if (underWay.count() > 0) {
    outside.log("info", "graceful shutdown: no new connections, requests in flight have grace_ms to finish", {
      requests: underWay.count(),
      grace_ms,
    });
  }
  if (!(await done(lastLeft, grace_ms - Math.min(CUTTING_MS_MAX, grace_ms * CUTTING_PART)))) {
    outside.log("warn", "graceful shutdown: grace_ms is over, requests in flight are answered 503", {
      requests: underWay.count(),
    });
    underWay.cut();
    await done(lastLeft, left());
  }
  await done(answered, left());
  await done(listening.stop(true), left());
  const closed = gateway.close().catch((cause: unknown) => {
    outside.log("error", "graceful shutdown: the gateway could not be closed", { cause: String(cause) });
  });
  if (!(await done(closed, left())))
    outside.log(
      "error",
      "graceful shutdown: not done in time, ledger rows of requests in flight stay interrupted",
    );
  outside.log("info", "gateway stopped");
}

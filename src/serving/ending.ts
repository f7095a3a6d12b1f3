/**
 * How `serve` ends: no new connection, the requests under way finish within the grace, what is left is cut off with an answer each.
 * Every wait here is bounded: a supervisor that sent one signal sends SIGKILL next, and that helps nobody.
 */

import type { Outside } from "../domain/outside";
import type { Gateway } from "../gateway";

/** For answers to be written and rows to be settled, once nothing is waited for any more. */
const CLOSING_MS = 5_000;

export interface Listening {
  /** Takes no more connections; resolves once those that are open have got their answers. */
  stop(cutOff?: boolean): Promise<void>;
}

/** Ends the gateway; whatever could not be ended in time is told in the log. */
export async function endGracefully(
  gateway: Pick<Gateway, "underWay" | "config" | "close">,
  listening: Listening,
  outside: Pick<Outside, "sleep" | "log">,
): Promise<void> {
  const { grace_ms } = gateway.config().server;
  const { underWay } = gateway;
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
  const lastLeft = underWay.end();
  const answered = listening.stop();
  if (underWay.count() > 0) {
    outside.log("info", "the gateway ends: requests under way have their grace", {
      requests: underWay.count(),
      grace_ms,
    });
  }
  if (!(await done(lastLeft, grace_ms))) {
    outside.log("warn", "the grace is over: requests are cut off", { requests: underWay.count() });
    underWay.cut();
    await done(lastLeft, CLOSING_MS);
  }
  await done(answered, CLOSING_MS);
  await done(listening.stop(true), CLOSING_MS);
  const closed = gateway.close().catch((cause: unknown) => {
    outside.log("error", "the gateway could not be closed", { cause: String(cause) });
  });
  if (!(await done(closed, CLOSING_MS)))
    outside.log("error", "the gateway ends with requests under way, whose rows stay interrupted");
}

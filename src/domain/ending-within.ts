/**
 * A time limit for calls that the gateway makes for itself: probes, quick checks and warm-ups. They end with the gateway, too.
 */
import { Ending, type EndSignal } from "./ending";
import { GatewayError } from "./errors";
import type { Outside } from "./outside";

/**
 * @param what is asked, for the error: "The probe"
 * @param closed the gateway's, or the configuration's
 * @returns what ends the calls, and a function to be called once they are over
 */
export function endingWithin(
  { alarm }: Pick<Outside, "alarm">,
  deadlineMs: number,
  closed: EndSignal,
  what: string,
): { readonly over: Ending; readonly done: () => void } {
  const over = new Ending();
  const unfollow = over.follow(closed);
  const callOff = alarm(deadlineMs, () =>
    over.abort(new GatewayError("deadline", `${what} was not answered within ${deadlineMs} ms.`)),
  );
  return {
    over,
    done() {
      callOff();
      unfollow();
    },
  };
}

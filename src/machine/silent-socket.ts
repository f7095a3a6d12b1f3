/**
 * Asks the system whether a socket has anything that the event loop has not passed on yet: bytes, its end, or an error. Without that question one would
 * have to wait until the event loop has polled the network. Needs the system's C library; where it is missing (Windows), no socket is known to be silent.
 */
import { openLibc } from "./libc";

/** From <poll.h>. Ends and errors are reported unasked. */
const POLLIN = 1;

interface Poll {
  /** struct pollfd: the descriptor, then what is asked and what is answered, of two bytes each. */
  readonly asked: Int32Array;
  readonly poll: (asked: Int32Array, count: number, timeout_ms: number) => number;
}

let opened: Poll | "missing" | undefined;

function open(): Poll | "missing" {
  const libc = openLibc({ poll: { args: ["ptr", "u64", "i32"], returns: "i32" } });
  return libc ? { asked: new Int32Array([0, POLLIN]), poll: libc.poll } : "missing";
}

/** Takes less than a microsecond, and never waits. False if there is something to read, and if that cannot be known. */
export function isSilent(descriptor: number): boolean {
  opened ??= open();
  // A negative descriptor would count as silent.
  if (opened === "missing" || descriptor < 0) return false;
  const { asked, poll } = opened;
  asked[0] = descriptor;
  asked[1] = POLLIN;
  return poll(asked, 1, 0) === 0;
}

/**
 * TCP keep-alive on the connections that come: a client that vanished silently (its machine lost power, a NAT forgot it) is noticed
 * while its request is in flight. Connections without a request are closed by the idle timeout before.
 */
import { SOL_SOCKET, toListeners } from "./listeners";

const SO_KEEPALIVE = 9;
const IPPROTO_TCP = 6;
const TCP_KEEPIDLE = 4;
const TCP_KEEPINTVL = 5;
const TCP_KEEPCNT = 6;

/** Silence before the first probe, between probes, and how many stay unanswered: within a minute, where Linux takes two hours. */
const SECONDS_TO_FIRST = 30;
const SECONDS_BETWEEN = 10;
const PROBES = 3;

/** For each connection that this process's listeners accept from now on: on Linux it has its listener's options (tcp(7)). */
export function keepAlive(): void {
  const one = (value: number) => new Uint8Array(Int32Array.of(value).buffer);
  toListeners(
    (set, descriptor) =>
      set(descriptor, SOL_SOCKET, SO_KEEPALIVE, one(1)) +
      set(descriptor, IPPROTO_TCP, TCP_KEEPIDLE, one(SECONDS_TO_FIRST)) +
      set(descriptor, IPPROTO_TCP, TCP_KEEPINTVL, one(SECONDS_BETWEEN)) +
      set(descriptor, IPPROTO_TCP, TCP_KEEPCNT, one(PROBES)),
  );
}

/**
 * TCP keep-alive for accepted connections: notices while a request is in flight that its client has vanished silently (its machine lost
 * power, a NAT forgot the connection). Connections without a request are closed by the idle timeout before that.
 */
import { SOL_SOCKET, toListeners } from "./listeners";

const SO_KEEPALIVE = 9;
const IPPROTO_TCP = 6;
const TCP_KEEPIDLE = 4;
const TCP_KEEPINTVL = 5;
const TCP_KEEPCNT = 6;

/** Idle time before the first probe, time between probes, and unanswered probes allowed: within a minute, while Linux's default is two hours. */
const SECONDS_TO_FIRST = 30;
const SECONDS_BETWEEN = 10;
const PROBES = 3;

/** For every connection that this process accepts from now on: on Linux it inherits the options of its listener (tcp(7)). */
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

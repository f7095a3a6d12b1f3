/**
 * The sockets on which this process listens, to set options that Bun does not offer.
 * steering.ts and keep-alive.ts set the options.
 */
import { ptr } from "bun:ffi";
import { readdirSync } from "node:fs";
import { openLibc } from "./libc";

export const SOL_SOCKET = 1;
const SO_ACCEPTCONN = 30;

export type SetOption = (descriptor: number, level: number, option: number, value: Uint8Array) => number;

/** Bun does not expose a server's descriptor, so every descriptor of the process is checked for listening. Linux only; elsewhere it does nothing. */
export function toListeners(work: (set: SetOption, descriptor: number) => number): void {
  if (process.platform !== "linux") return;
  const libc = openLibc({
    setsockopt: { args: ["i32", "i32", "i32", "ptr", "u32"], returns: "i32" },
    getsockopt: { args: ["i32", "i32", "i32", "ptr", "ptr"], returns: "i32" },
  });
  if (libc === undefined) return;
  const set: SetOption = (descriptor, level, option, value) =>
    libc.setsockopt(descriptor, level, option, ptr(value), value.byteLength);
  for (const name of readdirSync("/proc/self/fd")) {
    const descriptor = Number(name);
    const listens = new Int32Array(1);
    const length = Uint32Array.of(listens.byteLength);
    const asked = libc.getsockopt(descriptor, SOL_SOCKET, SO_ACCEPTCONN, ptr(listens), ptr(length));
    if (asked === 0 && listens[0] === 1) work(set, descriptor);
  }
}

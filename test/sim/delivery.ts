/**
 * How an answer travels from a server to the gateway's `fetch`: late, complete, in pieces, broken off, or not at all.
 * A dead process is never reached: it waits for ever. A new way to travel is a branch of `deliver`.
 */
import type { Call } from "./calls";
import type { Draft } from "./spoil";
import type { Process, World } from "./world";

const forEver = () => new Promise<never>(() => undefined);
const reset = () => Object.assign(new Error("The socket connection was closed."), { code: "ECONNRESET" });

export interface Travel {
  readonly call: Call;
  readonly draft: Draft;
  readonly signal: AbortSignal;
  readonly process: Process;
  /** Called with each answer that is about to arrive; it may kill the process. */
  readonly arriving: (call: Call) => void;
}

/** @throws like fetch: the signal's reason, or a broken connection */
export async function deliver(travel: Travel, world: World): Promise<Response> {
  const { call, draft, signal, process } = travel;
  const { status, headers, body, delivery } = draft;
  const bytes = typeof body === "string" ? new TextEncoder().encode(body) : body;
  const ended = (end: NonNullable<Call["end"]>) => endCall(call, end, world);
  try {
    if (delivery === "never") await world.sleep(NEVER_MS, signal);
    await world.sleep(draft.delayMs, signal);
  } catch (reason) {
    ended("aborted");
    throw reason;
  }
  if (process.isDead()) {
    ended("cut");
    return forEver();
  }
  if (delivery === "reset before") {
    ended("cut");
    throw reset();
  }
  if (delivery === "whole") {
    travel.arriving(call);
    ended(process.isDead() ? "cut" : "answered");
    return process.isDead() ? forEver() : new Response(bytes, { status, headers });
  }
  return new Response(piecewise(travel, bytes, world, ended), { status, headers });
}

/** Longer than any simulation. */
const NEVER_MS = 1e9;
const PIECES = 8;

function piecewise(
  { draft, signal, process, arriving, call }: Travel,
  bytes: Uint8Array<ArrayBuffer>,
  world: World,
  ended: (end: NonNullable<Call["end"]>) => void,
): ReadableStream<Uint8Array> {
  const pieceLength = Math.max(1, Math.ceil(bytes.length / PIECES));
  let sent = 0;
  return new ReadableStream({
    async pull(controller) {
      world.stir();
      if (draft.delivery === "undecodable") {
        ended("cut");
        controller.error(Object.assign(new Error("Decompression failed"), { code: "ZlibError" }));
        return;
      }
      try {
        await world.sleep(draft.dripMs / PIECES, signal);
      } catch (reason) {
        ended("aborted");
        controller.error(reason);
        return;
      }
      if (process.isDead()) {
        ended("cut");
        return forEver();
      }
      if (draft.delivery === "reset within" && sent >= bytes.length / 2) {
        ended("cut");
        controller.error(reset());
        return;
      }
      if (sent < bytes.length) {
        controller.enqueue(bytes.subarray(sent, sent + pieceLength));
        sent += pieceLength;
        return;
      }
      arriving(call);
      ended(process.isDead() ? "cut" : "answered");
      if (process.isDead()) return forEver();
      controller.close();
    },
  });
}

function endCall(call: Call, end: NonNullable<Call["end"]>, world: World): void {
  // A dead process's calls were cut when it died.
  if (call.end !== undefined) return;
  call.end = end;
  call.endedMs = world.elapsedMs();
  world.note(`${call.server} call ${call.number} ${end}`);
}

/**
 * One connection, with or without TLS: sends a request and receives its reply, one at a time. reply-parser.ts parses replies; secured.ts decides
 * which certificates are trusted; http-client.ts decides who uses the connection next.
 */
import type { Socket } from "bun";
import { isSilent } from "../machine/silent-socket";
import { createReplyParser, type Reply } from "./reply-parser";
import type { Secured } from "./secured";

export interface Connection {
  /** Whether the connection has been open and silent since its last reply. */
  isUsable(): boolean;
  /** Whether it is usable, and the system has received nothing more on it. False if that cannot be known. */
  isSilent(): boolean;
  /**
   * One request at a time. Rejects if the connection breaks, with the signal's reason when it fires, or for invalid HTTP. Bytes that arrive before the
   * request are not its reply: call this right after `isSilent`, or let the event loop poll the network and call `isUsable` before.
   */
  ask(request: Uint8Array, signal: AbortSignal | undefined): Promise<Reply>;
  /** The connection is idle until the next request: it does not keep the process alive, and closes after the idle timeout. */
  rest(seconds: number): void;
  close(): void;
}

interface Exchange {
  readonly resolve: (reply: Reply) => void;
  readonly reject: (cause: unknown) => void;
  readonly signal: AbortSignal | undefined;
}

class BrokenConnection extends Error {
  constructor(readonly code: string) {
    super(`the connection broke (${code})`);
  }
}

export interface Peer {
  readonly hostname: string;
  readonly port: number;
  /** Left out: without TLS. */
  readonly secured?: Secured | undefined;
}

/** Bun passes on some 5 MB in one turn of the event loop, piece by piece, before it looks at another connection. */
const RECEIVED_BYTES_A_TURN = 400_000;

/**
 * Resolves when the connection is ready. Rejects with an error whose `code` gives the reason if nothing listens or the certificate is not trusted;
 * a handshake ends with the signal.
 * @param slice before more of a large reply is received: resolves in a later turn of the event loop
 */
export async function connect(
  { hostname, port, secured }: Peer,
  bodyBytesMax: number,
  slice: () => Promise<void>,
  signal: AbortSignal | undefined,
): Promise<Connection> {
  const parser = createReplyParser(bodyBytesMax);
  const shaken = Promise.withResolvers<void>();
  // The connection may fail before anything awaits this promise.
  shaken.promise.catch(() => undefined);
  let exchange: Exchange | undefined;
  let unsent: Uint8Array | undefined;
  /** Whether any part of the request has been sent. */
  let isBegun = false;
  let isClosed = false;
  /** The reason, if the peer or the network gave one: a refused client certificate is reported after the handshake. */
  let brokenBy: unknown;
  let isSessionKept = false;
  /** Of the current reply, since the event loop ran. */
  let receivedBytes = 0;
  let isPaused = false;
  /** Set before `connect` returns, because a peer may hang up at once. */
  let opened: Socket<undefined> | undefined;

  const broken = () => brokenBy ?? new BrokenConnection("ECONNRESET");

  const giveUp = () => fail(exchange?.signal?.reason);

  function ended(): Exchange | undefined {
    const over = exchange;
    exchange = undefined;
    over?.signal?.removeEventListener("abort", giveUp);
    return over;
  }

  function finish(reply: Reply): void {
    const over = ended();
    resume();
    // The server answered before it had the whole request: the unsent rest would corrupt the next request.
    if (!reply.isKept || unsent !== undefined) close();
    over?.resolve(reply);
  }

  function fail(cause: unknown): void {
    const over = ended();
    close();
    over?.reject(cause);
  }

  function send(socket: Socket<undefined>): void {
    if (unsent === undefined) return;
    const sent = Math.max(0, socket.write(unsent));
    if (sent > 0) isBegun = true;
    unsent = sent < unsent.byteLength ? unsent.subarray(sent) : undefined;
  }

  function receive(chunk: Uint8Array): void {
    // A reply without a request, such as a 408 for an idle connection.
    if (!exchange) {
      close();
      return;
    }
    if (!isBegun) {
      fail(new BrokenConnection("ECONNRESET"));
      return;
    }
    try {
      const { byteLength } = chunk;
      const reply = parser.feed(chunk);
      if (reply) finish(reply);
      else pauseAfter(byteLength);
    } catch (cause) {
      fail(cause);
    }
  }

  /** A large reply is received in slices. */
  function pauseAfter(bytes: number): void {
    receivedBytes += bytes;
    if (receivedBytes < RECEIVED_BYTES_A_TURN || isPaused) return;
    isPaused = true;
    opened?.pause();
    void slice().then(resume);
  }

  /** At the latest at the reply's end: bytes that nobody asked for must be noticed. */
  function resume(): void {
    receivedBytes = 0;
    if (!isPaused) return;
    isPaused = false;
    if (!isClosed) opened?.resume();
  }

  function closed(cause: unknown): void {
    isClosed = true;
    brokenBy ??= cause;
    const reply = exchange && cause === undefined ? parser.end() : undefined;
    if (reply) finish(reply);
    else fail(broken());
  }

  function close(): void {
    isClosed = true;
    opened?.terminate();
    shaken.reject(broken());
  }

  const socket: Socket<undefined> = await Bun.connect({
    hostname,
    port,
    ...(secured && { tls: secured.options }),
    socket: {
      open(connected) {
        opened = connected;
        secured?.begin(connected);
      },
      handshake(connected, isDone, cause) {
        if (secured?.isTrusted(connected, isDone)) shaken.resolve();
        else closed(cause ?? undefined);
      },
      data: (_, chunk) => receive(chunk),
      drain: send,
      end: () => closed(undefined),
      close: () => closed(undefined),
      error: (_, cause) => closed(cause),
      timeout: () => close(),
    },
  });
  socket.setNoDelay(true);

  if (secured) {
    signal?.addEventListener("abort", close);
    if (signal?.aborted) close();
    await shaken.promise.finally(() => signal?.removeEventListener("abort", close));
  }

  // Bun's types leave it out.
  const descriptor = "fd" in socket && typeof socket.fd === "number" ? socket.fd : -1;
  const isUsable = () => !isClosed && exchange === undefined;
  return {
    isUsable,
    isSilent: () => isUsable() && isSilent(descriptor),
    ask: (request, signal) =>
      new Promise((resolve, reject) => {
        exchange = { resolve, reject, signal };
        if (signal?.aborted) return giveUp();
        if (isClosed) return fail(broken());
        signal?.addEventListener("abort", giveUp);
        socket.ref();
        socket.timeout(0);
        unsent = request;
        isBegun = false;
        send(socket);
      }),
    rest(seconds) {
      if (!isSessionKept) secured?.keepSession(socket);
      isSessionKept = true;
      socket.timeout(seconds);
      socket.unref();
    },
    close,
  };
}

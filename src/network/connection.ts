/**
 * One connection, with TLS or without: a request out, its reply back, one at a time. Replies are parsed in reply-parser.ts; whom TLS
 * trusts is in secured.ts; http-client.ts decides who uses it next.
 */
import type { Socket } from "bun";
import { createReplyParser, type Reply } from "./reply-parser";
import type { Secured } from "./secured";

export interface Connection {
  /** Whether it has been open and unused all the time since its last reply. */
  isUsable(): boolean;
  /**
   * One at a time. Rejects where the connection breaks, with the signal's reason when it fires, or for invalid HTTP. Bytes that came before
   * are no answer: to notice them, the event loop must turn between the last look at the connection and this.
   */
  ask(request: Uint8Array, signal: AbortSignal | undefined): Promise<Reply>;
  /** Idle until the next request: does not keep the process alive, and closes after the idle timeout. */
  rest(seconds: number): void;
  close(): void;
}

interface Exchange {
  readonly resolve: (reply: Reply) => void;
  readonly reject: (cause: unknown) => void;
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

/**
 * Resolves once it may be used. Rejects with an error whose `code` says why where nothing listens or the certificate is not trusted; a handshake
 * ends with the signal.
 */
export async function connect(
  { hostname, port, secured }: Peer,
  bodyBytesMax: number,
  signal: AbortSignal | undefined,
): Promise<Connection> {
  const parser = createReplyParser(bodyBytesMax);
  const shaken = Promise.withResolvers<void>();
  // The connection may fail before anything awaits this promise.
  shaken.promise.catch(() => undefined);
  let exchange: Exchange | undefined;
  let unsent: Uint8Array | undefined;
  /** Whether any of the request is on its way. */
  let isBegun = false;
  let isClosed = false;
  /** The reason, where the peer or the network gave one: a refused client certificate is reported after the handshake. */
  let brokenBy: unknown;
  let isSessionKept = false;
  /** Set before `connect` returns: a peer may hang up at once. */
  let opened: Socket<undefined> | undefined;

  const broken = () => brokenBy ?? new BrokenConnection("ECONNRESET");

  function finish(reply: Reply): void {
    const { resolve } = exchange ?? {};
    exchange = undefined;
    // The server answered before it had the whole request: the unsent rest would corrupt the next request.
    if (!reply.isKept || unsent !== undefined) close();
    resolve?.(reply);
  }

  function fail(cause: unknown): void {
    const { reject } = exchange ?? {};
    exchange = undefined;
    close();
    reject?.(cause);
  }

  function send(socket: Socket<undefined>): void {
    if (unsent === undefined) return;
    const sent = Math.max(0, socket.write(unsent));
    if (sent > 0) isBegun = true;
    unsent = sent < unsent.byteLength ? unsent.subarray(sent) : undefined;
  }

  function receive(chunk: Uint8Array): void {
    // An unsolicited reply, such as a 408 for an idle connection.
    if (!exchange) {
      close();
      return;
    }
    if (!isBegun) {
      fail(new BrokenConnection("ECONNRESET"));
      return;
    }
    try {
      const reply = parser.feed(chunk);
      if (reply) finish(reply);
    } catch (cause) {
      fail(cause);
    }
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

  return {
    isUsable: () => !isClosed && exchange === undefined,
    ask: (request, signal) =>
      new Promise((resolve, reject) => {
        const giveUp = () => fail(signal?.reason);
        const done = () => signal?.removeEventListener("abort", giveUp);
        exchange = {
          resolve(reply) {
            done();
            resolve(reply);
          },
          reject(cause) {
            done();
            reject(cause);
          },
        };
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

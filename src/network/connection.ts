/**
 * One connection, with TLS or without: a request out, its reply back, one at a time. What a reply is, reply-parser.ts knows; whom TLS
 * trusts, secured.ts. Who may use it next is for http-client.ts.
 */
import type { Socket } from "bun";
import { createReplyParser, type Reply } from "./reply-parser";
import type { Secured } from "./secured";

export interface Connection {
  /** Whether it has been open and unused all the time since its last reply. */
  isUsable(): boolean;
  /**
   * One at a time. Rejects where the connection breaks, with the signal's reason when it fires, for what is no HTTP. What came before
   * is no answer: to be seen, it needs a turn of the event loop between the last look at the connection and this.
   */
  ask(request: Uint8Array, signal: AbortSignal | undefined): Promise<Reply>;
  /** Lets the process end, until it is asked again, and ends by itself where nobody asks for so long. */
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
 * Resolves once it may be used. Rejects with an error whose `code` says why where there is nobody, or nobody to be trusted; a handshake
 * ends with the signal.
 */
export async function connect(
  { hostname, port, secured }: Peer,
  bodyBytesMax: number,
  signal: AbortSignal | undefined,
): Promise<Connection> {
  const parser = createReplyParser(bodyBytesMax);
  const shaken = Promise.withResolvers<void>();
  // Where the connection fails before anybody waits for that.
  shaken.promise.catch(() => undefined);
  let exchange: Exchange | undefined;
  let unsent: Uint8Array | undefined;
  /** Whether any of the request is on its way. */
  let isBegun = false;
  let isClosed = false;
  /** Why, where the peer or the network said: a refused certificate is told after the handshake. */
  let brokenBy: unknown;
  let isSessionKept = false;
  /** Before `connect` has it: a peer may hang up at once. */
  let opened: Socket<undefined> | undefined;

  const broken = () => brokenBy ?? new BrokenConnection("ECONNRESET");

  function finish(reply: Reply): void {
    const { resolve } = exchange ?? {};
    exchange = undefined;
    // What was not sent yet the server does not want: the rest of it would stand before the next request.
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
    // A word that nobody asked for, such as a 408 for an idle connection.
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

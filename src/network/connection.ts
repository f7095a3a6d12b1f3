/**
 * One connection without TLS: a request out, its reply back, one at a time. What a reply is, reply-parser.ts knows.
 * Who may use it next is for plain-http.ts.
 */
import type { Socket } from "bun";
import { createReplyParser, type Reply } from "./reply-parser";

export interface Connection {
  /** Whether it has been open and unused all the time since its last reply. */
  isUsable(): boolean;
  /**
   * One at a time. Rejects where the connection breaks, with the signal's reason when it fires, for what is no HTTP. What came before
   * is no answer: to be seen, it needs a turn of the event loop between the last look at the connection and this.
   */
  ask(request: Uint8Array, signal: AbortSignal | undefined): Promise<Reply>;
  /** Lets the process end, and keeps it from ending again. */
  rest(): void;
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

/** Rejects with an error whose `code` says why where there is nobody. */
export async function connect(hostname: string, port: number, bodyBytesMax: number): Promise<Connection> {
  const parser = createReplyParser(bodyBytesMax);
  let exchange: Exchange | undefined;
  let unsent: Uint8Array | undefined;
  /** Whether any of the request is on its way. */
  let isBegun = false;
  let isClosed = false;

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
    const reply = exchange && cause === undefined ? parser.end() : undefined;
    if (reply) finish(reply);
    else fail(cause ?? new BrokenConnection("ECONNRESET"));
  }

  const socket: Socket<undefined> = await Bun.connect({
    hostname,
    port,
    socket: {
      data: (_, chunk) => receive(chunk),
      drain: send,
      end: () => closed(undefined),
      close: () => closed(undefined),
      error: (_, cause) => closed(cause),
    },
  });
  socket.setNoDelay(true);

  function close(): void {
    isClosed = true;
    socket.terminate();
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
        if (isClosed) return fail(new BrokenConnection("ECONNRESET"));
        signal?.addEventListener("abort", giveUp);
        socket.ref();
        unsent = request;
        isBegun = false;
        send(socket);
      }),
    rest: () => socket.unref(),
    close,
  };
}

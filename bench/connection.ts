/**
 * One HTTP/1.1 connection for many requests, directly on a socket: a load generator must cost less than the server that it measures.
 * It reads answers with a Content-Length and chunked ones; the measured servers send no others.
 */
import type { Socket } from "bun";

export interface Reply {
  readonly status: number;
  /** Only valid until the next request. */
  readonly body: Uint8Array;
}

export interface Connection {
  ask(request: Uint8Array): Promise<Reply>;
  close(): void;
}

const HEAD_END = Buffer.from("\r\n\r\n");
const LINE_END = Buffer.from("\r\n");

export async function connect(host: string, port: number): Promise<Connection> {
  let received = Buffer.allocUnsafe(64 * 1024);
  let size = 0;
  let unsent: Uint8Array = new Uint8Array();
  let waiting = Promise.withResolvers<Reply>();
  /** The body's offset and length; undefined until the whole head has arrived. */
  let head: { status: number; bodyAt: number; length: number | "chunked" } | undefined;
  /** How far a chunked body was read, and the end of the chunks that were moved together. */
  let chunkAt = 0;
  let bodyEnd = 0;

  function send(socket: Socket<undefined>): void {
    const sent = socket.write(unsent);
    if (sent < 0) return;
    unsent = unsent.subarray(sent);
  }

  function readHead(): void {
    const end = received.subarray(0, size).indexOf(HEAD_END);
    if (end === -1) return;
    const text = received.toString("latin1", 0, end);
    const length = /\r\ncontent-length: *(\d+)/i.exec(text)?.[1];
    const bodyAt = end + HEAD_END.length;
    head = {
      status: Number(text.slice(9, 12)),
      bodyAt,
      length: length === undefined ? "chunked" : Number(length),
    };
    chunkAt = bodyAt;
    bodyEnd = bodyAt;
  }

  /** Moves complete chunks together. @returns whether the last one has arrived */
  function readChunks(): boolean {
    for (;;) {
      const lineEnd = received.subarray(0, size).indexOf(LINE_END, chunkAt);
      if (lineEnd === -1) return false;
      const digits = received.toString("latin1", chunkAt, lineEnd);
      if (!/^[0-9a-f]+$/i.test(digits)) throw new Error(`the size of a chunk is "${digits.slice(0, 40)}"`);
      const length = Number.parseInt(digits, 16);
      const dataAt = lineEnd + LINE_END.length;
      if (size < dataAt + length + LINE_END.length) return false;
      if (length === 0) return true;
      received.copyWithin(bodyEnd, dataAt, dataAt + length);
      bodyEnd += length;
      chunkAt = dataAt + length + LINE_END.length;
    }
  }

  function read(chunk: Uint8Array): void {
    if (size + chunk.byteLength > received.byteLength) {
      const larger = Buffer.allocUnsafe(Math.max(received.byteLength * 2, size + chunk.byteLength));
      larger.set(received.subarray(0, size));
      received = larger;
    }
    received.set(chunk, size);
    size += chunk.byteLength;
    if (!head) readHead();
    if (!head) return;
    const { status, bodyAt, length } = head;
    const isWhole = length === "chunked" ? readChunks() : size >= bodyAt + length;
    if (!isWhole) return;
    waiting.resolve({
      status,
      body: received.subarray(bodyAt, length === "chunked" ? bodyEnd : bodyAt + length),
    });
  }

  const socket = await Bun.connect({
    hostname: host,
    port,
    socket: {
      data: (_, chunk) => read(chunk),
      drain: send,
      close: () => waiting.reject(new Error("the connection was closed")),
      error: (_, error) => waiting.reject(error),
    },
  });
  waiting.promise.catch(() => undefined);
  return {
    ask(request) {
      waiting = Promise.withResolvers();
      head = undefined;
      size = 0;
      unsent = request;
      send(socket);
      return waiting.promise;
    },
    close: () => socket.end(),
  };
}

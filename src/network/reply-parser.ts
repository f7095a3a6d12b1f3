/**
 * Parses HTTP/1.1 replies from the bytes of a connection (RFC 9112), piece by piece, one reply after another.
 * It knows nothing of sockets; connection.ts feeds it. A new way to frame a body is a case of `framingOf`.
 */

import { LENT_BYTES_MIN, lend } from "../machine/lent-memory";
import { Gathered } from "./gathered";
import { Unread } from "./unread";

export interface Reply {
  readonly status: number;
  readonly fields: Fields;
  readonly bytes: Uint8Array<ArrayBuffer>;
  /** Whether the connection may be used again. */
  readonly isKept: boolean;
}

/** Headers by lower-case name; several values of one name are joined with commas. */
export type Fields = ReadonlyMap<string, string>;

export interface ReplyParser {
  /** @param chunk is the parser's from now on @returns the reply, once it is complete. @throws Error for invalid HTTP, or if the reply is too large */
  feed(chunk: Uint8Array): Reply | undefined;
  /** The peer has closed the connection. @returns the reply, if it ends with the connection */
  end(): Reply | undefined;
}

/** The largest header section, or line between chunks. No provider sends more than a few KB. */
const HEAD_BYTES_MAX = 256 * 1024;
const CHUNK_LINE_BYTES_MAX = 16 * 1024;

/** How a body ends: by its length, by chunks, or with the connection. */
type Framing = number | "chunked" | "until closed";

interface Head {
  readonly status: number;
  readonly fields: Fields;
  readonly framing: Framing;
  readonly isKept: boolean;
}

const CR = 13;
const LINE_END = Buffer.from("\n");
const HEAD_END = Buffer.from("\r\n\r\n");

/** @param bodyBytesMax larger bodies are refused while they arrive */
export function createReplyParser(bodyBytesMax: number): ReplyParser {
  const left = new Unread();
  let head: Head | undefined;
  /** Buffer for a body of known length. */
  let whole: Uint8Array<ArrayBuffer> | undefined;
  /** For a body of unknown length. */
  let pieces: Gathered | undefined;
  let size = 0;
  let isInTrailer = false;
  /** Whether what was taken last is in `whole` now. */
  let isCopied = false;
  /** Bytes left of the current chunk; undefined between chunks. */
  let chunkLeft: number | undefined;

  function finished({ status, fields, isKept }: Head): Reply {
    const bytes = whole ?? pieces?.bytes() ?? new Uint8Array();
    // Bytes after the reply belong to no request: the connection cannot be reused.
    const reply = { status, fields, bytes, isKept: isKept && left.size === 0 };
    head = undefined;
    whole = undefined;
    pieces = undefined;
    size = 0;
    return reply;
  }

  function takeUpTo(count: number): number {
    const piece = left.take(count);
    if (size + piece.byteLength > bodyBytesMax) throw new Error("the reply is too large");
    isCopied = whole !== undefined;
    if (whole) whole.set(piece, size);
    else {
      pieces ??= new Gathered();
      pieces.add(piece);
    }
    size += piece.byteLength;
    return piece.byteLength;
  }

  /** @returns undefined if the line is incomplete */
  function takeLine(): string | undefined {
    const line = left.takeUntil(LINE_END);
    if (line === undefined) {
      if (left.size > CHUNK_LINE_BYTES_MAX) throw new Error("a line between chunks does not end");
      return undefined;
    }
    return line.toString("latin1", 0, line.at(-1) === CR ? line.byteLength - 1 : line.byteLength);
  }

  /** @returns whether the last chunk and its trailers are complete */
  function readChunks(): boolean {
    for (;;) {
      if (chunkLeft === undefined) {
        const line = takeLine();
        if (line === undefined) return false;
        const [digits = ""] = line.split(";");
        if (!/^[0-9a-f]{1,8}\s*$/i.test(digits)) throw new Error("a chunk has no size");
        chunkLeft = Number.parseInt(digits, 16);
        if (chunkLeft === 0) isInTrailer = true;
      }
      if (isInTrailer) {
        const line = takeLine();
        if (line === undefined) return false;
        if (line !== "") continue;
        isInTrailer = false;
        chunkLeft = undefined;
        return true;
      }
      if (chunkLeft > 0) chunkLeft -= takeUpTo(chunkLeft);
      if (chunkLeft > 0) return false;
      // The line break after the chunk's data.
      const line = takeLine();
      if (line === undefined) return false;
      if (line !== "") throw new Error("a chunk is longer than it says");
      chunkLeft = undefined;
    }
  }

  function read(): Reply | undefined {
    for (;;) {
      if (!head) {
        const text = left.takeUntil(HEAD_END);
        if (text === undefined) {
          if (left.size > HEAD_BYTES_MAX) throw new Error("the head of the reply is too large");
          return undefined;
        }
        head = headOf(text.toString("latin1"));
        // 100 Continue and other 1xx: the final reply is yet to come.
        if (head.status < 200) {
          head = undefined;
          continue;
        }
      }
      const { framing } = head;
      if (framing === "chunked") return readChunks() ? finished(head) : undefined;
      if (framing === "until closed") {
        takeUpTo(left.size);
        return undefined;
      }
      if (framing > bodyBytesMax) throw new Error("the reply is too large");
      if (whole === undefined && left.size >= framing) {
        // All of it is there: it need not be copied.
        whole = unshared(left.take(framing));
        return finished(head);
      }
      whole ??= unfilled(framing);
      takeUpTo(framing - size);
      return size === framing ? finished(head) : undefined;
    }
  }

  return {
    feed(chunk) {
      left.add(chunk);
      isCopied = false;
      const reply = read();
      if (isCopied && left.size === 0) free(chunk);
      return reply;
    },
    end: () => (head?.framing === "until closed" ? finished({ ...head, isKept: false }) : undefined),
  };
}

/** Bytes of a socket are never in shared memory. A `Buffer` would not do: its `slice` makes no copy. */
function unshared(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  const { buffer, byteOffset, byteLength } = bytes;
  return buffer instanceof ArrayBuffer
    ? new Uint8Array(buffer, byteOffset, byteLength)
    : new Uint8Array(bytes);
}

/** Smaller memory can wait for garbage collection. */
const FREED_BYTES_MIN = 64 * 1024;

/** A reply of 17 MB would leave as much behind. */
function free({ buffer, byteLength }: Uint8Array): void {
  if (buffer instanceof ArrayBuffer && byteLength >= FREED_BYTES_MIN && byteLength === buffer.byteLength)
    buffer.transfer(0);
}

/** Uninitialised memory; only exposed once it is completely written. */
function unfilled(size: number): Uint8Array<ArrayBuffer> {
  if (size >= LENT_BYTES_MIN) return lend(size);
  const { buffer, byteOffset, byteLength } = Buffer.allocUnsafeSlow(size);
  return new Uint8Array(buffer, byteOffset, byteLength);
}

// Made once: a pattern inside a function is a new object each time.
const STATUS_LINE = /^HTTP\/1\.([01]) (\d{3})(?: |$)/;
const NAME = /^[!#$%&'*+.^_`|~0-9a-z-]+$/;
const NO_VALUE = /[\0\r\n]/;
const LENGTH = /^\d{1,15}$/;

/** @throws Error */
function headOf(text: string): Head {
  const lines = text.split("\r\n");
  const [, version, digits] = STATUS_LINE.exec(lines[0] ?? "") ?? [];
  if (digits === undefined) throw new Error("the reply is not HTTP/1.1");
  const fields = new Map<string, string>();
  for (let i = 1; i < lines.length; i++) {
    const line = lines[i] ?? "";
    const colon = line.indexOf(":");
    const name = line.slice(0, colon).toLowerCase();
    // This also refuses line folding, obsolete since 2014: parsers disagree on it, which allows request smuggling.
    if (colon <= 0 || !NAME.test(name)) throw new Error("a header of the reply is not valid");
    const value = line.slice(colon + 1).trim();
    if (NO_VALUE.test(value)) throw new Error("a header of the reply is not valid");
    const before = fields.get(name);
    fields.set(name, before === undefined ? value : `${before}, ${value}`);
  }
  const status = Number(digits);
  const connection = (fields.get("connection") ?? "").toLowerCase();
  const framing = framingOf(status, fields);
  const isKept =
    framing !== "until closed" &&
    !connection.includes("close") &&
    (version === "1" || connection.includes("keep-alive"));
  return { status, fields, framing, isKept };
}

/** RFC 9112, 6.3. */
function framingOf(status: number, fields: Fields): Framing {
  if (status < 200 || status === 204 || status === 304) return 0;
  const encoding = fields.get("transfer-encoding");
  if (encoding !== undefined) {
    if (encoding.trim().toLowerCase() !== "chunked")
      throw new Error("the reply has an unknown transfer encoding");
    return "chunked";
  }
  const said = fields.get("content-length");
  if (said === undefined) return "until closed";
  if (LENGTH.test(said)) return Number(said);
  // Repeated values must be equal, or the reply cannot be trusted.
  const lengths = new Set(said.split(",").map((length) => length.trim()));
  const [length = ""] = lengths;
  if (lengths.size !== 1 || !LENGTH.test(length)) throw new Error("the reply's content-length is not valid");
  return Number(length);
}

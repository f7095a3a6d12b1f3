/**
 * Parses HTTP/1.1 replies from the bytes of a connection (RFC 9112), piece by piece, one reply after another.
 * It knows nothing of sockets; connection.ts feeds it. A new way to frame a body is a case of `framingOf`.
 */

import { LENT_BYTES_MIN, lend } from "../machine/lent-memory";
import { Gathered } from "./gathered";
import { Unread } from "./unread";

/** A received reply. */
export class Reply {
  constructor(
    private readonly head: Head,
    readonly bytes: Uint8Array<ArrayBuffer>,
    /** Whether the connection may be used again. */
    readonly isKept: boolean,
  ) {}

  get status(): number {
    return this.head.status;
  }

  /** A header that concerns the connection or the body (`READ`). */
  said(name: string): string | undefined {
    return this.head.read.get(name);
  }

  /** All headers. Made on demand: those of most replies are never read. */
  get fields(): Fields {
    return fieldsOf(this.head.text);
  }
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
  readonly text: string;
  readonly status: number;
  /** The headers that are read of every reply. */
  readonly read: Fields;
  readonly framing: Framing;
  readonly isKept: boolean;
}

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

  function finished(head: Head, isKept = head.isKept): Reply {
    const bytes = whole ?? pieces?.bytes() ?? new Uint8Array();
    // Bytes after the reply belong to no request: the connection cannot be reused.
    const reply = new Reply(head, bytes, isKept && left.size === 0);
    forget();
    return reply;
  }

  function forget(): void {
    head = undefined;
    whole = undefined;
    pieces = undefined;
    size = 0;
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
    return line.endsWith("\r") ? line.slice(0, -1) : line;
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
        head = headOf(text);
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
        whole = left.take(framing);
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
    end: () => (head?.framing === "until closed" ? finished(head, false) : undefined),
  };
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
/** What `fieldsOf` would accept, without anything unusual. */
const PLAIN_HEAD = /^HTTP\/1\.[01] \d{3}(?: [^\0\r\n]*)?(?:\r\n[!#$%&'*+.^_`|~0-9A-Za-z-]+:[^\0\r\n]*)*$/;
/** The headers that are read of every reply: how the body ends and is written, and whether the connection stays open. */
const READ = new Set(["connection", "content-encoding", "content-length", "keep-alive", "transfer-encoding"]);
const READ_LENGTHS = new Set([...READ].map((name) => name.length));

/** @throws Error */
function headOf(text: string): Head {
  const isPlain = PLAIN_HEAD.test(text);
  if (!isPlain && !STATUS_LINE.test(text)) throw new Error("the reply is not HTTP/1.1");
  const read = isPlain ? readOf(text) : fieldsOf(text);
  const status = Number(text.slice("HTTP/1.1 ".length, "HTTP/1.1 200".length));
  const isVersion1 = text.charCodeAt("HTTP/1.".length) === ONE;
  const connection = (read.get("connection") ?? "").toLowerCase();
  const framing = framingOf(status, read);
  const isKept =
    framing !== "until closed" &&
    !connection.includes("close") &&
    (isVersion1 || connection.includes("keep-alive"));
  return { text, status, read, framing, isKept };
}

const ONE = 49;

/** The headers of READ, of a plain head: of the others not even their text is taken. */
function readOf(text: string): Fields {
  const read = new Map<string, string>();
  for (let at = text.indexOf("\r\n"); at !== -1; ) {
    const colon = text.indexOf(":", at);
    const end = text.indexOf("\r\n", colon);
    if (READ_LENGTHS.has(colon - at - 2)) {
      const name = text.slice(at + 2, colon).toLowerCase();
      if (READ.has(name)) join(read, name, text.slice(colon + 1, end === -1 ? text.length : end).trim());
    }
    at = end;
  }
  return read;
}

/** @throws Error */
function fieldsOf(text: string): Fields {
  const lines = text.split("\r\n");
  const fields = new Map<string, string>();
  for (let i = 1; i < lines.length; i++) {
    const line = lines[i] ?? "";
    const colon = line.indexOf(":");
    const name = line.slice(0, colon).toLowerCase();
    // This also refuses line folding, obsolete since 2014: parsers disagree on it, which allows request smuggling.
    if (colon <= 0 || !NAME.test(name)) throw new Error("a header of the reply is not valid");
    const value = line.slice(colon + 1).trim();
    if (NO_VALUE.test(value)) throw new Error("a header of the reply is not valid");
    join(fields, name, value);
  }
  return fields;
}

function join(fields: Map<string, string>, name: string, value: string): void {
  const before = fields.get(name);
  fields.set(name, before === undefined ? value : `${before}, ${value}`);
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

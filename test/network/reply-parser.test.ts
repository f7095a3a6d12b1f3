/** How HTTP/1.1 replies are read, however their bytes arrive. */

import { heapStats } from "bun:jsc";
import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { createReplyParser, type Reply } from "../../src/network/reply-parser";
import { metered } from "./metered";

const MAX = 1_000_000;
const bytesOf = (text: string) => new Uint8Array(Buffer.from(text, "latin1"));

/** Feeds the bytes in pieces that end at the given positions. */
function read(text: string, ends: readonly number[] = []): Reply | undefined {
  const parser = createReplyParser(MAX);
  const bytes = bytesOf(text);
  let from = 0;
  for (const end of [...ends, bytes.length]) {
    const reply = parser.feed(bytes.slice(from, end));
    from = end;
    if (reply) return reply;
  }
  return parser.end();
}

const body = ({ bytes }: Reply) => Buffer.from(bytes).toString("latin1");

const GOOD: readonly [name: string, text: string, body: string, isKept: boolean][] = [
  ["a length", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", "hello", true],
  ["no reason and an empty body", "HTTP/1.1 200 \r\ncontent-length: 0\r\n\r\n", "", true],
  ["no body by its status", "HTTP/1.1 204 No Content\r\n\r\n", "", true],
  [
    "the same length twice",
    "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\nok",
    "ok",
    true,
  ],
  [
    "chunks, extensions and trailers",
    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3;a=b\r\nabc\r\nA\r\n0123456789\r\n0\r\nx: y\r\n\r\n",
    "abc0123456789",
    true,
  ],
  [
    "chunks, which count where a length stands beside them",
    "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
    "ok",
    true,
  ],
  [
    "a provisional reply before it",
    "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx",
    "x",
    true,
  ],
  ["the end of the connection", "HTTP/1.1 200 OK\r\n\r\nall that came", "all that came", false],
  [
    "a connection that is to be closed",
    "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 1\r\n\r\nx",
    "x",
    false,
  ],
  ["HTTP/1.0", "HTTP/1.0 200 OK\r\nContent-Length: 1\r\n\r\nx", "x", false],
  ["bytes after its end", "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nxHTTP/1.1 408 ", "x", false],
];

describe("a reply", () => {
  test.each(GOOD)("with %s is read, in whatever pieces it arrives", (_, text, due, isKept) => {
    fc.assert(
      fc.property(fc.array(fc.nat(text.length)), (places) => {
        const ends = places.sort((a, b) => a - b);
        const reply = read(text, ends);
        expect(reply && body(reply)).toBe(due);
        // Bytes after the end are seen only if they arrive together with it.
        if (!text.includes("408")) expect(reply?.isKept).toBe(isKept);
      }),
    );
  });

  test.each(GOOD)("with %s is incomplete before its end", (_, text, due) => {
    for (let end = 0; end < text.length; end++) {
      const parser = createReplyParser(MAX);
      const reply = parser.feed(bytesOf(text.slice(0, end)));
      if (reply) expect(body(reply)).toBe(due);
    }
  });

  test("has its headers by lower-case name, repeated ones joined", () => {
    const reply = read("HTTP/1.1 429 X\r\nRetry-After:  7 \r\nA: 1\r\na: 2\r\nContent-Length: 0\r\n\r\n");
    expect([reply?.status, ...(reply?.fields ?? [])]).toEqual([
      429,
      ["retry-after", "7"],
      ["a", "1, 2"],
      ["content-length", "0"],
    ]);
  });

  test("comes after another on the same connection", () => {
    const parser = createReplyParser(MAX);
    const one = (text: string) =>
      parser.feed(bytesOf(`HTTP/1.1 200 OK\r\nContent-Length: ${text.length}\r\n\r\n${text}`));
    const bodies = ["a", "", "bcd"].map((text) => {
      const reply = one(text);
      return reply && body(reply);
    });
    expect(bodies).toEqual(["a", "", "bcd"]);
  });

  test.each([
    ["no HTTP at all", "SSH-2.0-OpenSSH\r\n\r\n"],
    ["HTTP/2 by prior knowledge", "HTTP/2 200\r\n\r\n"],
    ["no status", "HTTP/1.1 OK\r\n\r\n"],
    ["a header without a colon", "HTTP/1.1 200 OK\r\nnonsense\r\n\r\n"],
    ["a header that goes on in the next line", "HTTP/1.1 200 OK\r\na: b\r\n c\r\n\r\n"],
    ["a space before the colon", "HTTP/1.1 200 OK\r\nContent-Length : 1\r\n\r\nx"],
    ["a bare line feed in a header", "HTTP/1.1 200 OK\r\na: b\nContent-Length: 1\r\n\r\nx"],
    ["two lengths", "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nxy"],
    ["a length that is none", "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n"],
    ["a length in hexadecimal", "HTTP/1.1 200 OK\r\nContent-Length: 0x5\r\n\r\nhello"],
    ["a length that is too large", `HTTP/1.1 200 OK\r\nContent-Length: ${MAX + 1}\r\n\r\n`],
    ["an encoding that nobody asked for", "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n"],
    ["a chunk without a size", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n"],
    [
      "a chunk that is longer than it says",
      "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nab\r\n0\r\n\r\n",
    ],
    [
      "chunks that come to too much",
      `HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n${(MAX + 1).toString(16)}\r\n${"x".repeat(MAX + 1)}`,
    ],
    ["a head without end", `HTTP/1.1 200 OK\r\n${"a: b\r\n".repeat(60_000)}`],
  ])("with %s is refused", (_, text) => {
    expect(() => read(text)).toThrow();
  });

  test("that ends too early is an error", () => {
    expect(read("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhell")).toBeUndefined();
    expect(read("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n")).toBeUndefined();
    expect(read("HTTP/1.1 200 OK\r\nContent-Le")).toBeUndefined();
  });
});

describe("a reply that arrives byte by byte costs no more than its bytes", () => {
  /** @returns the parser, which has been fed everything */
  function drip(text: string, bytesMax = MAX) {
    const parser = createReplyParser(bytesMax);
    const bytes = bytesOf(text);
    for (let at = 0; at < bytes.length; at++) parser.feed(bytes.subarray(at, at + 1));
    return parser;
  }
  const OPEN_ENDED = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";

  test.each<[string, (count: number) => string]>([
    ["its head", (count) => `HTTP/1.1 200 OK\r\na: ${"b".repeat(count)}`],
    [
      "heads before its own",
      (count) => `HTTP/1.1 100 Continue\r\na: ${"b".repeat(1_000)}\r\n\r\n`.repeat(count / 1_000),
    ],
    ["a line between chunks", (count) => `${OPEN_ENDED}1;${"a".repeat(count)}`],
    [
      "lines after its chunks",
      (count) => `${OPEN_ENDED}0\r\n${`a: ${"b".repeat(100)}\r\n`.repeat(count / 100)}`,
    ],
    ["chunks of a byte", (count) => OPEN_ENDED + "1\r\nx\r\n".repeat(count)],
    [
      "a body of a length",
      (count) => `HTTP/1.1 200 OK\r\nContent-Length: ${count}\r\n\r\n${"x".repeat(count)}`,
    ],
    ["a body without a length", (count) => `HTTP/1.1 200 OK\r\n\r\n${"x".repeat(count)}`],
  ])("%s", (_, reply) => {
    const of = (count: number) => metered(() => void drip(reply(count)));
    expect(of(14_000)).toBeLessThan(20 * reply(14_000).length);
    expect(of(14_000) / of(7_000)).toBeLessThan(3);
  });

  test("and no object is kept for each piece", () => {
    const views = () => heapStats().objectTypeCounts.Uint8Array ?? 0;
    for (const start of [OPEN_ENDED, "HTTP/1.1 200 OK\r\n\r\n"]) {
      Bun.gc(true);
      const before = views();
      const parser = drip(start + "1\r\nx\r\n".repeat(100_000));
      Bun.gc(true);
      expect(views() - before).toBeLessThan(2_000);
      expect(parser.end()?.bytes.length ?? 600_000).toBe(600_000);
    }
  });
});

test("a connection that has its reply keeps none of its bytes", () => {
  const head = "HTTP/1.1 200 OK\r\nContent-Length: 8000\r\n\r\n";
  const keep = (pieces: readonly string[]) => {
    const parser = createReplyParser(MAX);
    for (const piece of pieces) parser.feed(bytesOf(piece));
    return parser;
  };
  const buffers = () => heapStats().objectTypeCounts.ArrayBuffer ?? 0;
  const whole = head + "x".repeat(8000);
  for (const pieces of [[whole], [whole.slice(0, 20), whole.slice(20)]]) {
    Bun.gc(true);
    const before = buffers();
    const parsers = Array.from({ length: 500 }, () => keep(pieces));
    Bun.gc(true);
    expect(buffers() - before).toBeLessThan(50);
    expect(parsers).toHaveLength(500);
  }
});

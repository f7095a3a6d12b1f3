/** Joining pieces: the same bytes however they are cut, and no more memory than needed. */

import { heapStats } from "bun:jsc";
import { expect, test } from "bun:test";
import fc from "fast-check";
import { Gathered } from "../../src/network/gathered";

test("pieces of any sizes come out as they came in", () => {
  const piece = fc.oneof(
    fc.uint8Array({ maxLength: 10 }),
    fc.uint8Array({ minLength: 400, maxLength: 600 }),
    fc.nat(20_000).map((length) => new Uint8Array(length).fill(length % 251)),
  );
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 60 }), (pieces) => {
      const gathered = new Gathered();
      for (const one of pieces) gathered.add(one);
      const whole = Buffer.concat(pieces);
      expect(gathered.size).toBe(whole.length);
      expect(Buffer.compare(gathered.bytes(), whole)).toBe(0);
    }),
  );
});

test("small pieces keep no object each, nor the buffer that they came in", () => {
  const gathered = new Gathered();
  Bun.gc(true);
  const before = heapStats().objectTypeCounts.Uint8Array ?? 0;
  const much = new Uint8Array(100_000);
  for (let at = 0; at < much.length; at++) gathered.add(much.subarray(at, at + 1));
  Bun.gc(true);
  expect((heapStats().objectTypeCounts.Uint8Array ?? 0) - before).toBeLessThan(1_000);
  expect(gathered.size).toBe(100_000);
});

/**
 * An entry as a row on disk: comes back bit for bit, or not at all. Which entries are valid is tested here too.
 * A new member of CacheEntry is covered by `entry` (made.ts); a new check is a row of UNSOUND.
 */
import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { type CacheEntry, refuseUnsound } from "../../src/cache/entry";
import { fromRow, toRow } from "../../src/cache/row";
import { GatewayError } from "../../src/domain/errors";
import { entry, keyOf, written } from "./made";

const KEY = keyOf("a");

const anyEntry: fc.Arbitrary<CacheEntry> = fc.record({
  values: fc.float32Array({ minLength: 1, maxLength: 20, noNaN: true, noDefaultInfinity: true }),
  tokens: fc.maxSafeNat(),
  tokensSource: fc.constantFrom("provider", "header", "counted", "estimated"),
  truncated: fc.boolean(),
  averaged: fc.boolean(),
});

describe("a row", () => {
  test("gives back what was written, bit for bit", () => {
    fc.assert(
      fc.property(anyEntry, (kept) => {
        expect(written(fromRow(KEY, toRow(KEY, kept)))).toEqual(written(kept));
      }),
    );
  });

  test("with any single bit flipped is no entry", () => {
    const row = toRow(KEY, entry(7, 3));
    for (let bit = 0; bit < row.length * 8; bit++) {
      const turned = row.slice();
      turned[bit >> 3] = (turned[bit >> 3] ?? 0) ^ (1 << (bit & 7));
      expect(fromRow(KEY, turned)).toBeUndefined();
    }
  });

  test("that is shorter or longer is no entry", () => {
    const row = toRow(KEY, entry(7, 3));
    for (let length = 0; length < row.length; length++) {
      expect(fromRow(KEY, row.subarray(0, length))).toBeUndefined();
    }
    expect(fromRow(KEY, Buffer.concat([row, new Uint8Array(4)]))).toBeUndefined();
  });

  test("of another key is no entry, even if it is intact", () => {
    expect(fromRow(keyOf("b"), toRow(KEY, entry(7)))).toBeUndefined();
  });

  test.each([["a text"], [7], [null], [undefined]])("that is not bytes but %p is no entry", (row) => {
    expect(fromRow(KEY, row)).toBeUndefined();
  });

  test("can be anywhere in a larger buffer", () => {
    const row = toRow(KEY, entry(7, 3));
    const around = new Uint8Array(row.length + 5);
    around.set(row, 3);
    expect(written(fromRow(KEY, around.subarray(3, 3 + row.length)))).toEqual(written(entry(7, 3)));
  });

  test("is the same for a view and for a vector of its own", () => {
    const batch = Float32Array.from({ length: 12 }, (_, i) => i + 1);
    const view = { ...entry(1), values: batch.subarray(4, 8) };
    expect(fromRow(KEY, toRow(KEY, view))?.values).toEqual(Float32Array.of(5, 6, 7, 8));
  });
});

const UNSOUND: readonly (readonly [string, Partial<CacheEntry>])[] = [
  ["without numbers", { values: new Float32Array(0) }],
  ["of zeros", { values: new Float32Array(4) }],
  ["with NaN", { values: Float32Array.of(1, Number.NaN) }],
  ["with an endless number", { values: Float32Array.of(1, Number.NEGATIVE_INFINITY) }],
  ["with half a token", { tokens: 0.5 }],
  ["with less than no tokens", { tokens: -1 }],
  ["with a token count that is none", { tokens: Number.NaN }],
];

describe("an entry", () => {
  test.each([...UNSOUND])("%s is refused", (_, change) => {
    expect(() => refuseUnsound({ ...entry(1), ...change })).toThrow(GatewayError);
  });

  test("with the largest and the smallest possible numbers is valid", () => {
    const [largest, smallest] = [3.4028234663852886e38, 1.401298464324817e-45];
    for (const values of [Float32Array.of(largest, -largest), Float32Array.of(0, smallest)]) {
      expect(refuseUnsound({ ...entry(1), values })).toBeUndefined();
    }
  });
});

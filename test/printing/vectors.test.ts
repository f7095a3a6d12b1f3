/**
 * Vectors in answers: a client that reads a number gets the same bits of float32, and base64 has them too.
 * A new encoding is read back here.
 */
import { describe, expect, test } from "bun:test";
import { Type } from "@sinclair/typebox";
import { Value } from "@sinclair/typebox/value";
import fc from "fast-check";
import { printPage } from "../../src/printing/print";
import { pagesOf } from "../../src/printing/script";
import { embeddingObjects } from "../../src/printing/vectors";

const Entries = Type.Array(
  Type.Object({
    object: Type.Literal("embedding"),
    index: Type.Integer(),
    embedding: Type.Union([Type.Array(Type.Number()), Type.String()]),
  }),
);

function written(vectors: readonly Float32Array[], encoding: "float" | "base64"): string {
  const passages = ["[", embeddingObjects(vectors), "]"];
  return Buffer.concat([...pagesOf({ encoding, passages })].map((page) => printPage(page))).toString();
}

/** What a client gets: doubles from JSON, stored as float32, or the bytes of base64. */
function readBack(vectors: readonly Float32Array[], encoding: "float" | "base64"): Float32Array[] {
  const entries: unknown = JSON.parse(written(vectors, encoding));
  // Not Value.Parse, which would lose the sign of -0.
  Value.Assert(Entries, entries);
  expect(entries.map(({ index }) => index)).toEqual(vectors.map((_, index) => index));
  return entries.map(({ embedding }) => {
    expect(typeof embedding).toBe(encoding === "base64" ? "string" : "object");
    return typeof embedding === "string"
      ? new Float32Array(Uint8Array.fromBase64(embedding).buffer)
      : Float32Array.from(embedding);
  });
}

const bitsOf = (values: Float32Array) =>
  new Uint32Array(values.buffer.slice(values.byteOffset, values.byteOffset + values.byteLength));

function sameBits(vectors: readonly Float32Array[]): void {
  const bits = vectors.map(bitsOf);
  expect(readBack(vectors, "float").map(bitsOf)).toEqual(bits);
  expect(readBack(vectors, "base64").map(bitsOf)).toEqual(bits);
}

const fromBits = (bits: readonly number[]) => new Float32Array(Uint32Array.from(bits).buffer);

/** Every finite float32 is equally likely: subnormals, both zeros, and the largest. */
const finiteBits = fc
  .record({
    sign: fc.nat(1),
    exponent: fc.nat(254),
    mantissa: fc.oneof(fc.nat(0x7fffff), fc.constantFrom(0, 1, 0x7fffff)),
  })
  .map(({ sign, exponent, mantissa }) => ((sign << 31) | (exponent << 23) | mantissa) >>> 0);

describe("a vector written and read back has the same bits", () => {
  test("for any finite float32", () => {
    fc.assert(
      fc.property(fc.array(fc.array(finiteBits, { maxLength: 64 }), { maxLength: 4 }), (vectors) => {
        sameBits(vectors.map(fromBits));
      }),
      { numRuns: 1_000 },
    );
  });

  test("at the edges of every exponent, with both signs", () => {
    const mantissas = [0, 1, 2, 0x2aaaaa, 0x400000, 0x555555, 0x7ffffe, 0x7fffff];
    for (const sign of [0, 1]) {
      for (let exponent = 0; exponent < 255; exponent++) {
        sameBits([fromBits(mantissas.map((mantissa) => ((sign << 31) | (exponent << 23) | mantissa) >>> 0))]);
      }
    }
  });

  test("if it is part of a larger buffer", () => {
    const whole = Float32Array.from({ length: 12 }, (_, i) => (i - 6) / 7);
    sameBits([whole.subarray(3, 8), whole.subarray(0, 0), whole.subarray(11)]);
  });

  test("-0 keeps its sign, which JavaScript's own printing loses", () => {
    expect(written([Float32Array.of(-0, 0)], "float")).toContain("[-0,0]");
  });
});

test("both encodings have the same values", () => {
  fc.assert(
    fc.property(fc.array(finiteBits, { minLength: 1, maxLength: 64 }), (bits) => {
      const vectors = [fromBits(bits)];
      expect(readBack(vectors, "float").map(bitsOf)).toEqual(readBack(vectors, "base64").map(bitsOf));
    }),
  );
});

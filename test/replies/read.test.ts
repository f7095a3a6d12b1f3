/**
 * Replies read by a schema's places: the result of JSON.parse, with float32 where vectors are, and an error where JSON.parse has one.
 * A reply that could be misread is a row of REPLIES; the rest is tested by breaking valid ones.
 */
import { describe, expect, test } from "bun:test";
import { type TSchema, Type as t } from "@sinclair/typebox";
import fc from "fast-check";
import { type Places, placesOf, wireVector } from "../../src/replies/places";
import { readJson } from "../../src/replies/read";

const Entry = t.Object({
  index: t.Optional(t.Integer()),
  embedding: wireVector,
  values: t.Array(t.Number()),
});
const Lists = t.Array(wireVector);
const SCHEMAS: readonly TSchema[] = [
  wireVector,
  Lists,
  t.Object({ data: t.Array(Entry), model: t.String() }),
  t.Object({ embedding: t.Union([wireVector, t.Null()]) }),
  t.Object({ embeddings: t.Union([Lists, t.Object({ float: Lists, int8: t.Array(t.Array(t.Integer())) })]) }),
  t.Union([wireVector, Lists]),
  t.Object({
    a: t.Optional(t.Object({ b: t.Union([t.Array(t.Object({ c: wireVector })), t.Object({ d: Lists })]) })),
  }),
];

/** The result, or that it is refused; each vector as its bits, whichever reader was used. */
function outcome(read: () => unknown, places: Places): unknown {
  try {
    return { read: settled(read(), places) };
  } catch (thrown) {
    expect(thrown).toBeInstanceOf(Error);
    return "refused";
  }
}

function settled(value: unknown, places: Places | undefined): unknown {
  if (value instanceof Float32Array) return { bits: Array.from(new Uint32Array(value.slice().buffer)) };
  if (places?.isVector && typeof value === "string") return fromText(value);
  if (Array.isArray(value)) {
    if (places?.isVector && value.length > 0 && value.every((one) => typeof one === "number"))
      return settled(Float32Array.from(value), undefined);
    return value.map((one) => settled(one, places?.entries));
  }
  if (typeof value !== "object" || value === null) return value;
  return Object.entries(value).map(([key, one]) => [
    key,
    settled(one, places?.members?.find(({ name }) => name === key)?.places),
  ]);
}

function fromText(text: string): unknown {
  try {
    const { buffer } = Uint8Array.fromBase64(text);
    return buffer.byteLength > 0 ? settled(new Float32Array(buffer), undefined) : text;
  } catch {
    return text;
  }
}

function expectSame(text: string | Uint8Array): void {
  const bytes = typeof text === "string" ? new TextEncoder().encode(text) : text;
  for (const schema of SCHEMAS) {
    const places = placesOf(schema);
    if (!places) throw new Error("A schema without a vector.");
    const plain = outcome(() => JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes)), places);
    expect(outcome(() => readJson(bytes, places), places)).toEqual(plain);
  }
}

const base64 = (...values: readonly number[]) => new Uint8Array(Float32Array.from(values).buffer).toBase64();

const REPLIES: readonly string[] = [
  "[0.1,-0,1e-45,1e400]",
  "[[0.1],[2,3]]",
  "[[],[1],[[2]],[null],[1,null],[1,[2]]]",
  `"${base64(1, 2)}"`,
  `["${base64(1)}","${base64(1, 2, 3)}",[4],5]`,
  '{"data":[{"index":0,"embedding":[0.25,1],"values":[0.1,0.2]},{"values":[0.3],"embedding":[1e5],"index":1}],"model":"m"}',
  `{"data":[{"embedding":"${base64(0.5, -1, 3)}","index":0}],"values":[0.1]}`,
  // A number where a vector belongs, and numbers that look like ours.
  '{"data":[{"embedding":0,"index":0},{"embedding":[7]},{"embedding":1}],"embedding":0}',
  "0",
  "-1.5e3",
  "[0,[1],1,0]",
  '{"embedding":null}',
  '{"embedding":[1],"embedding":[2],"embedding":3}',
  '{"embeddings":{"float":[[1,2],[3]],"int8":[[1,2],[3]]}}',
  '{"embeddings":[[1,2],[3]]}',
  '{"a":{"b":[{"c":[1]},{"c":"AAAAAA=="}]}}',
  '{"a":{"b":{"d":[[1]],"c":[1]}}}',
  // Keys and strings with escapes, and strings that are keys elsewhere.
  '{"\\u0065mbedding":[0.1],"e\\"":"embedding","x":"\\\\","embedding\\\\":[0.1]}',
  '{"embedding":"embedding","b":[0.1]}',
  `{"embedding":"${base64(1, 2).replace("/", "\\/")} "}`,
  '{"embedding":"\\u0041AAAAAA="}',
  '{"embedding":"AAAA\\"AAA","x":"\\\\\\""}',
  '{"embedding":"not base64 at all","index":1}',
  '{"__proto__":{"embedding":[1]},"embedding":[2],"constructor":[3]}',
  '{"data":[{"__proto__":[1],"embedding":[1]}]}',
  '\ufeff{"embedding":[0.1]}',
  ' \n\t\r{ "embedding" : [ 0.1 , 2 ] } \n',
  '{"naïve":"日本語🦜","embedding":[0.1]}',
];

/** Invalid JSON that could become valid when a vector is taken out. */
const BROKEN: readonly string[] = [
  "",
  " ",
  "[1,]",
  "[,1]",
  "[1 2]",
  "[1][2]",
  "[1]2",
  "2[1]",
  "[[1]2]",
  "[[1],2[3],4]",
  "[[1][2]]",
  "[1",
  "[[1]",
  "[1]]",
  "1 2",
  "12[1]",
  "01",
  "[01]",
  "-",
  "[[1],01]",
  "+1",
  ".5",
  "[.5]",
  "[1.]",
  "NaN",
  "[NaN]",
  '"AAAAAA==',
  '"AAAAAA=="x',
  '"AAAAAAAA"AAAAAAAA"',
  '"AAAAAA==""AAAAAA=="',
  '"AAAA\nAAAAAAA="',
  '"AAAAAA=\n"',
  '["AAAAAA=="1]',
  '{"embedding" [1]}',
  '{"embedding":[1] 2}',
  '{"embedding":[1],}',
  '{"embedding":[1],"AAAAAA=="}',
  '{"embedding":"AAAAAA==":1}',
  "{[1]:2}",
  "{1:2}",
  '{"embedding":1:[2]}',
  '{"embedding":[1}',
  '{"embedding":[1]]',
  '{"embedding":[1]}}',
  '{"embedding":[1]}\ufeff',
  "[1]\ufeff",
  '{"embedding":[1],"x":"\u0001"}',
  '{"embedding":[1],"x":"\\x"}',
  '{"embedding":[1],"x\\x":2}',
  '{"embedding":[1],x:2}',
  "{'embedding':[1]}",
  '{"embedding":[1]/**/}',
  '{"embedding":tru0}',
  '{"embedding":0e}',
  '{"embedding":1true}',
];

describe("a reply by its places", () => {
  test.each(REPLIES)("%j", (text) => {
    expect(() => JSON.parse(text.replace(/^\ufeff/, ""))).not.toThrow();
    expectSame(text);
  });

  test.each(BROKEN)("%j is not JSON", (text) => {
    expect(() => JSON.parse(text)).toThrow();
    expectSame(text);
  });

  test("vectors are float32, and numbers elsewhere stay what they are", () => {
    const places = placesOf(SCHEMAS[2] ?? wireVector);
    const text = `{"data":[{"embedding":[0.1,2],"values":[0.1,2]},{"embedding":"${base64(3, 4)}"}]}`;
    expect(readJson(new TextEncoder().encode(text), places)).toEqual({
      data: [{ embedding: Float32Array.of(0.1, 2), values: [0.1, 2] }, { embedding: Float32Array.of(3, 4) }],
    });
  });

  const vectorsIn = (text: string): Float32Array[] => {
    const read = readJson(new TextEncoder().encode(text), placesOf(Lists));
    if (!Array.isArray(read)) throw new Error("it is a list");
    return read.map((one) => (one instanceof Float32Array ? one : new Float32Array()));
  };

  test("vectors are next to each other in memory, each in its own place", () => {
    const vectors = vectorsIn("[[1,2],[3],[4,5,6],[7,8,9,10,11,12,13],[14]]");
    for (const [i, vector] of vectors.entries()) vector.fill(i);
    expect(vectors.map((vector) => [...vector])).toEqual([
      [0, 0],
      [1],
      [2, 2, 2],
      [3, 3, 3, 3, 3, 3, 3],
      [4],
    ]);
    const alike = vectorsIn(`[${Array(64).fill("[0.5,0.25,0.125]").join()}]`);
    expect(new Set(alike.map(({ buffer }) => buffer)).size).toBe(1);
    // What is left over is small: the text around the vectors.
    expect(alike[0]?.buffer.byteLength).toBeLessThan(1.1 * 64 * 12);
  });

  test("a single vector uses no more memory than it needs", () => {
    expect(vectorsIn("[[1,2,3,4]]").map(({ buffer }) => buffer.byteLength)).toEqual([16]);
  });

  test("bytes that are not UTF-8 are refused, before a vector and after it", () => {
    for (const at of [6, 25]) {
      const bytes = new TextEncoder().encode('{"x":"_","embedding":[1],"y":"_"}');
      bytes[at] = 0xff;
      expectSame(bytes);
    }
  });

  test("a schema without vectors reads JSON as it is", () => {
    expect(
      placesOf(t.Object({ data: t.Array(t.Array(t.Number())), more: t.Record(t.String(), t.Unknown()) })),
    ).toBeUndefined();
    expect(readJson(new TextEncoder().encode("[[0.1]]"), undefined)).toEqual([[0.1]]);
  });

  test("depth does not matter", () => {
    const deep = (inside: string) => `${'[{"a":'.repeat(2_000)}${inside}${"}]".repeat(2_000)}`;
    expectSame(`{"embedding":[1],"x":${deep("[1]")}}`);
  });
});

describe("any reply", () => {
  const floats = fc.array(fc.oneof(fc.double({ noNaN: true }), fc.float({ noNaN: true }), fc.nat(3)), {
    maxLength: 5,
  });
  const { any } = fc.letrec<{ any: unknown }>((tie) => ({
    any: fc.oneof(
      { maxDepth: 5, withCrossShrink: true },
      floats,
      floats.map((values) => base64(...values)),
      fc.constantFrom(0, 1, 2, "embedding", null, true, "AAAAAAAA", "", [], {}),
      fc.string(),
      fc.array(tie("any"), { maxLength: 4 }),
      fc
        .array(
          fc.tuple(
            fc.constantFrom(
              "data",
              "embedding",
              "embeddings",
              "float",
              "int8",
              "index",
              "values",
              "a",
              "b",
              "c",
              "d",
              "é",
            ),
            tie("any"),
          ),
          { maxLength: 4 },
        )
        .map((entries) => Object.fromEntries(entries)),
    ),
  }));
  /** Written with white space in places, and Infinity as the largest number. */
  const replies = fc
    .tuple(any, fc.constantFrom(0, 1, "\t"))
    .map(([value, space]) =>
      JSON.stringify(value, (_, one) => (one === Number.POSITIVE_INFINITY ? 1e300 : one), space),
    );

  test("is read as JSON.parse reads it, except for its vectors", () => {
    fc.assert(
      fc.property(replies, (text) => expectSame(text)),
      { numRuns: 2_000 },
    );
  });

  test("that is broken anywhere is read or refused as JSON.parse does", () => {
    const pieces = fc.constantFrom(
      ...'[]{},:"\\ \n0123456789-+.eE/AZtrufalsn=_',
      "\u0000",
      "é",
      '"embedding":',
      "[1,2]",
      '"AAAAAA=="',
    );
    fc.assert(
      fc.property(
        replies,
        fc.array(fc.tuple(fc.nat(), fc.nat(4), pieces), { minLength: 1, maxLength: 3 }),
        (text, changes) => {
          let broken = text;
          for (const [place, dropped, piece] of changes) {
            const at = place % (broken.length + 1);
            broken = broken.slice(0, at) + (dropped === 4 ? "" : piece) + broken.slice(at + dropped);
          }
          expectSame(broken);
        },
      ),
      { numRuns: 5_000 },
    );
  });

  test("of any bytes is read or refused as JSON.parse does", () => {
    const bytes = fc.array(fc.oneof(fc.constantFrom(...Buffer.from('[]{},:"0123e-. AAAA')), fc.nat(255)), {
      maxLength: 30,
    });
    fc.assert(
      fc.property(bytes, (all) => expectSame(Uint8Array.from(all))),
      { numRuns: 3_000 },
    );
  });
});

/**
 * What every plugin gets: reading a reply by a schema, and vectors from what JSON contains.
 * A new member of `Host` is tested here, with what it refuses.
 */
import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { GatewayError } from "../../src/domain/errors";
import { realOutside } from "../../src/network/real-outside";
import { createHost } from "../../src/upstream/host";
import { fakeOutside, STARTED_AT } from "../fake-outside";
import { failureOf } from "../plugins/conformance/subject";

const clock = fakeOutside();
const host = createHost(clock.outside);
const { t } = host;
const bytes = (text: string) => new TextEncoder().encode(text);

function malformedBy(act: () => unknown): string {
  try {
    act();
  } catch (thrown) {
    expect(thrown).toBeInstanceOf(GatewayError);
    if (!(thrown instanceof GatewayError)) throw thrown;
    expect(thrown.kind).toBe("malformed");
    return thrown.message;
  }
  throw new Error("It was taken for good.");
}

describe("read", () => {
  const Reply = t.Object({ data: t.Array(t.Object({ embedding: t.Array(t.Number()) })) });

  test("returns what the schema promises, together with other members", () => {
    const reply = host.read(Reply, bytes('{"data":[{"embedding":[1,2],"object":"embedding"}],"new":true}'));
    expect(reply.data[0]?.embedding).toEqual([1, 2]);
  });

  test("names the member that does not match the schema", () => {
    const message = malformedBy(() => host.read(Reply, bytes('{"data":[{"embedding":[1,null]}]}')));
    expect(message).toBe(
      "The provider's answer cannot be used: its reply does not have its API's format: 'data[0].embedding[1]' must be a number, not null.",
    );
  });

  test.each(["", "null", "[]", "42", '"text"', "{", '{"data"', "<html>", "\u0000", '{"data":{}}'])(
    "refuses %j",
    (text) => {
      malformedBy(() => host.read(Reply, bytes(text)));
    },
  );

  test("quotes the start of invalid JSON, and no more than that", () => {
    const message = malformedBy(() => host.read(Reply, bytes(`<soap>${"x".repeat(5000)}`)));
    expect(message).toContain('it starts "<soap>xxx');
    expect(message.length).toBeLessThan(250);
  });

  test("refuses invalid UTF-8 instead of reading something else", () => {
    malformedBy(() => host.read(t.Object({}), Uint8Array.of(0x7b, 0x22, 0xff, 0x22, 0x3a, 0x31, 0x7d)));
  });
});

describe("a vector in a schema", () => {
  const Reply = t.Object({ data: t.Array(t.Object({ embedding: host.wireVector })) });
  const replyOf = (embedding: string) => bytes(`{"data":[{"embedding":${embedding}}],"new":[1,2]}`);

  test("is float32, from numbers and from base64", () => {
    for (const embedding of [
      "[0.5, 0.1]",
      `"${new Uint8Array(Float32Array.of(0.5, 0.1).buffer).toBase64()}"`,
    ]) {
      const [entry] = host.read(Reply, replyOf(embedding)).data;
      expect(entry?.embedding).toEqual(Float32Array.of(0.5, 0.1));
      expect(host.vector(entry?.embedding ?? "")).toEqual(Float32Array.of(0.5, 0.1));
    }
  });

  test("that is invalid is refused, naming its place", () => {
    const WRONG: readonly (readonly [string, string])[] = [
      ["null", "'data[0].embedding' must be an array of numbers or base64, not null"],
      ["1", "'data[0].embedding' must be an array of numbers or base64, not 1"],
      ["{}", "'data[0].embedding' must be an array of numbers or base64, not an object"],
      ["[1,null]", "'data[0].embedding[1]' must be a number, not null"],
    ];
    for (const [embedding, words] of WRONG)
      expect(malformedBy(() => host.read(Reply, replyOf(embedding)))).toContain(words);
  });

  test("in invalid JSON is refused as invalid JSON", () => {
    expect(malformedBy(() => host.read(Reply, replyOf("[1,]")))).toContain('is not JSON, it starts "{');
  });
});

describe("vector", () => {
  const floats = fc.array(fc.float({ noNaN: true }), { maxLength: 40 });

  test("numbers and base64 of the same vector are the same vector", () => {
    fc.assert(
      fc.property(floats, (values) => {
        const vector = Float32Array.from(values);
        const base64 = new Uint8Array(vector.buffer).toBase64();
        expect(host.vector(values)).toEqual(vector);
        expect(host.vector(base64)).toEqual(vector);
      }),
    );
  });

  const bitsOf = (vector: Float32Array) => Array.from(new Uint32Array(Float32Array.from(vector).buffer));

  test("every finite float32 keeps its bits, including subnormals and both zeros", () => {
    const finite = fc
      .tuple(fc.nat(1), fc.nat(254), fc.oneof(fc.nat(0x7fffff), fc.constantFrom(0, 1, 0x7fffff)))
      .map(([sign, exponent, mantissa]) => ((sign << 31) | (exponent << 23) | mantissa) >>> 0);
    fc.assert(
      fc.property(fc.array(finite, { maxLength: 60 }), (bits) => {
        const vector = new Float32Array(Uint32Array.from(bits).buffer);
        const words = Array.from(vector, (value) => (Object.is(value, -0) ? "-0" : String(value)));
        const numbers = host.read(t.Array(t.Number()), bytes(`[${words.join(",")}]`));
        expect(bitsOf(host.vector(numbers))).toEqual(bits);
        expect(bitsOf(host.vector(new Uint8Array(vector.buffer).toBase64()))).toEqual(bits);
      }),
      { numRuns: 1_000 },
    );
  });

  test("whatever JSON is in a vector's place is a vector, or malformed", () => {
    fc.assert(
      fc.property(fc.oneof(fc.array(fc.jsonValue()), fc.array(fc.double()), fc.string()), (value) => {
        const read = host.read(t.Unsafe<number[] | string>(t.Unknown()), bytes(JSON.stringify(value)));
        let vector: Float32Array;
        try {
          vector = host.vector(read);
        } catch (thrown) {
          expect(thrown).toMatchObject({ name: "GatewayError", kind: "malformed" });
          return;
        }
        if (typeof read === "string") {
          // The last character may contain bits beyond the last byte.
          const unpadded = (text: string) => text.replace(/[\s=]/g, "").slice(0, -1);
          const written = new Uint8Array(vector.buffer, vector.byteOffset, vector.byteLength).toBase64();
          expect(unpadded(written)).toBe(unpadded(read));
        } else expect([...vector]).toEqual(read.map(Math.fround));
      }),
      { numRuns: 2_000 },
    );
  });

  test.each([
    ["null", "[1, null]"],
    ["a string", '[1, "2"]'],
    ["a boolean", "[true]"],
    ["an array", "[[1]]"],
  ])("%s among the numbers is refused, not made a number", (_, text) => {
    const values = host.read(t.Unsafe<number[]>(t.Array(t.Unknown())), bytes(text));
    expect(malformedBy(() => host.vector(values))).toContain("where a number belongs");
  });

  test("a long word among the numbers is shortened in the message", () => {
    const text = JSON.stringify(["word".repeat(1000)]);
    const values = host.read(t.Unsafe<number[]>(t.Array(t.Unknown())), bytes(text));
    expect(malformedBy(() => host.vector(values)).length).toBeLessThan(200);
  });

  test("a number that is not finite stays so, and the check refuses it", () => {
    const values = host.vector([Number.NaN, Number.POSITIVE_INFINITY, 1e300]);
    expect([...values]).toEqual([Number.NaN, Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY]);
  });

  test.each(["!!!!", "AACAP", "AACA-_==", "AACAPw==AACAPw==", "é"])("%j is not base64", (text) => {
    malformedBy(() => host.vector(text));
  });

  test.each([1, 2, 3, 5, 7])("%d bytes are not a whole number of float32 values", (count) => {
    expect(malformedBy(() => host.vector(new Uint8Array(count).toBase64()))).toContain("whole number");
  });
});

describe("the rest of the host", () => {
  test("a failure has its kind and its details", () => {
    const cause = new Error("under it");
    const failure = host.failure("overloaded", "Later.", {
      retryAfterMs: 5,
      input: 2,
      field: "input",
      cause,
    });
    expect(failure).toBeInstanceOf(GatewayError);
    expect(failure).toMatchObject({
      kind: "overloaded",
      message: "Later.",
      retryAfterMs: 5,
      input: 2,
      cause,
    });
  });

  test("clock, sleep and randomness come from outside", async () => {
    expect(host.now()).toBe(STARTED_AT);
    await clock.until(host.sleep(70));
    expect(host.now()).toBe(STARTED_AT + 70);
    expect(host.random()).toBe(fakeOutside().outside.random());
  });

  test("a variable comes from the environment, and an empty one counts as missing", () => {
    const { outside } = fakeOutside({ environment: { REGION: "eu-west-1", EMPTY: "" } });
    const { variable } = createHost(outside);
    expect(["REGION", "EMPTY", "UNSET", "__proto__"].map(variable)).toEqual([
      "eu-west-1",
      undefined,
      undefined,
      undefined,
    ]);
  });

  test("a file's text is read, and a missing file has none", async () => {
    const { readFile } = createHost(realOutside);
    expect(await readFile(import.meta.path)).toContain("a file's text is read");
    expect(await readFile(`${import.meta.path}.gone`)).toBeUndefined();
    expect(await readFile(import.meta.dir)).toBeUndefined();
  });

  test("what is sent is unchanged: the method, the headers, the exact text", async () => {
    const sent: [string, string | undefined, Record<string, string>, unknown][] = [];
    const { outside } = fakeOutside({
      fetch: async (url, { method, headers, body }) => {
        sent.push([url, method, Object.fromEntries(new Headers(headers)), body]);
        return new Response("", { status: sent.length === 3 ? 404 : 200 });
      },
    });
    const { signal } = new AbortController();
    const { send } = createHost(outside);
    const url = "https://api.example/x";
    await send({ method: "GET", url, headers: {}, signal });
    await send({ method: "PUT", url, headers: { "Content-Type": "text/plain" }, body: '{ "a":1}', signal });
    expect(sent).toEqual([
      [url, "GET", {}, undefined],
      [url, "PUT", { "content-type": "text/plain" }, '{ "a":1}'],
    ]);
    await expect(send({ method: "GET", url: `${url}/other`, headers: {}, signal })).rejects.toMatchObject({
      kind: "wrong_address",
    });
  });

  test("a provider is returned as it was made", () => {
    const provider = {
      id: "x",
      options: t.Object({}),
      open: () => ({ embed: () => Promise.reject(new Error()) }),
    };
    expect(host.provider(provider)).toBe(provider);
  });
});

describe("a 404 of a URL that has answered before does not mean a wrong URL", () => {
  test.each([
    ["", "not_found"],
    ['{"detail":"Not Found"}', "not_found"],
    ['{"error":{"message":"not found"}}', "not_found"],
    ["404 page not found", "unavailable"],
    ["<html><title>404 Not Found</title></html>", "unavailable"],
  ])("%j", async (said, kind) => {
    const replies = [
      new Response(said, { status: 404 }),
      new Response("{}"),
      new Response(said, { status: 404 }),
    ];
    const { outside } = fakeOutside({ fetch: async () => replies.shift() ?? new Response("{}") });
    const { post } = createHost(outside);
    const ask = (url: string) => post({ url, headers: {}, body: {}, signal: new AbortController().signal });
    const { kind: before } = await failureOf(ask("https://api.example/v1/embeddings?key=abcdefghij"));
    expect(before).toBe("wrong_address");
    await ask("https://api.example/v1/embeddings?key=another-one");
    const { kind: after, message } = await failureOf(ask("https://api.example/v1/embeddings"));
    expect<string>(after).toBe(kind);
    expect(message).not.toContain("base_url");
  });
});

/**
 * Whatever JSON a client sends: a request with exactly the client's values, or an error that names the field. It never throws anything else.
 * A new field of the wire joins `nearlyRight`.
 */
import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { DEPTH_MAX } from "../../src/dialects/depth";
import { decodeRequest } from "../../src/dialects/openai";
import { DIALECTS } from "../../src/dialects/records";
import { controlIn } from "../../src/domain/control-characters";
import { GatewayError } from "../../src/domain/errors";
import type { Policies } from "../../src/domain/policies";
import type { EmbedRequest } from "../../src/domain/request";

const RUNS = 2_000;

/** As it arrives: values that JSON cannot represent are gone, the others survive. */
const decoded = (body: unknown, policies: Policies = DIALECTS.openai): EmbedRequest =>
  decodeRequest(JSON.parse(JSON.stringify(body)), policies).request;

function refusal(body: unknown, policies?: Policies): GatewayError | undefined {
  try {
    decoded(body, policies);
    return undefined;
  } catch (thrown) {
    if (thrown instanceof GatewayError) return thrown;
    throw thrown;
  }
}

/** Random UTF-16, including unpaired surrogates. */
const anyText = fc.oneof(
  fc.string({ unit: "binary" }),
  fc.array(fc.integer({ min: 0, max: 0xffff })).map((units) => String.fromCharCode(...units)),
);
const text = fc.string({ unit: "binary", minLength: 1 });
/** Names that callers choose: anything except control characters, which control-characters.test.ts tests. */
const name = fc.string({ unit: "binary", minLength: 1 }).filter((one) => controlIn(one) === undefined);
const tokenId = fc.integer({ min: 0, max: 2 ** 31 - 1 });
const tokenIds = fc.array(tokenId, { minLength: 1, maxLength: 20 });
const anyJson = fc.jsonValue({ depthSize: "medium", stringUnit: "binary" });

const right = fc.record(
  {
    model: name,
    input: fc.oneof(
      text,
      fc.array(text, { minLength: 1 }),
      tokenIds,
      fc.array(tokenIds, { minLength: 1, maxLength: 8 }),
    ),
    encoding_format: fc.constantFrom("float", "base64", null),
    dimensions: fc.option(fc.integer({ min: 1, max: 65536 })),
    user: fc.option(fc.oneof(fc.constant(""), name)),
    metadata: fc.option(
      fc.dictionary(fc.oneof(fc.constant(""), name), fc.oneof(name, fc.integer(), fc.boolean()), {
        maxKeys: 5,
      }),
    ),
    extra_body: fc.option(fc.dictionary(fc.constantFrom("truncate", "input_type", "late"), anyJson)),
    stream: fc.constantFrom(false, null),
  },
  { requiredKeys: ["model", "input"] },
);

/** A valid request with one arbitrary field. */
const nearlyRight = fc
  .tuple(
    right,
    fc.oneof(
      fc.constantFrom(
        "model",
        "input",
        "dimensions",
        "user",
        "metadata",
        "extra_body",
        "stream",
        "__proto__",
      ),
      fc.string(),
    ),
    fc.oneof(anyJson, anyText, fc.array(anyText), fc.array(anyJson)),
  )
  .map(([request, field, value]) => ({ ...request, ...Object.fromEntries([[field, value]]) }));

describe("any JSON", () => {
  test.each(Object.entries(DIALECTS))(
    "gives a request in %s, or an error of the caller's that says which field",
    (_, policies) => {
      fc.assert(
        fc.property(fc.oneof(anyJson, nearlyRight, fc.dictionary(fc.string(), anyJson)), (body) => {
          const error = refusal(body, policies);
          if (!error) return;
          expect(error.kind).toBe("invalid");
          expect(error.message).not.toBe("");
          const isObject = typeof body === "object" && body !== null && !Array.isArray(body);
          expect([isObject, (error.field ?? "") !== ""]).toEqual([isObject, isObject]);
        }),
        { numRuns: RUNS },
      );
    },
  );

  test("of the right shape is accepted, and nothing of it is changed", () => {
    fc.assert(
      fc.property(right, (body) => {
        const { input } = body;
        const request = decoded(body);
        expect(request.model).toBe(body.model);
        const isOne = typeof input === "string" || typeof input[0] === "number";
        const given = isOne ? [input] : input;
        expect(request.inputs.map((one) => (typeof one === "string" ? one : Array.from(one)))).toEqual(
          JSON.parse(JSON.stringify(given)),
        );
        expect(request.encoding).toBe(body.encoding_format === "base64" ? "base64" : "float");
        expect(request.dimensions).toBe(body.dimensions ?? undefined);
        expect(request.user).toBe(body.user ?? undefined);
        expect(request.fields).toEqual({});
      }),
      { numRuns: RUNS },
    );
  });

  test("unknown fields are passed on unchanged, except for null", () => {
    fc.assert(
      fc.property(fc.stringMatching(/^own_[a-z]{1,9}$/), anyJson, (name, value) => {
        const { fields } = decoded({ model: "m", input: "a", [name]: value });
        expect(fields).toEqual(value === null ? {} : { [name]: JSON.parse(JSON.stringify(value)) });
      }),
    );
  });

  test("an unpaired surrogate anywhere in a text is refused, because the provider would get a different text", () => {
    const half = fc.integer({ min: 0xd800, max: 0xdfff }).map((unit) => String.fromCharCode(unit));
    fc.assert(
      fc.property(text, half, text, fc.nat(3), (before, lone, after, place) => {
        fc.pre(!`${before}${lone}${after}`.isWellFormed());
        const input = ["a", "b", "c", "d"].with(place, `${before}${lone}${after}`);
        expect(refusal({ model: "m", input })?.field).toBe(`input[${place}]`);
      }),
    );
  });
});

describe("depth", () => {
  const nested = (levels: number) => JSON.parse("[".repeat(levels) + "]".repeat(levels));

  test.each(["extra_body", "own_field"])("of %s is limited, however deep it is", (field) => {
    const body = (levels: number) => ({
      model: "m",
      input: "a",
      [field]: field === "extra_body" ? { x: nested(levels - 1) } : nested(levels),
    });
    expect(() => decoded(body(DEPTH_MAX))).not.toThrow();
    for (const levels of [DEPTH_MAX + 1, 10_000, 1_000_000]) {
      expect(() => decodeRequest(body(levels), DIALECTS.openai)).toThrow(`'${field}' is nested too deeply`);
    }
  });

  test("of the other fields is as in the schema", () => {
    for (const field of ["input", "metadata", "user", "dimensions"]) {
      expect(() =>
        decodeRequest({ model: "m", input: "a", [field]: nested(1_000_000) }, DIALECTS.openai),
      ).toThrow(`'${field}`);
    }
  });
});

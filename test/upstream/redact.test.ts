/**
 * Credentials in a provider's message: whole, in parts, encoded, shortened, cut. None may reach a caller.
 * A new way in which a provider was seen to repeat a key is a row here.
 */
import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { startOf, withoutSecrets } from "../../src/upstream/redact";

const bytes = (text: string) => new TextEncoder().encode(text);

describe("what is removed", () => {
  const SHAPES: readonly (readonly [string, Record<string, string>, string, string])[] = [
    ["a bearer token", { authorization: "Bearer Zx81qLm4tT" }, "key Zx81qLm4tT is bad", "Zx81qLm4tT"],
    ["the whole header", { authorization: "Bearer Zx81qLm4tT" }, "got 'Bearer Zx81qLm4tT'", "Zx81qLm4tT"],
    ["Azure's header", { "api-key": "0123456789abcdef" }, "key=0123456789abcdef", "0123456789abcdef"],
    ["Google's header", { "x-goog-api-key": "AIzaSyFake" }, "API key AIzaSyFake not valid", "AIzaSyFake"],
    ["a cookie's value", { cookie: "session=s3cr3tvalue; a=b" }, "session s3cr3tvalue ended", "s3cr3tvalue"],
    [
      "a signature",
      { authorization: "AWS4-HMAC-SHA256 Credential=AKIDFAKE/eu, Signature=f00dfeed" },
      "f00dfeed does not match",
      "f00dfeed",
    ],
    [
      "Basic as it is sent",
      { authorization: "Basic dXNlcjpodW50ZXIyMg==" },
      "dXNlcjpodW50ZXIyMg==",
      "dXNlcj",
    ],
    [
      "Basic unwrapped",
      { authorization: "Basic dXNlcjpodW50ZXIyMg==" },
      "user:hunter22 is unknown",
      "hunter22",
    ],
    ["a key in JSON", { "x-api-key": 'quo"te\\slash' }, JSON.stringify('quo"te\\slash'), "slash"],
    ["a key in an address", { "x-api-key": "a/b+c=d&e" }, "?key=a%2Fb%2Bc%3Dd%26e", "b%2Bc"],
    ["a proxy's own header", { "x-proxy-pass": "swordfish" }, "swordfish is wrong", "swordfish"],
    ["a key of nobody's header", {}, "key sk-proj-abcdef123456 leaked", "abcdef"],
    ["a bearer token of nobody's header", {}, "Bearer eyJhbGciOi.J9.x_y leaked", "eyJ"],
    ["a key shortened with asterisks", {}, "Incorrect API key provided: Zx81****bNcQ.", "bNcQ"],
    ["a shortened key of a known shape", {}, "provided: sk-ab***wxyz", "wxyz"],
    ["a key cut by an ellipsis", { "x-api-key": "0123456789abcdef" }, 'not "0123456789…', "012345"],
    [
      "a key at the end of a body cut short",
      { "x-api-key": "0123456789abcdef" },
      "you sent 01234567",
      "012345",
    ],
  ];
  test.each(SHAPES)("%s", (_, headers, text, leak) => {
    expect(text).toContain(leak);
    expect(withoutSecrets(text, headers)).not.toContain(leak);
    expect(withoutSecrets(text, headers)).toContain("[redacted]");
  });

  test.each([
    ["letters", "a"],
    ["starts of keys", "sk-"],
    ["dots and dashes", ".-"],
    ["two asterisks, never three", "a**"],
    ["starts of the key itself", "Zx81qL"],
    ["starts of a token", "Bearer a "],
    ["white space", " "],
  ])("in no more time than the text is long: %s", (_, run) => {
    // With quadratic time this would not end.
    const headers = { authorization: "Bearer Zx81qLm4tT" };
    const text = `Zx81qLm4tT ${run.repeat(4_000_000 / run.length)} Zx81qLm4tT`;
    expect(withoutSecrets(text, headers)).toStartWith("[redacted] ");
    expect(startOf(bytes(text), headers, 300)).toStartWith("[redacted]");
  });

  test("wherever a text that is too long is cut, no part of a key is left at its end", () => {
    const secret = "0123456789abcdefghij";
    for (let before = 16_360; before < 16_390; before++) {
      for (const told of [
        withoutSecrets(`${"x ".repeat(before / 2)}${secret}${"y".repeat(100_000)}`, { "x-api-key": secret }),
        startOf(bytes(`${"é".repeat(before / 2)}${secret} y`), { "x-api-key": secret }, 100_000),
      ])
        expect(told).not.toContain("012345");
    }
  });

  test("no key of any form is left, wherever a long text is cut", () => {
    const key = fc.stringMatching(/^[A-Za-z0-9_./+-]{8,80}$/);
    const text = fc.string({ maxLength: 400 });
    fc.assert(
      fc.property(
        key,
        text,
        text,
        fc.integer({ min: 1, max: 500 }),
        (secret, before, after, charactersMax) => {
          const told = startOf(
            bytes(`${before} ${secret} ${after}`),
            { authorization: `Bearer ${secret}` },
            charactersMax,
          );
          expect(told.length).toBeLessThanOrEqual(charactersMax);
          expect(told.replaceAll("[redacted]", "")).not.toContain(secret.slice(0, 8));
        },
      ),
    );
  });
});

describe("what is kept", () => {
  const KEPT = [
    "Incorrect API key provided. You can find your API key in your settings.",
    "You need an Authorization header using Bearer auth (i.e. Authorization: Bearer YOUR_KEY).",
    "The model `x` does not exist or you do not have access to it.",
    "content-type must be application/json",
    "This model's maximum context length is 8192 tokens, however you requested 9001 tokens",
  ];
  test.each(KEPT)("%s", (words) => {
    const headers = {
      authorization: "Bearer Zx81qLm4tT",
      "content-type": "application/json",
      "x-short": "key",
    };
    expect(withoutSecrets(words, headers)).toBe(words);
  });

  test("of a signed request: neither the signature nor the key's id, but the names of what was signed", () => {
    const headers = {
      authorization:
        "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20270115/us-east-1/bedrock/aws4_request, SignedHeaders=content-type;host;x-amz-date, Signature=0123456789abcdef",
      "x-amz-security-token": "FwoGZXIvYXdzEJr",
    };
    const words = (signature: string, token: string, id: string) =>
      `content-type;host;x-amz-date: ${signature} of ${id} with ${token}`;
    expect(
      withoutSecrets(words("0123456789abcdef", "FwoGZXIvYXdzEJr", "AKIAIOSFODNN7EXAMPLE"), headers),
    ).toBe(words("[redacted]", "[redacted]", "[redacted]"));
  });

  test("the start of a page, its white space folded, cut to the requested size", () => {
    expect(startOf(bytes("<html>\n\n  <b>Bad   gateway</b>\n"), {}, 100)).toBe("Bad gateway");
    expect(startOf(bytes("x".repeat(1000)), {}, 300)).toBe("x".repeat(300));
  });
});

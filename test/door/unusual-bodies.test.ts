/**
 * Bodies that look odd and are valid: each is answered. bad-bodies.test.ts has invalid ones.
 */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { FAKE_YAML, type OpenGateway, openGateway } from "../gateway";

const good = { model: "fake", input: "hello" };
const gzipped = (text: string) => new Blob([Bun.gzipSync(text)]);

let open: OpenGateway;
beforeAll(async () => {
  open = await openGateway({ yaml: FAKE_YAML });
});
afterAll(() => open[Symbol.asyncDispose]());

describe("a body that is unusual but valid is answered", () => {
  const RIGHT: readonly (readonly [string, unknown, Readonly<Record<string, string>>?])[] = [
    [
      "nulls for optional fields",
      {
        ...good,
        dimensions: null,
        user: null,
        encoding_format: null,
        metadata: null,
        extra_body: null,
        stream: null,
      },
    ],
    ["stream: false", { ...good, stream: false }],
    ["duplicate keys, of which the last wins", '{"model":"nope","model":"fake","input":"a"}'],
    ["a content type in odd case", good, { "content-type": "Application/JSON; Charset=UTF-8" }],
    ["a vendor's JSON type", good, { "content-type": "application/vnd.api+json" }],
    ["a byte order mark", `\ufeff${JSON.stringify(good)}`],
    ["white space only", { model: "fake", input: " " }],
    ["a field that the plugin declares", { ...good, title: "T" }],
    ["a task", { ...good, input_type: "query" }],
    ["the model's own size", { ...good, dimensions: 16 }],
    ["another size that it makes", { ...good, dimensions: 5 }],
    ["2048 texts", { model: "fake", input: new Array(2048).fill("a") }],
    ["a long flat array of token ids", { model: "fake", input: new Array(5000).fill(1) }],
  ];
  test.each(RIGHT.map(([what, body, headers]) => [what, body, headers] as const))(
    "%s",
    async (_, body, headers) => {
      const { status, text } = await open.post(body, headers);
      expect(text).toStartWith('{"object":"list"');
      expect(status).toBe(200);
    },
  );

  test("a gzipped body", async () => {
    const { status } = await open.post(gzipped(JSON.stringify(good)), { "content-encoding": "gzip" });
    expect(status).toBe(200);
  });
});

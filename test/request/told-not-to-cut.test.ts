/**
 * Providers that are told to refuse texts that are too long (`truncate: NONE`) and cut them all the same, with no count that shows it, where tokens
 * cost money. One that refuses as it was told costs nothing to test, in whatever words. Another such provider is a row of PROVIDERS.
 */
import { describe, expect, test } from "bun:test";
import { type Opened, openBefore, vectorFor } from "./vendor";

const SIZE = 64;
const errorOf = ({ json }: { readonly json: unknown }) => Object(json).error;
const wordsOf = (text: string) => text.split(/\s+/).filter(Boolean);
const prose = (words: number) => "where ".repeat(words).trim();

const PROVIDERS = [
  ["jina", "truncate", false],
  ["nim", "truncate", "NONE"],
  ["voyage", "truncation", false],
  ["mistral", undefined, undefined],
] as const;

const yaml = (plugin: string, { model = "", price = 1 } = {}) => `
database: "sqlite:./told.db"
providers: { a: { plugin: ${plugin}, base_url: "http://a/v1", retries: 0, api_key: k } }
space_probe: false
cache: false
models:
  m:
    routes: [ { provider: a } ]
    dimensions: ${SIZE}
    normalized: true
    price: ${price}
    uncounted: send
    ${model}
`;

interface Ways {
  /** It says this of longer texts instead of cutting them. */
  readonly refusal?: () => Response;
}

/** @param limit in words; it has no `usage` */
function reads(open: Opened, limit: number, { refusal }: Ways = {}): void {
  open.vendor.answer = ({ input }) => {
    const texts = input.map(String);
    if (refusal && texts.some((text) => wordsOf(text).length > limit)) return refusal();
    const data = texts.map((text, index) => {
      const seen = wordsOf(text).slice(0, limit).join(" ");
      return { object: "embedding", index, embedding: [...vectorFor(seen, "seen", SIZE)] };
    });
    return Response.json({ object: "list", data });
  };
}

const toldOf = ({ logs }: Opened) =>
  logs
    .filter(({ message }) => message === "provider tested for silent truncation")
    .map(({ about }) => Object(about));

describe.each(PROVIDERS)("%s", (plugin, field, no) => {
  test("cuts without a word: seen by one test, told with its cost, and remembered", async () => {
    await using open = await openBefore(yaml(plugin));
    reads(open, 510);
    const sent = await open.post({ model: "m", input: prose(600) });
    expect([sent.status, errorOf(sent)?.code]).toEqual([400, "context_length_exceeded"]);
    if (field) for (const { body } of open.vendor.calls) expect(body[field]).toBe(no);
    expect(toldOf(open)).toMatchObject([{ found: "it truncates to 510 tokens" }]);
    expect(toldOf(open)[0].tokens).toBeGreaterThan(1_000);
    const before = open.vendor.calls.length;
    expect((await open.post({ model: "m", input: prose(700) })).status).toBe(400);
    expect((await open.post({ model: "m", input: prose(50) })).status).toBe(200);
    expect(open.vendor.calls.length - before).toBeLessThanOrEqual(2);
  });

  test("refuses, in whatever words: one call that costs nothing, at the model's limit, and none after it", async () => {
    for (const refusal of [
      () => Response.json({ error: { message: "Quite a text!" } }, { status: 400 }),
      () => Response.json({ detail: "no" }, { status: 422 }),
    ]) {
      await using open = await openBefore(yaml(plugin, { model: "max_input_tokens: 4096" }));
      reads(open, 4096, { refusal });
      expect((await open.post({ model: "m", input: prose(300) })).status).toBe(200);
      expect(open.vendor.calls).toHaveLength(2);
      expect(toldOf(open)).toMatchObject([{ found: "it refuses longer texts", tokens: 0 }]);
      for (const words of [800, 2_000, 4_000])
        expect((await open.post({ model: "m", input: prose(words) })).status).toBe(200);
      expect(open.vendor.calls).toHaveLength(5);
    }
  });

  test("cuts at the limit that it states: what may be longer is refused, and what is not is answered", async () => {
    await using open = await openBefore(yaml(plugin, { model: "max_input_tokens: 512" }));
    reads(open, 512);
    expect((await open.post({ model: "m", input: prose(150) })).status).toBe(200);
    expect((await open.post({ model: "m", input: prose(600) })).status).toBe(400);
  });
});

test("an outage during the test is an outage: nothing unproved leaves, and nothing is taken for proved", async () => {
  await using open = await openBefore(yaml("jina"));
  reads(open, 510, { refusal: () => new Response("", { status: 503 }) });
  expect((await open.post({ model: "m", input: prose(400) })).status).toBe(503);
  reads(open, 254);
  expect((await open.post({ model: "m", input: prose(400) })).status).toBe(400);
});

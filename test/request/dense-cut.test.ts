/**
 * Texts with many digits and punctuation marks, which have far more tokens than prose of the same size, at servers that truncate silently and
 * whose usage proves nothing (infinity-emb 0.0.78 counts characters, others report none), with an unknown vocabulary: no vector of a truncated
 * text is returned.
 */
import { describe, expect, test } from "bun:test";
import { countBert } from "../../src/tokens/bert";
import { type Opened, openBefore, vectorFor, vectorsOf } from "./vendor";

/** With fewer dimensions two texts may have the same vector by chance. */
const SIZE = 64;

const errorOf = ({ json }: { readonly json: unknown }) => Object(json).error;

const yaml = (plugin: string, { price = 0, model = "" } = {}) => `
providers: { a: { plugin: ${plugin}, base_url: "http://a/v1", retries: 0 } }
cache: { memory_mb: 8 }
space_probe: false
models:
  m:
    routes: [ { provider: a } ]
    dimensions: ${SIZE}
    price: ${price}
    ${model}
`;

/** Like BERT's vocabulary: one token for each digit, each mark, and each six letters of a word. */
const tokensIn = (text: string) => text.match(/[a-z]{1,6}|[^a-z\s]/gi) ?? [];
const right = (text: string) => [...vectorFor(tokensIn(text).join(" "), "seen", SIZE)];

interface Ways {
  /** How many of the tokens that it reads are the text's last; the others are its first. */
  readonly last?: number;
  /** Returns an answer in place of the vector; undefined for none. */
  readonly failing?: (text: string) => Response | undefined;
}

function cuts(open: Opened, limit: number, { last = 0, failing }: Ways = {}): void {
  open.vendor.answer = ({ input }) => {
    const texts = input.map(String);
    for (const text of texts) {
      const failure = failing?.(text);
      if (failure) return failure;
    }
    const data = texts.map((text, index) => {
      const tokens = tokensIn(text);
      const isWhole = tokens.length <= limit;
      const seen = isWhole
        ? tokens
        : [...tokens.slice(0, limit - last), ...tokens.slice(tokens.length - last)];
      return { object: "embedding", index, embedding: [...vectorFor(seen.join(" "), "seen", SIZE)] };
    });
    return Response.json({ object: "list", data });
  };
}

const KINDS: readonly (readonly [string, (tokens: number) => string])[] = [
  ["digits", (n) => "7391 ".repeat(n / 4)],
  ["digits one by one", (n) => "7 3 9 ".repeat(n / 3)],
  ["punctuation", (n) => "!?.,".repeat(n / 4)],
  ["code", (n) => "f(x)=y; ".repeat(n / 7)],
  ["numbers among words", (n) => "rate 3.14, ".repeat(n / 6)],
];

describe.each([
  ["openai", 0],
  ["vllm", 1],
])("%s at a price of %d", (plugin, price) => {
  test.each(KINDS)("%s past what the server looks at are refused", async (_, text) => {
    for (const limit of price > 0 ? [126, 2046] : [254, 510]) {
      await using open = await openBefore(yaml(plugin, { price }));
      cuts(open, limit);
      const long = text(limit + 60);
      expect(tokensIn(long).length).toBeGreaterThan(limit);
      const sent = await open.post({ model: "m", input: ["a", long] });
      expect([limit, sent.status, errorOf(sent)?.code]).toEqual([limit, 400, "context_length_exceeded"]);
      // Also after the limit is known, and for a text near the limit.
      const near = await open.post({ model: "m", input: text(limit + 14) });
      expect([limit, near.status]).toEqual([limit, 400]);
      const short = await open.post({ model: "m", input: text(60) });
      expect([short.status, errorOf(short)]).toEqual([200, undefined]);
      expect(vectorsOf(short)).toEqual([right(text(60))]);
    }
  });
});

test.each(KINDS)("%s are embedded whole by a server that cuts nothing, after one trial", async (_, text) => {
  await using open = await openBefore(yaml("vllm", { price: 1 }));
  cuts(open, 1e6);
  for (const tokens of [400, 401, 402, 403, 404, 480, 490, 500]) {
    const sent = await open.post({ model: "m", input: text(tokens) });
    expect(vectorsOf(sent)).toEqual([right(text(tokens))]);
  }
  // Three texts for a test, or for two tests if the texts may be longer than the first test's, besides the eight requested ones.
  expect(open.vendor.calls.length).toBeLessThanOrEqual(14);
});

test("an ordinary short text is asked for by itself", async () => {
  await using open = await openBefore(yaml("openai"));
  cuts(open, 254);
  for (const input of ["hello", "What is the capital of France?", "Order 66, 12.50 EUR"])
    expect((await open.post({ model: "m", input })).status).toBe(200);
  expect(open.vendor.calls).toHaveLength(3);
});

describe("where a server is known to cut", () => {
  const prose = (tokens: number) => "rain ".repeat(tokens).trim();

  test("what may fit is proved to be whole, where that costs nothing", async () => {
    await using open = await openBefore(yaml("openai"));
    cuts(open, 510);
    expect((await open.post({ model: "m", input: prose(600) })).status).toBe(400);
    // A text of this many bytes could have more tokens than the server reads.
    const fits = prose(400);
    const sent = await open.post({ model: "m", input: [fits, "a", `${fits} more`] });
    expect(vectorsOf(sent)).toEqual([fits, "a", `${fits} more`].map(right));
    expect((await open.post({ model: "m", input: ["a", prose(530)] })).status).toBe(400);
  });

  test("and refused where a second call would be paid for", async () => {
    await using open = await openBefore(yaml("openai", { price: 1 }));
    cuts(open, 510);
    expect((await open.post({ model: "m", input: prose(600) })).status).toBe(400);
    const before = open.vendor.calls.length;
    expect((await open.post({ model: "m", input: "7 3 9 ".repeat(180) })).status).toBe(400);
    expect(open.vendor.calls).toHaveLength(before);
  });

  test.each(KINDS)("long_input: average divides %s into pieces that it looks at whole", async (_, text) => {
    await using open = await openBefore(yaml("infinity", { model: "long_input: average" }));
    cuts(open, 254);
    const long = text(900);
    const sent = await open.post({ model: "m", input: long });
    expect([sent.status, sent.headers.get("x-embedgate-averaged")]).toEqual([200, "0"]);
    const asked = open.vendor.calls.flatMap(({ input }) => input.map(String));
    const pieces = asked.filter((one) => one !== long && long.includes(one));
    expect(pieces.length).toBeGreaterThan(2);
    expect(Math.max(...pieces.map((one) => tokensIn(one).length))).toBeLessThanOrEqual(254);
  });
});

describe.each([
  ["the end", 254, 254],
  ["both ends", 254, 127],
  ["both ends, 128 and 382 tokens", 510, 382],
  ["both ends, most of it the beginning", 510, 100],
  ["both ends, one token the last", 1022, 1],
])("a server that keeps %s of a text", (_, limit, last) => {
  const longer = Math.max(limit - last, last);

  test.each(KINDS)("is seen to cut %s", async (_, text) => {
    await using open = await openBefore(yaml("openai"));
    cuts(open, limit, { last });
    for (const tokens of [limit + 10, limit + 200]) {
      const sent = await open.post({ model: "m", input: text(tokens) });
      expect([sent.status, errorOf(sent)?.code]).toEqual([400, "context_length_exceeded"]);
    }
    const fits = text(longer - 60);
    expect(vectorsOf(await open.post({ model: "m", input: fits }))).toEqual([right(fits)]);
  });

  test("is told what it takes: the longer end", async () => {
    await using open = await openBefore(yaml("openai"));
    cuts(open, limit, { last });
    expect((await open.post({ model: "m", input: "7 3 9 ".repeat(limit) })).status).toBe(400);
    const told = open.logs.filter(({ message }) => message.includes("truncates long texts silently"));
    expect(told.map(({ about }) => Object(about).max_input_tokens)).toEqual([longer]);
  });

  test.each(KINDS)("embeds %s in pieces that it looks at whole", async (_, text) => {
    await using open = await openBefore(yaml("openai", { model: "long_input: average" }));
    cuts(open, limit, { last });
    const long = text(limit * 3);
    const sent = await open.post({ model: "m", input: long });
    expect([sent.status, sent.headers.get("x-embedgate-averaged")]).toEqual([200, "0"]);
    const asked = open.vendor.calls.flatMap(({ input }) => input.map(String));
    const pieces = asked.filter((one) => one !== long && long.includes(one));
    expect(Math.max(...pieces.map((one) => tokensIn(one).length))).toBeLessThanOrEqual(limit);
  });
});

test("no answer leaves unproved where the trial fails, and one that is refused for its length proves it", async () => {
  await using open = await openBefore(yaml("openai"));
  const isTrial = (text: string) => /^(?:rain|gold) /.test(text);
  cuts(open, 254, { failing: (text) => (isTrial(text) ? new Response("", { status: 503 }) : undefined) });
  const dense = "7 3 9 ".repeat(110);
  expect((await open.post({ model: "m", input: dense })).status).toBe(503);
  const tooLong = { error: { message: "This model's maximum context length is 512 tokens.", code: 400 } };
  cuts(open, 1e6, {
    failing: (text) => (isTrial(text) ? Response.json(tooLong, { status: 400 }) : undefined),
  });
  expect((await open.post({ model: "m", input: dense })).status).toBe(200);
});

test("a text that may be longer than the model's limit is not sent, however few its bytes", async () => {
  const model = "max_input_tokens: 512";
  for (const [, text] of KINDS) {
    await using open = await openBefore(yaml("openai", { price: 1, model }));
    cuts(open, 512);
    const sent = await open.post({ model: "m", input: text(560) });
    expect([sent.status, errorOf(sent)?.code]).toEqual([400, "context_length_exceeded"]);
    expect(open.vendor.calls).toEqual([]);
  }
});

test("a text within the limit, by the model's own vocabulary, is not refused after a trial, whatever else it may have had", async () => {
  const model = "max_input_tokens: 256\n    tokenizer: bert_uncased\n    uncounted: refuse";
  for (const usage of ["none", "all"]) {
    await using open = await openBefore(yaml("openai", { price: 1, model }));
    cuts(open, 1e6);
    const reading = open.vendor.answer;
    open.vendor.answer = async (call, right) => {
      const { data } = Object(await (await reading(call, right)).json());
      const tokens = call.input.reduce((sum: number, text) => sum + countBert(String(text), 1e6), 0);
      return usage === "none"
        ? Response.json({ data })
        : Response.json({ data, usage: { prompt_tokens: tokens } });
    };
    // Words of one token each, for which another vocabulary might have two.
    const text = "violin ".repeat(240).trim();
    const sent = await open.post({ model: "m", input: ["a", text] });
    expect([usage, sent.status]).toEqual([usage, 200]);
    expect(vectorsOf(sent)[1]).toEqual(right(text));
  }
});

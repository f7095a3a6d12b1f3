/**
 * The `quantized` dialect, line by line: each test is named after its number in the contract. Q8, the vendors' own shapes, is in other files.
 * A line without a test here is not guaranteed.
 */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { makeKey, tokenBy } from "../callers/issuer";
import { answerOf, messageOf, modelsOf, openSpeaking, refusalOf, type Speaking, sizesOf } from "./speaking";

const SMALL = "text-embedding-3-small";
const server = "dialect: quantized";

let open: Speaking;
beforeAll(async () => {
  open = await openSpeaking({ server });
});
afterAll(() => open[Symbol.asyncDispose]());

/** The hosts that a request was sent to. */
async function hostsOf(gateway: Speaking, body: object, headers: Readonly<Record<string, string>>) {
  gateway.calls.length = 0;
  const sent = await gateway.ask(body, headers);
  return { sent, hosts: gateway.calls.map(({ host }) => host) };
}

describe("Q1 keys, tokens and providers", () => {
  test("an API key is accepted", async () => {
    expect((await open.ask({ model: SMALL, input: "a" })).status).toBe(200);
  });
  test("so is an issuer's token, for the workspace that it names; a forged one is not", async () => {
    const issuer = makeKey("one");
    await using trusting = await openSpeaking({ server, issuerPem: issuer.pem });
    const askWith = (token: string) =>
      trusting.post({ model: SMALL, input: "a" }, { authorization: `Bearer ${token}` });
    // Later than the real clock, since the issuer has its own.
    const claims = { exp: 4_000_000_000 };
    expect((await askWith(tokenBy(issuer, { claims }))).status).toBe(200);
    expect(trusting.rows().at(-1)).toMatchObject({ workspace: "team", key_id: "jwt:ann", status: 200 });
    expect(refusalOf(await askWith(tokenBy(makeKey("one"), { claims }))).status).toBe(401);
  });
  test.each([
    [{}, "openai.example"],
    [{ "x-quantized-provider": "openai" }, "openai.example"],
    [{ "x-quantized-provider": "openrouter" }, "openrouter.example"],
    [{ "x-embedgate-provider": "openrouter" }, "openrouter.example"],
  ])("with the headers %j, %s is asked", async (headers, host) => {
    const { sent, hosts } = await hostsOf(open, { model: SMALL, input: "a" }, headers);
    expect(sizesOf(sent)).toEqual([1536]);
    expect(hosts).toEqual([host]);
    expect(sent.headers.get("x-embedgate-provider")).toBe(host.replace(".example", ""));
  });
  test("an unknown slug is 400, as is a provider without the model", async () => {
    for (const [slug, code] of [
      ["nobody", "unknown_provider"],
      ["fake", "provider_without_model"],
      ["elsewhere", "provider_without_model"],
    ] as const) {
      const { sent, hosts } = await hostsOf(
        open,
        { model: SMALL, input: "a" },
        { "x-quantized-provider": slug },
      );
      expect(refusalOf(sent)).toMatchObject({ status: 400, code, param: "X-Quantized-Provider" });
      expect(hosts).toEqual([]);
    }
  });
  test("a forced provider that fails is not replaced, and does not fail other requests", async () => {
    open.answers.set("openrouter.example", () => new Response("down", { status: 503 }));
    open.calls.length = 0;
    const body = { model: SMALL, input: "wanted by two" };
    const forced = { "x-quantized-provider": "openrouter" };
    const [first, free, second] = await Promise.all([
      open.ask(body, forced),
      open.ask(body),
      open.ask(body, forced),
    ]);
    open.answers.clear();
    expect([first, free, second].map(({ status }) => status)).toEqual([503, 200, 503]);
    expect(free.headers.get("x-embedgate-provider")).toBe("openai");
    expect(open.calls.map(({ host }) => host).sort()).toEqual(["openai.example", "openrouter.example"]);
    expect(open.rows().map(({ provider }) => provider)).toContain("openrouter");
  });
});

describe("Q2 strictness", () => {
  test("the five fields are accepted, null meaning absent", async () => {
    const body = { model: SMALL, input: ["a"], dimensions: 256, encoding_format: "float", user: "u-1" };
    expect(sizesOf(await open.ask(body))).toEqual([256]);
    expect((await open.ask({ ...body, dimensions: null, encoding_format: null, user: null })).status).toBe(
      200,
    );
    expect(open.calls.at(-2)?.body).toMatchObject({ user: "u-1", dimensions: 256 });
  });
  test.each<[string, unknown, string | null]>([
    ["no model", { input: "a" }, "model"],
    ["no input", { model: SMALL }, "input"],
    ["an empty array", { model: SMALL, input: [] }, "input"],
    ["a number as input", { model: SMALL, input: 7 }, "input"],
    ["token ids", { model: SMALL, input: [1, 2] }, "input"],
    ["arrays of token ids", { model: SMALL, input: [[1], [2]] }, "input"],
    ["no dimensions", { model: SMALL, input: "a", dimensions: 0 }, "dimensions"],
    ["half a dimension", { model: SMALL, input: "a", dimensions: 1.5 }, "dimensions"],
    ["base64", { model: SMALL, input: "a", encoding_format: "base64" }, "encoding_format"],
    ["a number as user", { model: SMALL, input: "a", user: 7 }, "user"],
    ["streaming", { model: SMALL, input: "a", stream: true }, "stream"],
    ["metadata", { model: SMALL, input: "a", metadata: {} }, "metadata"],
    ["extra_body", { model: SMALL, input: "a", extra_body: {} }, "extra_body"],
    ["a plugin's field", { model: "fake", input: "a", input_type: "query" }, "input_type"],
    ["any other field", { model: SMALL, input: "a", nonsense: null }, "nonsense"],
    ["an array", [], null],
    ["no JSON", "{", null],
  ])("%s is 422", async (_, body, param) => {
    open.calls.length = 0;
    expect(refusalOf(await open.ask(body))).toMatchObject({
      status: 422,
      type: "invalid_request_error",
      param,
    });
    expect(open.calls).toEqual([]);
    expect(open.rows().at(-1)).toMatchObject({ status: 422 });
  });
  test("a misspelt field is refused with the right one", async () => {
    const sent = await open.ask({ model: SMALL, input: "a", dimension: 5 });
    expect(messageOf(sent)).toContain("'dimensions'");
  });
});

describe("Q3 usage", () => {
  test("ten tokens at 3.2 micro-credits are 32, of a million 999,968 are left", async () => {
    await using paying = await openSpeaking({ server, credits: 1_000_000n });
    const { usage } = answerOf(await paying.ask({ model: "fake", input: "a b c d e f g h i j" }));
    expect(usage).toEqual({
      prompt_tokens: 10,
      total_tokens: 10,
      credits_used: 32,
      credits_remaining: 999_968,
    });
    const next = answerOf(await paying.ask({ model: "fake", input: "one" }));
    expect(next.usage).toMatchObject({ credits_used: 4, credits_remaining: 999_964 });
  });
  test("without a limit no remaining credits are reported", async () => {
    await using free = await openSpeaking({ server });
    const { usage } = answerOf(await free.ask({ model: "fake", input: "a b" }));
    expect(usage).toEqual({ prompt_tokens: 2, total_tokens: 2, credits_used: 7, credits_remaining: null });
  });
});

describe("Q4 the models", () => {
  test.each([
    [SMALL, 1536, 20_000, SMALL],
    ["text-embedding-3-large", 3072, 130_000, "text-embedding-3-large"],
    ["text-embedding-ada-002", 1536, 100_000, "text-embedding-ada-002-v2"],
  ])(
    "%s has %i dimensions, costs %i pico-USD a token, and is called %s",
    async (model, size, price, called) => {
      const sent = await open.ask({ model, input: "three words here" });
      expect(sizesOf(sent)).toEqual([size]);
      expect(answerOf(sent).model).toBe(called);
      expect(open.rows().at(-1)).toMatchObject({ model, cost_pico_usd: 3 * price });
    },
  );
  test("ada-002 accepts only its own dimensions", async () => {
    const ask = (dimensions: number) => open.ask({ model: "text-embedding-ada-002", input: "a", dimensions });
    expect(refusalOf(await ask(512))).toMatchObject({ status: 422, param: "dimensions" });
    expect((await ask(1536)).status).toBe(200);
  });
  test("through a router the id keeps its prefix, and costs the same", async () => {
    const model = `openai/${SMALL}`;
    const { sent, hosts } = await hostsOf(
      open,
      { model, input: "three words here" },
      { "x-quantized-provider": "openrouter" },
    );
    expect(hosts).toEqual(["openrouter.example"]);
    expect(open.calls[0]?.body.model).toBe(model);
    expect(answerOf(sent).model).toBe(model);
    expect(open.rows().at(-1)).toMatchObject({ model, cost_pico_usd: 3 * 20_000 });
  });
});

describe("Q5 the list", () => {
  test("shows which models embed and which chat, with their price in micro-credits", async () => {
    await using priced = await openSpeaking({ server, more: "money: { credits_per_usd: 100, markup: 1.5 }" });
    const models = await modelsOf(priced);
    expect(models.get(SMALL)).toMatchObject({
      supported_features: ["embeddings"],
      output_modality: { text: false },
      cost: { prompt: 3 },
    });
    expect(models.get("chat")).toMatchObject({
      supported_features: [],
      output_modality: { text: true },
      cost: { prompt: null },
    });
    expect((await priced.get(`/v1/models/${SMALL}`)).json).toEqual(models.get(SMALL));
    expect((await modelsOf(open)).get("fake")).toMatchObject({ cost: { prompt: 3.2 } });
  });
});

describe("Q6 errors", () => {
  test("without a valid key it is 401", async () => {
    for (const headers of [undefined, { authorization: "Bearer nothing" }])
      expect(refusalOf(await open.post({ model: SMALL, input: "a" }, headers)).status).toBe(401);
  });
  test("without enough credits it is 402", async () => {
    await using poor = await openSpeaking({ server, credits: 3n });
    expect(refusalOf(await poor.ask({ model: "fake", input: "a" })).status).toBe(402);
  });
  test("an unknown model is 404, also if the provider says so", async () => {
    expect(refusalOf(await open.ask({ model: "nope", input: "a" }))).toMatchObject({ status: 404 });
    const words = { error: { message: "No such model: routed/nope", code: 404 } };
    open.answers.set("openrouter.example", () => Response.json(words, { status: 404 }));
    const { sent, hosts } = await hostsOf(open, { model: "routed/nope", input: "a" }, {});
    open.answers.clear();
    expect(refusalOf(sent)).toMatchObject({ status: 404 });
    expect(messageOf(sent)).toContain("No such model: routed/nope");
    expect(hosts).toEqual(["openrouter.example"]);
  });
  test.each(["down", "stuck", "overloaded", "unauthorized", "nan"])(
    "a provider that is %s is 503",
    async (fault) => {
      expect(refusalOf(await open.askInHaste({ model: `fake-${fault}`, input: "a" }))).toMatchObject({
        status: 503,
        code: "upstream_unavailable",
      });
    },
  );
  test("a model that cannot embed is 422", async () => {
    expect(refusalOf(await open.ask({ model: "chat", input: "a" }))).toMatchObject({
      status: 422,
      code: "embeddings_unsupported",
    });
  });
});

describe("Q7 empty strings", () => {
  test.each([[""], ["a"], [["", "two words"]], [["", ""]]])("%j is answered normally", async (input) => {
    open.calls.length = 0;
    const sent = await open.ask({ model: SMALL, input });
    expect(sizesOf(sent)).toEqual([input].flat().map(() => 1536));
    expect(open.calls.flatMap(({ body }) => body.input)).toEqual([...new Set([input].flat())]);
  });
  test("cost nothing, whatever the provider counts for them", async () => {
    const right = open.answers;
    right.set("openai.example", () => {
      const input = [open.calls.at(-1)?.body.input].flat();
      const vector = [1, ...new Array(1535).fill(0)];
      const data = input.map((_, index) => ({ index, embedding: vector }));
      return Response.json({ data, usage: { prompt_tokens: 2 * input.length } });
    });
    const alone = answerOf(await open.ask({ model: SMALL, input: "" }));
    expect(alone.usage).toMatchObject({ prompt_tokens: 2, credits_used: 0 });
    expect(open.rows().at(-1)).toMatchObject({
      status: 200,
      tokens_billed: 0,
      cost_pico_usd: 0,
      tokens_upstream: 2,
    });
    right.clear();
    await open.ask({ model: SMALL, input: ["two words", ""] });
    expect(open.rows().at(-1)).toMatchObject({ tokens_billed: 2, cost_pico_usd: 2 * 20_000 });
  });
  test("that the provider refuses are 400, naming the input", async () => {
    const words = { error: { message: "'$.input' is invalid.", type: "invalid_request_error", code: null } };
    open.answers.set("openai.example", () => Response.json(words, { status: 400 }));
    const several = await open.ask({ model: SMALL, input: ["full", "", "also full"] });
    const alone = await open.ask({ model: SMALL, input: "" });
    const full = await open.ask({ model: SMALL, input: "full" });
    open.answers.clear();
    expect(refusalOf(several)).toMatchObject({ status: 400, param: "input[1]" });
    expect(messageOf(several)).toContain("'$.input' is invalid.");
    expect(refusalOf(alone)).toMatchObject({ status: 400, param: "input" });
    expect(refusalOf(full)).toMatchObject({ status: 422, param: null });
  });
});

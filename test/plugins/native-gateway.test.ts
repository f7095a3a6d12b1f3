/**
 * Cohere, Voyage, Jina and Mistral for a caller of the gateway: calls split by the catalogue's limits, tasks in the vendors' words, too long
 * texts named in errors, over strict fakes of their APIs. Each plugin's own test has what concerns its API alone.
 */
import { describe, expect, test } from "bun:test";
import { openGateway } from "../gateway";
import { cosine, openThrough, vectorsOf } from "./conformance/gateway";
import { createNetwork } from "./conformance/network";
import { COHERE_KEY, cohereVendor } from "./vendors/cohere";
import { JINA_KEY, jinaVendor } from "./vendors/jina";
import { MISTRAL_KEY, mistralVendor } from "./vendors/mistral";
import { VOYAGE_KEY, voyageVendor } from "./vendors/voyage";

const YAML = `
cache: { memory_mb: 8 }
space_probe: false
providers:
  cohere: { plugin: cohere, api_key: ${COHERE_KEY} }
  voyage: { plugin: voyage, api_key: ${VOYAGE_KEY} }
  jina: { plugin: jina, api_key: ${JINA_KEY} }
  mistral: { plugin: mistral, api_key: ${MISTRAL_KEY} }
models:
  embed-english-v3.0: { routes: [ { provider: cohere } ] }
  embed-v4.0: { routes: [ { provider: cohere } ] }
  voyage-4-large: { routes: [ { provider: voyage } ] }
  jina-embeddings-v3: { routes: [ { provider: jina } ] }
  jina-embeddings-v5-text-small: { routes: [ { provider: jina } ] }
  jina-code-embeddings-1.5b: { routes: [ { provider: jina } ] }
  mistral-embed: { routes: [ { provider: mistral } ] }
  codestral-embed: { routes: [ { provider: mistral } ] }
  wrongly-limited: { routes: [ { provider: mistral, model: mistral-embed } ], max_inputs: 2048, max_call_tokens: 10000000 }
`;

const FETCHES = [cohereVendor, voyageVendor, jinaVendor, mistralVendor].map((vendor) => vendor().fetch);
const HOSTS = ["api.cohere.com", "api.voyageai.com", "api.jina.ai", "api.mistral.ai"];

async function openAll() {
  const fetch = async (url: string, init: RequestInit) => {
    const answer = FETCHES[HOSTS.indexOf(new URL(url).host)];
    if (!answer) throw new Error(`Nobody is at ${url}`);
    return answer(url, init);
  };
  const open = await openThrough({ fetch }, YAML);
  return {
    ...open,
    /** The bodies of calls that contain a text, except for the gateway's own probes. */
    callsWith: (part: string) =>
      open.network.requests.filter(({ body }) => body.includes(part)).map(({ body }) => JSON.parse(body)),
  };
}

/** Small vectors if the model supports them: 2048 large ones are some 40 MB of JSON. */
const CAPS: readonly (readonly [model: string, max: number, dimensions: number])[] = [
  ["embed-v4.0", 96, 256],
  ["voyage-4-large", 1000, 256],
  ["jina-embeddings-v3", 512, 64],
  ["codestral-embed", 256, 64],
];
const COUNTS = [1, 2, 96, 97, 100, 101, 2048];
const MODELS = [
  ["embed-english-v3.0"],
  ["voyage-4-large"],
  ["jina-embeddings-v3"],
  ["mistral-embed"],
] as const;

describe("of many texts each has its own vector, with as many per call as its vendor accepts", () => {
  for (const [model, max, dimensions] of CAPS) {
    test.each(COUNTS.map((count) => [count]))(`${model}: %d texts, at most ${max} a call`, async (count) => {
      await using open = await openAll();
      const input = Array.from({ length: count }, (_, place) => `text ${place}`);
      const sent = await open.gateway.post({ model, input, dimensions });
      expect(sent.status).toBe(200);
      const vectors = vectorsOf(sent);
      expect(vectors).toHaveLength(count);
      for (const [place, text] of input.entries())
        expect(cosine(vectors[place] ?? [], text)).toBeGreaterThan(0.9999);
      expect(open.callsWith('"text ')).toHaveLength(Math.ceil(count / max));
      expect(sent.json).toMatchObject({ usage: { prompt_tokens: count * 2 } });
    });
  }
});

describe("limits on a call's tokens", () => {
  test("pain 11: texts that exceed a call's limit go in several calls, without a refusal", async () => {
    await using open = await openAll();
    // 6,000 tokens each: Voyage's limit is 120,000 in total, Mistral's 65,536.
    const input = Array.from({ length: 25 }, (_, place) => `text ${place} ${"word ".repeat(5998).trim()}`);
    for (const [model, most] of [["voyage-4-large", 120_000] as const, ["mistral-embed", 65_536] as const]) {
      const sent = await open.gateway.post({ model, input });
      expect(sent.status).toBe(200);
      for (const [place, vector] of vectorsOf(sent).entries())
        expect(cosine(vector, input[place] ?? "")).toBeGreaterThan(0.9999);
      for (const { input: texts } of open.callsWith(`"${model}"`))
        expect(texts.join(" ").split(" ").length).toBeLessThanOrEqual(most);
    }
  });

  test("pain 11: an unknown limit is met by halving", async () => {
    await using open = await openAll();
    const input = Array.from({ length: 600 }, (_, place) => `text ${place}`);
    const sent = await open.gateway.post({ model: "wrongly-limited", input });
    expect(sent.status).toBe(200);
    for (const [place, vector] of vectorsOf(sent).entries())
      expect(cosine(vector, input[place] ?? "")).toBeGreaterThan(0.9999);
    const sizes = open.callsWith('"text ').map(({ input: texts }) => texts.length);
    expect(sizes.sort((a, b) => a - b)).toEqual([150, 150, 150, 150, 300, 300, 600]);
  });
});

describe("a text that is too long", () => {
  const LONG = "word ".repeat(33_000).trim();

  test.each(MODELS)("%s: is refused with its index, whoever found it too long", async (model) => {
    await using open = await openAll();
    const input = Array.from({ length: 20 }, (_, place) => (place === 17 ? LONG : `text ${place}`));
    const sent = await open.gateway.post({ model, input });
    expect(sent.status).toBe(400);
    expect(sent.json).toMatchObject({ error: { code: "context_length_exceeded", param: "input[17]" } });
  });

  test.each([["embed-english-v3.0"], ["voyage-4-large"], ["jina-embeddings-v3"]])(
    "%s: is cut by its vendor's own count where the request says so",
    async (model) => {
      await using open = await openAll();
      const sent = await open.gateway.post({ model, input: ["text 0", LONG], truncate: true });
      expect(sent.status).toBe(200);
      expect(vectorsOf(sent)).toHaveLength(2);
      // It was sent whole.
      const [call = {}] = open.callsWith(LONG);
      expect([true, "END"]).toContain(call.truncate ?? call.truncation);
    },
  );

  test("mistral-embed: is truncated by the gateway, since Mistral truncates nothing", async () => {
    await using open = await openAll();
    const sent = await open.gateway.post({
      model: "mistral-embed",
      input: ["text 0", LONG],
      truncate: "END",
    });
    expect(sent.status).toBe(200);
    expect(sent.headers.get("x-embedgate-truncated")).toBe("1");
    expect(open.callsWith('"text 0"')[0]?.truncate).toBeUndefined();
  });

  test("the start is cut off by providers that can, and refused by others", async () => {
    await using open = await openAll();
    const start = { input: `first ${LONG}`, truncate: "START" };
    expect((await open.gateway.post({ model: "embed-english-v3.0", ...start })).status).toBe(200);
    for (const model of ["voyage-4-large", "jina-embeddings-v3", "mistral-embed"]) {
      const sent = await open.gateway.post({ model, ...start });
      expect([sent.status, Object(sent.json).error.param]).toEqual([400, "truncate"]);
    }
  });
});

describe("tasks", () => {
  /** The request's field and word, and what the vendor is sent: [its field, its word], or undefined if the task is ignored and named in a header. */
  const TASKS: readonly (readonly [model: string, field: string, word: string, sent: object | undefined])[] =
    [
      ["embed-english-v3.0", "task_type", "RETRIEVAL_QUERY", { input_type: "search_query" }],
      ["embed-english-v3.0", "input_type", "passage", { input_type: "search_document" }],
      ["embed-english-v3.0", "task", "separation", { input_type: "clustering" }],
      ["embed-english-v3.0", "task", "text-matching", undefined],
      ["voyage-4-large", "input_type", "search_query", { input_type: "query" }],
      ["voyage-4-large", "task_type", "CODE_RETRIEVAL_QUERY", { input_type: "query" }],
      ["voyage-4-large", "task_type", "CLUSTERING", undefined],
      ["jina-embeddings-v3", "input_type", "query", { task: "retrieval.query" }],
      ["jina-embeddings-v3", "task_type", "CLUSTERING", { task: "separation" }],
      ["jina-embeddings-v5-text-small", "task_type", "CLUSTERING", { task: "clustering" }],
      ["jina-code-embeddings-1.5b", "task_type", "CODE_RETRIEVAL_QUERY", { task: "nl2code.query" }],
      ["jina-code-embeddings-1.5b", "task", "code2code.passage", { task: "code2code.passage" }],
      ["jina-embeddings-v3", "task_type", "CODE_RETRIEVAL_QUERY", undefined],
      ["mistral-embed", "input_type", "query", undefined],
    ];
  test.each(TASKS)("pain 29: to %s the %s %s is sent as %j", async (model, field, word, sent) => {
    await using open = await openAll();
    const answer = await open.gateway.post({ model, input: "text 0", [field]: word });
    expect(answer.status).toBe(200);
    const [call] = open.callsWith('"text 0"');
    expect(answer.headers.get("x-embedgate-ignored")).toBe(sent ? null : field);
    if (sent) expect(call).toMatchObject(sent);
    else expect(JSON.stringify(call)).not.toContain(word);
  });
});

describe("other fields of a request", () => {
  test("dimensions are sent in the vendor's field, and unsupported ones are refused before anything is sent", async () => {
    await using open = await openAll();
    for (const model of ["embed-v4.0", "voyage-4-large", "jina-embeddings-v3", "codestral-embed"]) {
      const sent = await open.gateway.post({ model, input: "text 0", dimensions: 256 });
      expect(vectorsOf(sent)[0]).toHaveLength(256);
      expect(cosine(vectorsOf(sent)[0] ?? [], "text 0")).toBeGreaterThan(0.9999);
    }
    const before = open.callsWith("text 1").length;
    const NONE = [
      ["embed-english-v3.0", 256],
      ["voyage-4-large", 300],
      ["jina-embeddings-v3", 1025],
      ["mistral-embed", 256],
      ["codestral-embed", 3073],
    ] as const;
    for (const [model, dimensions] of NONE) {
      const sent = await open.gateway.post({ model, input: "text 1", dimensions });
      expect(sent.json).toMatchObject({ error: { param: "dimensions", code: "unsupported_dimensions" } });
    }
    expect(open.callsWith("text 1")).toHaveLength(before);
  });

  test.each(MODELS)("%s is sent the text of token ids, and no user", async (model) => {
    await using open = await openAll();
    const sent = await open.gateway.post({ model, input: [15339, 1917], user: "end-7" });
    expect(sent.headers.get("x-embedgate-decoded")).toBe("cl100k_base");
    expect(cosine(vectorsOf(sent)[0] ?? [], "hello world")).toBeGreaterThan(0.9999);
    expect(JSON.stringify(open.callsWith("hello world"))).not.toContain("end-7");
  });

  test("late chunking goes in one call, each time again, and is refused if no vendor supports it", async () => {
    await using open = await openAll();
    const late = { input: ["text 0", "text 1"], late_chunking: true };
    const apart = await open.gateway.post({ model: "jina-embeddings-v3", input: late.input });
    for (const again of [1, 2]) {
      const sent = await open.gateway.post({ model: "jina-embeddings-v3", ...late });
      expect(vectorsOf(sent)[1]).not.toEqual(vectorsOf(apart)[1]);
      expect(open.callsWith('"late_chunking":true')).toHaveLength(again);
    }
    const sent = await open.gateway.post({ model: "mistral-embed", ...late });
    expect([sent.status, Object(sent.json).error.param]).toEqual([400, "late_chunking"]);
  });

  test("an unknown model and a wrong key get their own errors", async () => {
    const yaml = `
space_probe: false
providers:
  cohere: { plugin: cohere, api_key: ${COHERE_KEY} }
  voyage: { plugin: voyage, api_key: ${VOYAGE_KEY} }
  jina: { plugin: jina, api_key: ${JINA_KEY} }
  mistral: { plugin: mistral, api_key: of-somebody-else }
models:
  "cohere/*": { routes: [ { provider: cohere } ] }
  "voyage/*": { routes: [ { provider: voyage } ] }
  "jina/*": { routes: [ { provider: jina } ] }
  mistral-embed: { routes: [ { provider: mistral } ] }
`;
    const network = createNetwork(async (url, init) => {
      const fetch = FETCHES[HOSTS.indexOf(new URL(url).host)];
      if (!fetch) throw new Error(`Nobody is at ${url}`);
      return fetch(url, init);
    });
    await using gateway = await openGateway({ yaml, outside: { fetch: network.fetch, random: () => 0 } });
    for (const model of ["cohere/embed-v9.0", "voyage/voyage-9", "jina/jina-embeddings-v9"]) {
      const sent = await gateway.post({ model, input: "a" });
      expect([sent.status, Object(sent.json).error.code]).toEqual([404, "model_not_found"]);
    }
    const refused = await gateway.post({ model: "mistral-embed", input: "a" });
    expect(refused.status).toBeGreaterThanOrEqual(500);
    expect(refused.text).not.toContain("of-somebody-else");
  });
});

/**
 * Cohere, Voyage, Jina and Mistral as a caller of the gateway has them: split by the catalogue's limits, tasks in their words, what is too
 * long refused by name, over the strict fakes of their wires. What only a wire decides is in each plugin's own test.
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
    /** The bodies of calls that hold a text, the gateway's own probes aside. */
    callsWith: (part: string) =>
      open.network.requests.filter(({ body }) => body.includes(part)).map(({ body }) => JSON.parse(body)),
  };
}

/** Small vectors, where a model makes them: 2048 large ones are some 40 MB of JSON. */
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

describe("of many texts each has its own vector, as many a call as its vendor takes", () => {
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
  test("pain 11: what is more than a call may hold goes in several, without a refusal", async () => {
    await using open = await openAll();
    // 6,000 tokens each: 120,000 in all are Voyage's limit, 65,536 are Mistral's.
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

  test("pain 11: a limit that nobody knew is met by halves", async () => {
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

  test.each(MODELS)("%s: is refused by its place, whoever found it too long", async (model) => {
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
      // It left the gateway whole.
      const [call = {}] = open.callsWith(LONG);
      expect([true, "END"]).toContain(call.truncate ?? call.truncation);
    },
  );

  test("mistral-embed: is cut by the gateway, since Mistral cuts nothing", async () => {
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

  test("the start is cut off by who can, and refused by who cannot", async () => {
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
  /** The request's field and word, and what the vendor is sent of it: [its field, its word], or undefined and told so. */
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

describe("what else a caller may say", () => {
  test("sizes are sent in the vendor's word, and those that it has not are refused before anything is sent", async () => {
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

  test.each(MODELS)("%s is sent token ids as the text that they stand for, and no user", async (model) => {
    await using open = await openAll();
    const sent = await open.gateway.post({ model, input: [15339, 1917], user: "end-7" });
    expect(sent.headers.get("x-embedgate-decoded")).toBe("cl100k_base");
    expect(cosine(vectorsOf(sent)[0] ?? [], "hello world")).toBeGreaterThan(0.9999);
    expect(JSON.stringify(open.callsWith("hello world"))).not.toContain("end-7");
  });

  test("late chunking goes in one call, each time anew, and not where no vendor knows it", async () => {
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

  test("an unknown model and a wrong key are what they are", async () => {
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

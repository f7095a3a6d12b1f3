/**
 * Bedrock's models for a caller of the gateway: dimensions, limits, tasks and tokens as in the catalogue, over the strict fake.
 * bedrock.test.ts has what concerns the API alone.
 */
import { describe, expect, test } from "bun:test";
import bedrock from "../../../plugins/bedrock/index";
import { CATALOGUE } from "../../../src/config/catalogue";
import { createHost } from "../../../src/upstream/host";
import { fakeOutside } from "../../fake-outside";
import { openGateway } from "../../gateway";
import { cosine, openThrough, vectorsOf } from "../conformance/gateway";
import { bedrockVendor, REGION } from "../vendors/bedrock";
import { AWS_KEYS } from "../vendors/bedrock-signature";

const TITAN = "amazon.titan-embed-text-v2:0";
const COHERE = "cohere.embed-english-v3";
const COHERE4 = "eu.cohere.embed-v4:0";
const NOVA = "amazon.nova-2-multimodal-embeddings-v1:0";
const YAML = `
space_probe: false
providers:
  aws:
    plugin: bedrock
    region: ${REGION}
    access_key_id: ${AWS_KEYS.accessKeyId}
    secret_access_key: "\${SECRET}"
models:
${[TITAN, COHERE, COHERE4, NOVA].map((model) => `  "${model}": { routes: [ { provider: aws } ] }`).join("\n")}
`;

const openAmazon = () => openThrough(bedrockVendor(), YAML, { SECRET: AWS_KEYS.secretAccessKey });

describe("through the gateway", () => {
  const COUNTS = [1, 2, 96, 97, 100, 101];
  const LIMITS = [
    [COHERE, COUNTS, 96],
    [COHERE4, [...COUNTS, 2048], 96],
    [TITAN, [...COUNTS, 2048], 1],
    [NOVA, COUNTS, 1],
  ] as const;
  test.each(
    LIMITS.flatMap(([model, counts, limit]) => counts.map((count) => [model, count, limit] as const)),
  )("of %s, %d texts have each its own vector, at most %d a call", async (model, count, limit) => {
    await using open = await openAmazon();
    const input = Array.from({ length: count }, (_, place) => `text ${place}`);
    const sent = await open.gateway.post({
      model,
      input,
      ...(model === COHERE ? {} : { dimensions: 256 }),
    });
    expect([sent.status, sent.text.slice(0, 100)]).toEqual([200, expect.stringContaining('"list"')]);
    const vectors = vectorsOf(sent);
    expect(vectors).toHaveLength(count);
    for (const [place, text] of input.entries())
      expect(cosine(vectors[place] ?? [], text)).toBeGreaterThan(0.9999);
    expect(sent.json).toMatchObject({ usage: { prompt_tokens: 2 * count } });
    // Except for the gateway's own probes.
    const calls = open.network.requests.filter(({ body }) => body.includes('"text '));
    expect(calls).toHaveLength(Math.ceil(count / limit));
  });

  test("pain 19: vectors of another length are normalised here, unless the caller asked for them", async () => {
    await using open = await openAmazon();
    const lengthOf = async (body: object) => {
      const [vector = []] = vectorsOf(await open.gateway.post({ model: TITAN, input: "a text", ...body }));
      return Math.hypot(...vector);
    };
    expect(await lengthOf({})).toBeCloseTo(1, 5);
    expect(await lengthOf({ normalize: true })).toBeCloseTo(1, 5);
    expect(await lengthOf({ normalize: false })).toBeCloseTo(3, 5);
  });

  test("a task is sent in each family's word, and named in a header if it has none", async () => {
    await using open = await openAmazon();
    const bodies = async (model: string) => {
      const sent = await open.gateway.post({ model, input: "a", task_type: "RETRIEVAL_QUERY" });
      expect(sent.status).toBe(200);
      return [open.network.requests.at(-1)?.body, sent.headers.get("x-embedgate-ignored")];
    };
    expect(await bodies(COHERE)).toEqual([expect.stringContaining('"search_query"'), null]);
    expect(await bodies(NOVA)).toEqual([expect.stringContaining('"TEXT_RETRIEVAL"'), null]);
    expect(await bodies(TITAN)).toEqual([expect.not.stringContaining("query"), "task_type"]);
  });

  test("tokens are Amazon's count, wherever it is; truncation is reported", async () => {
    await using open = await openAmazon();
    for (const model of [TITAN, COHERE, NOVA]) {
      const sent = await open.gateway.post({ model, input: ["one", "two words"] });
      expect(sent.json).toMatchObject({ usage: { prompt_tokens: 3 } });
      expect(sent.headers.get("x-embedgate-usage")).toBeNull();
    }
    const cut = await open.gateway.post({ model: COHERE, input: ["a", "b".repeat(3000)], truncate: "START" });
    expect(cut.headers.get("x-embedgate-truncated")).toBe("1");
  });

  test("a text that is too long is named, one that may be accepted is sent", async () => {
    await using open = await openAmazon();
    const long = await open.gateway.post({ model: COHERE, input: ["a", "b".repeat(2049)] });
    expect([long.status, Object(long.json).error]).toEqual([
      400,
      expect.objectContaining({ param: "input[1]", code: "context_length_exceeded" }),
    ]);
    expect((await open.gateway.post({ model: COHERE, input: "b".repeat(2048) })).status).toBe(200);
    const titan = await open.gateway.post({ model: TITAN, input: " word".repeat(8193) });
    expect(Object(titan.json).error).toMatchObject({ param: "input", code: "context_length_exceeded" });
  });

  test("unsupported dimensions, and a field of another model, are refused and named", async () => {
    await using open = await openAmazon();
    const sized = await open.gateway.post({ model: TITAN, input: "a", dimensions: 300 });
    expect(sized.json).toMatchObject({ error: { param: "dimensions", code: "unsupported_dimensions" } });
    const other = await open.gateway.post({ model: COHERE, input: "a", normalize: true });
    expect(other.json).toMatchObject({ error: { param: "normalize" } });
  });

  test("without credentials the provider is not available, and the message says what to set", async () => {
    const yaml = YAML.replace(/ +(access|secret)_.*\n/g, "");
    await using open = await openGateway({ yaml, outside: { fetch: bedrockVendor().fetch } });
    const sent = await open.post({ model: TITAN, input: "a" });
    expect(sent.status).toBe(503);
    expect(sent.json).toMatchObject({ error: { code: "upstream_unavailable" } });
    // Only for the operator.
    expect(JSON.stringify(open.logs)).toContain("No AWS credentials");
  });
});

describe("the catalogue", () => {
  const provider = bedrock(createHost(fakeOutside().outside));
  const upstream = provider.open({ region: REGION });
  const entries = CATALOGUE.filter(({ plugin }) => plugin === "bedrock");
  test.each(entries.map((entry) => [entry.model, entry] as const))(
    "says of %s what its plugin says of any model of its family",
    (_, { model, written_as = [], facts }) => {
      const { price: _price, reply_names: _names, ...told } = facts;
      for (const name of [model, ...written_as]) expect<unknown>(upstream.describe?.(name)).toEqual(told);
    },
  );
});

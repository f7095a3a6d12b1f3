/**
 * The azure plugin: the conformance suite on both paths, with OpenAI's SDK (class AzureOpenAI, and the plain client on /openai/v1) as the
 * oracle. A refusal seen at Azure is a row of REFUSALS.
 */
import { describe, expect, test } from "bun:test";
import OpenAI, { AzureOpenAI } from "openai";
import azure from "../../plugins/azure";
import type { EmbedCall } from "../../src/plugin";
import { openGateway } from "../gateway";
import { conformance, type Subject } from "./conformance";
import { expectSame, recording } from "./conformance/oracle";
import { callFor, failureOf, openSubject } from "./conformance/subject";
import { AZURE_KEY, azureVendor, RESOURCE } from "./vendors/azure";

const MODEL = "text-embedding-3-small";
const VERSION = "2024-10-21";
const vendor = azureVendor(MODEL);
const V1 = `${RESOURCE}/openai/v1/embeddings`;
const CLASSIC = `${RESOURCE}/openai/deployments/${MODEL}/embeddings?api-version=${VERSION}`;
const v1: Subject = {
  plugin: azure,
  options: { base_url: RESOURCE, api_key: AZURE_KEY },
  model: MODEL,
  vendor,
  secrets: [AZURE_KEY],
  addresses: [
    [{}, V1],
    [{ base_url: `${RESOURCE}/` }, V1],
    [{ base_url: `${RESOURCE}/openai` }, V1],
    [{ base_url: `${RESOURCE}/openai/v1/` }, V1],
    [{ api_version: "preview" }, `${V1}?api-version=preview`],
    [{ base_url: "https://proxy.example/team//" }, "https://proxy.example/team/openai/v1/embeddings"],
  ],
};
const classic: Subject = {
  ...v1,
  options: { ...v1.options, api_version: VERSION },
  addresses: [
    [{}, CLASSIC],
    [{ base_url: `${RESOURCE}/openai/` }, CLASSIC],
    [
      { deployments: { [MODEL]: "our small" } },
      `${RESOURCE}/openai/deployments/our%20small/embeddings?api-version=${VERSION}`,
    ],
  ],
};

describe("v1", () => conformance(v1));
describe("classic", () => conformance(classic));

type Body = OpenAI.EmbeddingCreateParams;

/** What the SDK sends and gets for the same call. */
function throughSdk(subject: Subject, body: Omit<Body, "model">, model = MODEL, apiKey = AZURE_KEY) {
  const { sent, fetch } = recording(vendor);
  const options = { apiKey, maxRetries: 0, fetch };
  const client =
    subject === classic
      ? new AzureOpenAI({ ...options, endpoint: RESOURCE, apiVersion: VERSION })
      : new OpenAI({ ...options, baseURL: `${RESOURCE}/openai/v1/` });
  return { sent, work: client.embeddings.create({ model, ...body }).then((answer) => answer) };
}

describe.each([
  ["v1", v1],
  ["classic", classic],
] as const)("OpenAI's SDK as the oracle, on the path %s", (path, subject) => {
  test("the SDK is satisfied by the fake, base64 and float alike", async () => {
    for (const encoding_format of [undefined, "float"] as const) {
      const { data, usage } = await throughSdk(subject, { input: ["one", "two"], encoding_format }).work;
      expect(usage).toEqual({ prompt_tokens: 2, total_tokens: 2 });
      expect(data.map(({ embedding }) => [...Float32Array.from(embedding)])).toEqual(
        ["one", "two"].map((text) => [...vendor.vectorOf(text)]),
      );
    }
  });

  test("the SDK reads the fake's refusals as Azure's errors", async () => {
    const unknown = throughSdk(subject, { input: "a" }, "no-such-deployment");
    await expect(unknown.work).rejects.toMatchObject({ status: 404, code: "DeploymentNotFound" });
    const wrongKey = throughSdk(subject, { input: "a" }, MODEL, "of-somebody-else");
    await expect(wrongKey.work).rejects.toMatchObject({ status: 401 });
  });

  const SAME: readonly (readonly [string, Partial<EmbedCall>, Omit<Body, "model">])[] = [
    ["texts", { inputs: ["one", "two"], wireEncoding: "base64" }, { input: ["one", "two"] }],
    [
      "a size",
      { inputs: ["one"], dimensions: 64, wireEncoding: "base64" },
      { input: ["one"], dimensions: 64 },
    ],
    ["a user", { inputs: ["one"], user: "end-7", wireEncoding: "base64" }, { input: ["one"], user: "end-7" }],
    [
      "token ids",
      { inputs: [Uint32Array.of(15339, 1917)], wireEncoding: "base64" },
      { input: [[15339, 1917]] },
    ],
  ];
  test.each(SAME)("for %s our request is the SDK's", async (_, call, params) => {
    const { upstream, network } = openSubject(subject);
    await upstream.embed(callFor(subject, call.inputs ?? [], call));
    const { sent, work } = throughSdk(subject, params);
    await work;
    expectSame(network, sent, []);
    // The plain client knows only Bearer; Azure's specification names Azure's own header.
    const theirKey = sent[0]?.headers.get(path === "v1" ? "authorization" : "api-key");
    expect(network.requests[0]?.headers.get("api-key")).toBe(theirKey?.replace("Bearer ", "") ?? null);
  });
});

describe("Azure's rules", () => {
  test("an Entra ID token is sent as Bearer, and a key overrides it", async () => {
    for (const [options, name, value] of [
      [{ api_key: undefined, ad_token: "eyJ0.entra.token" }, "authorization", "Bearer eyJ0.entra.token"],
      [{ ad_token: "eyJ0.entra.token" }, "api-key", AZURE_KEY],
    ] as const) {
      const { upstream, network } = openSubject(v1, options);
      network.answer(() => Response.json({ data: [{ index: 0, embedding: [1, 0] }] }));
      await upstream.embed(callFor(v1, ["one"]));
      expect(network.requests[0]?.headers.get(name)).toBe(value);
      expect(network.requests[0]?.headers.has("authorization")).toBe(name === "authorization");
    }
  });

  const REFUSALS: readonly (readonly [string, number, unknown, string, number | null])[] = [
    [
      // openai/openai-python reads both of Azure's headers.
      "too many requests",
      429,
      {
        error: {
          code: "429",
          message:
            "Requests to the Embeddings_Create Operation under Azure OpenAI API version 2024-10-21 have exceeded call rate limit of your current pricing tier. Please retry after 7 seconds.",
        },
      },
      "overloaded",
      7000,
    ],
    // Azure's API management answers without an envelope.
    [
      "a wrong key, by the door",
      401,
      { statusCode: 401, message: "Unauthorized. Access token is missing." },
      "unauthorized",
      null,
    ],
    [
      // run-llama/llama_index#13174: for one input, or for all together if a resource keeps to 8,192 for a call.
      "too many tokens",
      400,
      {
        error: {
          message:
            "This model's maximum context length is 8192 tokens, however you requested 23869 tokens (23869 in your prompt; 0 for the completion). Please reduce your prompt; or completion length.",
          type: "invalid_request_error",
          param: null,
          code: null,
        },
      },
      "input_too_long",
      null,
    ],
  ];
  test.each(REFUSALS)("%s becomes the right kind of error", async (_, status, body, kind, retryAfterMs) => {
    const { upstream, network } = openSubject(v1);
    network.answer(() =>
      Response.json(body, { status, headers: retryAfterMs !== null ? { "retry-after": "7" } : {} }),
    );
    const failure = await failureOf(upstream.embed(callFor(v1, ["one"])));
    expect<string>(failure.kind).toBe(kind);
    expect(failure.retryAfterMs ?? null).toBe(retryAfterMs);
  });
});

describe("through the gateway", () => {
  const YAML = `
providers:
  azure: { plugin: azure, base_url: "${RESOURCE}", api_key: ${AZURE_KEY}, deployments: { text-embedding-3-small: our-small } }
  classic: { plugin: azure, base_url: "${RESOURCE}", api_key: ${AZURE_KEY}, api_version: "${VERSION}" }
space_probe: false
models:
  text-embedding-3-small: { routes: [ { provider: azure } ] }
  ours: { routes: [ { provider: classic, model: our-small } ], dimensions: 1536 }
  text-embedding-ada-002: { routes: [ { provider: classic } ] }
  gone: { routes: [ { provider: classic } ] }
`;

  test("a deployment serves its model, at Azure's price, in OpenAI's space", async () => {
    await using gateway = await openGateway({ yaml: YAML, outside: { fetch: vendor.fetch } });
    const sent = await gateway.post({ model: MODEL, input: ["one", "two"], dimensions: 8 });
    expect(sent.json).toMatchObject({ model: MODEL, data: [{ index: 0 }, { index: 1 }] });
    expect(sent.headers.get("x-embedding-space")).toBe("text-embedding-3-small@8");
    const [line] = await gateway.gateway.ledger.usage(0, "model");
    expect(line?.cost_pico_usd).toBe(44_000n);
    const ours = await gateway.post({ model: "ours", input: "one" });
    expect(ours.status).toBe(200);
  });

  test("Azure's name for ada-002 is not a different model, and an unknown deployment is a 404", async () => {
    await using gateway = await openGateway({ yaml: YAML, outside: { fetch: vendor.fetch } });
    expect((await gateway.post({ model: "text-embedding-ada-002", input: "one" })).status).toBe(200);
    const gone = await gateway.post({ model: "gone", input: "one" });
    expect([gone.status, Object(gone.json).error.code]).toEqual([404, "model_not_found"]);
  });

  test("a resource that takes 8,192 tokens per call is called again in halves", async () => {
    let calls = 0;
    const fetch: typeof vendor.fetch = async (url, init) => {
      calls += 1;
      const { input } = JSON.parse(String(init.body));
      if (input.length <= 2) return vendor.fetch(url, init);
      const message =
        "This model's maximum context length is 8192 tokens, however you requested 9000 tokens.";
      return Response.json({ error: { message, code: null } }, { status: 400 });
    };
    await using gateway = await openGateway({ yaml: YAML, outside: { fetch } });
    const input = ["a", "b", "c", "d", "e"];
    const sent = await gateway.post({ model: MODEL, input });
    expect(sent.status).toBe(200);
    expect(calls).toBeGreaterThan(3);
  });
});

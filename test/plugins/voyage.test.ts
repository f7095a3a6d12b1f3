/**
 * The voyage plugin: the conformance suite against a fake as strict as Voyage, with Voyage's own SDK as the oracle for both.
 * A refusal seen at Voyage is a row of REFUSALS, with its source; native-gateway.test.ts tests it through the whole gateway.
 */
import { describe, expect, test } from "bun:test";
import { type EmbedRequest, VoyageAIClient } from "voyageai";
import voyage from "../../plugins/voyage";
import type { EmbedCall } from "../../src/plugin";
import { conformance, type Subject } from "./conformance";
import { expectSame, recording } from "./conformance/oracle";
import { expectRefused, expectTold, type Refused, type Seen } from "./conformance/refusals";
import { callFor, failureOf, openSubject, subjectsOf } from "./conformance/subject";
import { MONGODB_KEY, VOYAGE_KEY, voyageVendor } from "./vendors/voyage";

const MODEL = "voyage-4";
const vendor = voyageVendor(MODEL);
const subject: Subject = {
  ...subjectsOf(voyage, VOYAGE_KEY, voyageVendor)(MODEL),
  addresses: [
    [{}, "https://api.voyageai.com/v1/embeddings"],
    [{ base_url: "https://api.voyageai.com" }, "https://api.voyageai.com/v1/embeddings"],
    // A key of MongoDB's console is refused by the other host.
    [{ api_key: MONGODB_KEY }, "https://ai.mongodb.com/v1/embeddings"],
    [
      { api_key: MONGODB_KEY, base_url: "https://proxy.example/voyage/v1//" },
      "https://proxy.example/voyage/v1/embeddings",
    ],
  ],
};

conformance(subject);

describe("Voyage's SDK as the oracle", () => {
  function throughSdk(request: EmbedRequest, apiKey = VOYAGE_KEY) {
    const { sent, fetch } = recording(vendor);
    const client = new VoyageAIClient({
      apiKey,
      fetch,
      maxRetries: 0,
    });
    // The SDK returns its own kind of promise, which `rejects` does not recognise.
    const work = (async () => await client.embed(request))();
    return { sent, work };
  }

  test("the SDK is satisfied by the fake", async () => {
    const { data, usage } = await throughSdk({ model: MODEL, input: ["one", "two words"] }).work;
    expect(data?.map(({ embedding }) => embedding)).toEqual(
      ["one", "two words"].map((text) => [...vendor.vectorOf(text)]),
    );
    expect(usage).toEqual({ totalTokens: 3 });
  });

  test("the SDK reads the fake's refusals as Voyage's errors", async () => {
    const unknown = throughSdk({ model: "voyage-9", input: "a" });
    await expect(unknown.work).rejects.toMatchObject({ name: "VoyageAIError", statusCode: 400 });
    const wrongKey = throughSdk({ model: MODEL, input: "a" }, "pa-of-somebody-else");
    await expect(wrongKey.work).rejects.toMatchObject({ name: "VoyageAIError", statusCode: 401 });
  });

  const SAME: readonly (readonly [string, Partial<EmbedCall>, Omit<EmbedRequest, "model">])[] = [
    ["texts", { inputs: ["one", "two"] }, { input: ["one", "two"], truncation: false }],
    [
      "a query",
      { inputs: ["one"], task: "query" },
      { input: ["one"], truncation: false, inputType: "query" },
    ],
    [
      "a size",
      { inputs: ["one"], dimensions: 256 },
      { input: ["one"], truncation: false, outputDimension: 256 },
    ],
    [
      "a text that may be cut",
      { inputs: ["one"], longInput: "truncate" },
      { input: ["one"], truncation: true },
    ],
    [
      "base64",
      { inputs: ["one"], wireEncoding: "base64" },
      { input: ["one"], truncation: false, encodingFormat: "base64" },
    ],
  ];
  test.each(SAME)("for %s our request is the SDK's", async (_, call, request) => {
    const { upstream, network } = openSubject(subject);
    await upstream.embed(callFor(subject, call.inputs ?? [], call));
    const { sent, work } = throughSdk({ model: MODEL, outputDtype: "float", ...request });
    // The SDK cannot read base64 itself: only its request matters.
    await work.catch(() => undefined);
    expectSame(network, sent);
  });
});

describe("Voyage's rules", () => {
  test("base64 is read if a route asks for it, and floats are requested by sending nothing", async () => {
    const { upstream, network } = openSubject(subject);
    const { vectors } = await upstream.embed(callFor(subject, ["one"], { wireEncoding: "base64" }));
    expect(vectors).toEqual([{ index: 0, values: vendor.vectorOf("one") }]);
    await upstream.embed(callFor(subject, ["one"]));
    expect(network.requests.map(({ body }) => JSON.parse(body).encoding_format)).toEqual([
      "base64",
      undefined,
    ]);
  });

  const LONG = "word ".repeat(33_000).trim();
  test("a text that may be truncated is truncated by Voyage, and only then", async () => {
    const { upstream } = openSubject(subject);
    const cut = vendor.vectorOf(LONG.split(" ").slice(0, 32_000).join(" "));
    for (const changed of [{ longInput: "truncate" }, { fields: { truncate: "END" } }] as const) {
      const { vectors } = await upstream.embed(callFor(subject, [LONG], changed));
      expect(vectors).toEqual([{ index: 0, values: cut }]);
    }
    for (const longInput of ["reject", "average"] as const) {
      const failure = await failureOf(upstream.embed(callFor(subject, [LONG], { longInput })));
      expect(failure.kind).toBe("input_too_long");
    }
  });

  const HALF = "word ".repeat(20_000).trim();
  const REFUSED: readonly Refused[] = [
    ["an unknown model", { model: "voyage-9" }, "not_found", undefined],
    ["a text of 33,000 tokens", { inputs: ["short", LONG] }, "input_too_long", 1],
    [
      "more tokens in all than the model takes",
      { inputs: new Array(17).fill(HALF) },
      "too_many_tokens",
      undefined,
    ],
    ["1001 texts", { inputs: new Array(1001).fill("a") }, "too_many_tokens", undefined],
    ["an empty text", { inputs: [""] }, "invalid", undefined],
    ["token ids", { inputs: [Uint32Array.of(1, 2)] }, "invalid", undefined],
    ["a size that is none of its own", { dimensions: 300 }, "invalid", undefined],
    ["a task that it does not know", { task: "passage" }, "invalid", undefined],
    ["a field that it does not know", { extraBody: { temperature: 1 } }, "invalid", undefined],
    ["a size past the request's own field", { extraBody: { output_dimension: 256 } }, "invalid", undefined],
  ];
  expectRefused(subject, REFUSED);

  const REFUSALS: readonly Seen[] = [
    [
      // ramakay/claude-self-reflect#38.
      "too many tokens in all",
      400,
      {
        detail:
          "Request to model 'voyage-3-large' failed. The max allowed tokens per submitted batch is 120000. Your batch has 124302 tokens after truncation. Please lower the number of tokens in the batch.",
      },
      "too_many_tokens",
      "124302 tokens",
    ],
    ["a host that does not know the key", 403, { detail: "Forbidden" }, "unauthorized", "Forbidden"],
    // docs.voyageai.com/docs/error-codes
    ["a limit on requests", 429, { detail: "Rate limit exceeded" }, "overloaded", "Rate limit"],
    // FastAPI's own list, should it occur: the status decides.
    [
      "a list of faults",
      422,
      { detail: [{ loc: ["body"], msg: "field required" }] },
      "invalid",
      "field required",
    ],
  ];
  expectTold(subject, REFUSALS);

  test("a reply from its documentation is read", async () => {
    // docs.voyageai.com/reference/embeddings-api, 200: vectors cut to three numbers.
    const { upstream, network } = openSubject(subject);
    const [one, two] = [
      [-0.013131560757756233, 0.019828535616397858, -0.00268296212889254],
      [-0.0069352793507278, 0.020878976210951805, -0.00590298464521766],
    ];
    network.answer(() =>
      Response.json({
        object: "list",
        data: [
          { object: "embedding", embedding: one, index: 0 },
          { object: "embedding", embedding: two, index: 1 },
        ],
        model: "voyage-4",
        usage: { total_tokens: 10 },
      }),
    );
    const reply = await upstream.embed(callFor(subject, ["I like cats", "I also like dogs"]));
    expect(reply).toMatchObject({ model: "voyage-4", tokens: 10, tokensSource: "provider" });
    expect(reply.vectors[1]?.values).toEqual(Float32Array.from(two));
  });
});

/**
 * The tei plugin: the conformance suite against a fake as strict as Text Embeddings Inference, with both status codes that its versions use.
 * A refusal seen at TEI is a row of REFUSALS, with its source.
 */
import { describe, expect, test } from "bun:test";
import tei from "../../plugins/tei";
import { conformance, type Subject } from "./conformance";
import { openThrough } from "./conformance/gateway";
import { callFor, failureOf, openSubject } from "./conformance/subject";
import { TEI_KEY, teiVendor } from "./vendors/tei";

const MODEL = "BAAI/bge-large-en-v1.5";
const URL = "http://localhost:8080/embed";
const vendor = teiVendor();
const subject: Subject = {
  plugin: tei,
  options: { api_key: TEI_KEY },
  model: MODEL,
  vendor,
  secrets: [TEI_KEY],
  addresses: [
    [{}, URL],
    [{ base_url: "http://localhost:8080/" }, URL],
    [{ base_url: "http://localhost:8080/embed" }, URL],
    [{ base_url: "http://localhost:8080/v1" }, URL],
    [{ base_url: "https://proxy.example/team//" }, "https://proxy.example/team/embed"],
  ],
};

conformance(subject);

const words = (count: number) => Array.from({ length: count }, (_, place) => `w${place}`).join(" ");

describe("TEI's rules", () => {
  test("nothing is truncated silently, and allowed truncation is reported", async () => {
    const { upstream, network } = openSubject(subject);
    await upstream.embed(callFor(subject, ["short"], { longInput: "truncate" }));
    const reply = await upstream.embed(callFor(subject, [words(600)], { longInput: "truncate" }));
    expect(reply).toMatchObject({ truncated: [0], tokens: 512, tokensSource: "header" });
    expect(network.requests.map(({ body }) => JSON.parse(body).truncate)).toEqual([false, false, true]);
    const refused = await failureOf(upstream.embed(callFor(subject, ["short", words(600)])));
    expect(refused.kind).toBe("input_too_long");
  });

  test("a task is the name of a prompt, in the model's own words if the routing file has them", async () => {
    const { upstream, network } = openSubject(subject, { prompts: { document: "passage" } });
    for (const task of ["query", "document"]) await upstream.embed(callFor(subject, ["a text"], { task }));
    expect(network.requests.map(({ body }) => JSON.parse(body).prompt_name)).toEqual(["query", "passage"]);
    const failure = await failureOf(upstream.embed(callFor(subject, ["a text"], { task: "nl2code" })));
    expect(failure).toMatchObject({ kind: "invalid", field: "prompt_name" });
  });

  test("token ids are sent unchanged", async () => {
    const { upstream, network } = openSubject(subject);
    const reply = await upstream.embed(callFor(subject, [Uint32Array.of(1, 2), Uint32Array.of(3)]));
    expect(JSON.parse(network.requests[0]?.body ?? "").inputs).toEqual([[1, 2], [3]]);
    expect(reply.vectors[0]?.values).toEqual(vendor.vectorOf("id1 id2"));
  });

  test("requested dimensions are returned", async () => {
    const { upstream } = openSubject(subject);
    const { vectors } = await upstream.embed(callFor(subject, ["one"], { dimensions: 64 }));
    expect(vectors[0]?.values).toHaveLength(64);
  });

  test("without a count from the server the gateway counts", async () => {
    const { upstream, network } = openSubject(subject);
    network.answer(() => Response.json([[...vendor.vectorOf("one")]]));
    expect((await upstream.embed(callFor(subject, ["one"]))).tokens).toBeUndefined();
  });

  // All of router/src/lib.rs, ErrorType, with the status codes of all versions.
  const REFUSALS: readonly (readonly [string, number, string, string, string])[] = [
    [
      "too many inputs",
      422,
      "batch size 33 > maximum allowed batch size 32",
      "validation",
      "too_many_tokens",
    ],
    [
      "too many inputs",
      413,
      "batch size 33 > maximum allowed batch size 32",
      "Validation",
      "too_many_tokens",
    ],
    [
      "too long a text",
      413,
      "`inputs` must have less than 512 tokens. Given: 785",
      "Validation",
      "input_too_long",
    ],
    ["an empty text", 400, "`inputs` cannot be empty", "empty", "invalid"],
    ["a failed model", 424, "CUDA out of memory", "backend", "unavailable"],
    ["too many requests", 429, "Model is overloaded", "overloaded", "overloaded"],
    ["a tokenizer that fails", 422, "Tokenization error", "tokenizer", "invalid"],
    ["a server that is not well", 503, "unhealthy", "unhealthy", "unavailable"],
  ];
  test.each(REFUSALS)(
    "%s, with %d, becomes the right kind of error",
    async (_, status, error, error_type, kind) => {
      const { upstream, network } = openSubject(subject);
      network.answer(() => Response.json({ error, error_type }, { status }));
      const failure = await failureOf(upstream.embed(callFor(subject, ["one"])));
      expect<string>(failure.kind).toBe(kind);
      expect(failure.message).toContain(error);
    },
  );
});

describe.each([[422], [413]])("through the gateway, for a version that answers %d", (validation) => {
  function openTei(facts = "") {
    return openThrough(
      teiVendor(validation),
      `
providers:
  tei: { plugin: tei, api_key: ${TEI_KEY}, retries: 0 }
space_probe: false
models:
  bge: { routes: [ { provider: tei, model: some/model } ], uncounted: send${facts} }
`,
    );
  }

  test("pain 10: a call takes 32 inputs without any setting, and a smaller limit is discovered", async () => {
    await using open = await openTei();
    const input = Array.from({ length: 129 }, (_, place) => `text ${place}`);
    const sent = await open.gateway.post({ model: "bge", input });
    expect(sent.status).toBe(200);
    expect(open.network.requests).toHaveLength(5);
    await using wrong = await openTei(", max_inputs: 128");
    expect((await wrong.gateway.post({ model: "bge", input })).status).toBe(200);
  });

  test("the one text that is too long is named, or truncated and reported", async () => {
    await using open = await openTei();
    const input = ["a", "b", words(600), "c"];
    const refused = await open.gateway.post({ model: "bge", input });
    expect(refused.json).toMatchObject({ error: { param: "input[2]", code: "context_length_exceeded" } });
    await using cutting = await openTei(", max_input_tokens: 8192, long_input: truncate");
    const cut = await cutting.gateway.post({ model: "bge", input });
    expect([cut.status, cut.headers.get("x-embedgate-truncated")]).toEqual([200, "2"]);
  });

  test("texts beyond the server's payload limit are sent in smaller calls", async () => {
    await using open = await openTei(", max_call_bytes: 100000000");
    const input = Array.from({ length: 6 }, (_, place) => `${place} ${"x".repeat(500_000)}`);
    const sent = await open.gateway.post({ model: "bge", input });
    expect(sent.status).toBe(200);
  });
});

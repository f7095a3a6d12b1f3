/**
 * The jina plugin: the conformance suite against a fake as strict as Jina's specification, for one model of each set of tasks.
 * A refusal seen at Jina is a row of REFUSALS, with its source; native-gateway.test.ts tests it through the whole gateway.
 */
import { describe, expect, test } from "bun:test";
import jina from "../../plugins/jina";
import type { EmbedCall } from "../../src/plugin";
import { conformance, type Subject } from "./conformance";
import { expectRefused, expectTold, type Refused, type Seen } from "./conformance/refusals";
import { callFor, openSubject, subjectsOf } from "./conformance/subject";
import { JINA_KEY, jinaVendor } from "./vendors/jina";

const V3 = "jina-embeddings-v3";
const subjectOf = subjectsOf(jina, JINA_KEY, jinaVendor);
const subject: Subject = {
  ...subjectOf(V3),
  addresses: [
    [{}, "https://api.jina.ai/v1/embeddings"],
    [{ base_url: "https://api.jina.ai/" }, "https://api.jina.ai/v1/embeddings"],
    [{ base_url: "https://proxy.example/jina/v1//" }, "https://proxy.example/jina/v1/embeddings"],
  ],
};

describe(V3, () => conformance(subject));
describe("jina-embeddings-v4", () => conformance(subjectOf("jina-embeddings-v4")));
describe("jina-embeddings-v2-base-en", () => conformance(subjectOf("jina-embeddings-v2-base-en")));

describe("Jina's tasks", () => {
  const TASKS: readonly (readonly [model: string, word: string, sent: string])[] = [
    [V3, "retrieval.query", "retrieval.query"],
    [V3, "separation", "separation"],
    ["jina-embeddings-v5-text-small", "separation", "clustering"],
    ["jina-embeddings-v5-text-small", "retrieval.passage", "retrieval.passage"],
    ["jina-embeddings-v4", "code.query", "code.query"],
    ["jina-code-embeddings-1.5b", "retrieval.query", "nl2code.query"],
    ["jina-code-embeddings-1.5b", "retrieval.passage", "nl2code.passage"],
    ["jina-code-embeddings-1.5b", "code.query", "nl2code.query"],
    ["jina-code-embeddings-1.5b", "code2nl.passage", "code2nl.passage"],
  ];
  test.each(TASKS)("%s is sent %s as %s, and accepts it", async (model, task, sent) => {
    const { upstream, network } = openSubject(subjectOf(model));
    const { vectors } = await upstream.embed(callFor(subjectOf(model), ["one"], { task }));
    expect(vectors).toHaveLength(1);
    expect(JSON.parse(network.requests[0]?.body ?? "").task).toBe(sent);
  });

  test("a model may be called by its name in Jina's own list of models", async () => {
    const { upstream, network } = openSubject(subject);
    await upstream.embed(callFor(subject, ["one"], { model: `jina-ai/${V3}` }));
    expect(JSON.parse(network.requests[0]?.body ?? "").model).toBe(V3);
  });
});

describe("late chunking", () => {
  const { isIndivisible } = openSubject(subject).provider;
  const ASKED: readonly (readonly [EmbedCall["fields"], EmbedCall["extraBody"], boolean])[] = [
    [{}, {}, false],
    [{ late_chunking: true }, {}, true],
    [{}, { late_chunking: true }, true],
    [{ late_chunking: false }, {}, false],
    // The field is what is sent.
    [{ late_chunking: false }, { late_chunking: true }, false],
  ];
  test.each(ASKED)("fields %j and extra_body %j make the inputs indivisible: %j", (fields, extraBody, is) => {
    expect(isIndivisible?.({ fields, extraBody })).toBe(is);
  });

  test("it reaches Jina, and changes every vector", async () => {
    const { upstream } = openSubject(subject);
    const apart = await upstream.embed(callFor(subject, ["one", "two"]));
    const together = await upstream.embed(
      callFor(subject, ["one", "two"], { fields: { late_chunking: true } }),
    );
    for (const place of [0, 1]) expect(together.vectors[place]).not.toEqual(apart.vectors[place]);
  });
});

describe("Jina's rules", () => {
  const LONG = "word ".repeat(9000).trim();
  test("a text that may be truncated is truncated by Jina, and only then", async () => {
    const { upstream } = openSubject(subject);
    const cut = jinaVendor(V3).vectorOf(LONG.split(" ").slice(0, 8192).join(" "));
    for (const changed of [{ longInput: "truncate" }, { fields: { truncate: true } }] as const) {
      const { vectors } = await upstream.embed(callFor(subject, [LONG], changed));
      expect(vectors).toEqual([{ index: 0, values: cut }]);
    }
  });

  test("vectors that are not to be normalised are returned unchanged, and base64 is read", async () => {
    const { upstream } = openSubject(subject);
    const right = jinaVendor(V3).vectorOf("one");
    const raw = await upstream.embed(callFor(subject, ["one"], { fields: { normalized: false } }));
    expect(raw.vectors[0]?.values).toEqual(right.map((value) => value * 3));
    const packed = await upstream.embed(callFor(subject, ["one"], { wireEncoding: "base64" }));
    expect(packed.vectors[0]?.values).toEqual(right);
  });

  const REFUSED: readonly Refused[] = [
    ["an unknown model", { model: "jina-embeddings-v9" }, "not_found", undefined],
    ["a text of 9,000 tokens alone", { inputs: [LONG] }, "input_too_long", 0],
    ["a text of 9,000 tokens, nobody knows which", { inputs: ["short", LONG] }, "too_many_tokens", undefined],
    ["513 texts", { inputs: new Array(513).fill("a") }, "too_many_tokens", undefined],
    ["an empty text", { inputs: [""] }, "invalid", undefined],
    ["token ids", { inputs: [Uint32Array.of(1, 2)] }, "invalid", undefined],
    ["a size above the model's", { dimensions: 1025 }, "invalid", undefined],
    ["a task of another model", { task: "code.query" }, "invalid", undefined],
    ["a field of another model", { extraBody: { return_multivector: true } }, "invalid", undefined],
    ["a task past the request's own field", { extraBody: { task: "separation" } }, "invalid", undefined],
  ];
  expectRefused(subject, REFUSED);

  /** `{detail, code}` of the specification's `components.responses`, unless another source is given. */
  const REFUSALS: readonly Seen[] = [
    [
      "an account without balance",
      403,
      {
        detail:
          "Insufficient account balance. Top up your account at https://jina.ai/api-dashboard/key-manager.",
        code: "AUTHZ_INSUFFICIENT_BALANCE",
        request_id: "03f58cd9da22fabf",
      },
      "unauthorized",
      "Insufficient account balance",
    ],
    [
      "a limit on tokens a minute",
      429,
      {
        detail: "Token rate limit exceeded: 1,000,312/1,000,000 tokens per minute.",
        code: "RATE_TOKEN_LIMIT_EXCEEDED",
      },
      "overloaded",
      "Token rate limit exceeded",
    ],
    [
      "a service that is down",
      503,
      { detail: "Service temporarily unavailable.", code: "SERVICE_UNAVAILABLE" },
      "unavailable",
      "temporarily",
    ],
    [
      // As users saw it, in another shape than the specification's.
      "a text too long among others",
      400,
      {
        detail: {
          message:
            "Input text exceeds the model's maximum of 8194 tokens. Use 'truncate: true' to automatically truncate, or split into smaller chunks.",
          request_id: "4a4e16aef8876f22c1a04dda9e5e638e",
          code: "INPUT_TOKEN_LIMIT_EXCEEDED",
        },
      },
      "too_many_tokens",
      "8194 tokens",
    ],
    [
      // langgenius/dify-official-plugins#1997.
      "too many inputs",
      422,
      {
        detail:
          "[RID: ec422fa8b74c3c20b493406ac1388555] Validation error: 'body -> jina-embeddings-v4' Each input list can contain at most 512 items.. Field errors: : Invalid value",
      },
      "too_many_tokens",
      "at most 512 items",
    ],
  ];
  expectTold(subject, REFUSALS);
});

/**
 * The ollama plugin: the conformance suite against a fake as strict (and as silent) as Ollama, with Ollama's own library as the oracle.
 * A refusal seen at Ollama is a row of REFUSALS, with its source.
 */
import { describe, expect, test } from "bun:test";
import { type EmbedRequest, Ollama } from "ollama/browser";
import ollama from "../../plugins/ollama";
import type { EmbedCall } from "../../src/plugin";
import { conformance, type Subject } from "./conformance";
import { openThrough, vectorsOf } from "./conformance/gateway";
import { expectSame, recording } from "./conformance/oracle";
import { callFor, failureOf, openSubject } from "./conformance/subject";
import { ollamaVendor, POISON } from "./vendors/ollama";

const MODEL = "nomic-embed-text";
const URL = "http://localhost:11434/api/embed";
const vendor = ollamaVendor(MODEL);
const subject: Subject = {
  plugin: ollama,
  options: { api_key: "ollama-4f9d2c71b0aa" },
  model: MODEL,
  vendor,
  secrets: ["ollama-4f9d2c71b0aa"],
  addresses: [
    [{}, URL],
    [{ base_url: "http://localhost:11434/api/" }, URL],
    [{ base_url: "http://localhost:11434/v1" }, URL],
    [{ base_url: "https://proxy.example/team//" }, "https://proxy.example/team/api/embed"],
  ],
};

conformance(subject);

const words = (count: number) => Array.from({ length: count }, (_, place) => `w${place}`).join(" ");

describe("Ollama's library as the oracle", () => {
  function throughSdk(request: Omit<EmbedRequest, "model">) {
    const { sent, fetch } = recording(vendor);
    const client = new Ollama({ host: "http://localhost:11434", fetch });
    return { sent, work: client.embed({ model: MODEL, ...request }) };
  }

  test("the library is satisfied by the fake", async () => {
    const answer = await throughSdk({ input: ["one", "two words"] }).work;
    expect(answer.embeddings).toEqual(["one", "two words"].map((text) => [...vendor.vectorOf(text)]));
    expect(answer).toMatchObject({ model: MODEL, prompt_eval_count: 3 });
  });

  test("the library reads the fake's refusals as Ollama's errors", async () => {
    const tooLong = throughSdk({ input: words(3000), truncate: false });
    await expect(tooLong.work).rejects.toMatchObject({
      name: "ResponseError",
      status_code: 400,
      error: "the input length exceeds the context length",
    });
  });

  const SAME: readonly (readonly [
    string,
    Partial<EmbedCall>,
    Omit<EmbedRequest, "model">,
    Readonly<Record<string, unknown>>?,
  ])[] = [
    ["texts", { inputs: ["one", "two"] }, { input: ["one", "two"], truncate: false }],
    ["a size", { inputs: ["one"], dimensions: 64 }, { input: ["one"], truncate: false, dimensions: 64 }],
    [
      "options of the model",
      { inputs: ["one"], fields: { options: { num_thread: 2 } } },
      { input: ["one"], truncate: false, options: { num_ctx: 512, num_thread: 2 }, keep_alive: "5m" },
      { num_ctx: 512, keep_alive: "5m" },
    ],
  ];
  test.each(SAME)("for %s our request is the library's", async (_, call, request, options = {}) => {
    const { upstream, network } = openSubject(subject, options);
    await upstream.embed(callFor(subject, call.inputs ?? [], call));
    const { sent, work } = throughSdk(request);
    await work;
    expectSame(network, sent, ["content-type"]);
  });
});

describe("Ollama's rules", () => {
  const REFUSED: readonly (readonly [string, Partial<EmbedCall>, string, string])[] = [
    ["an unknown model", { model: "nomic" }, "not_found", "not found, try pulling it first"],
    ["a text past the window", { inputs: [words(2049)] }, "input_too_long", "exceeds the context length"],
    ["token ids", { inputs: [Uint32Array.of(1, 2)] }, "invalid", "texts"],
    ["a text that the model has no number for", { inputs: [POISON] }, "unavailable", "NaN"],
  ];
  test.each(REFUSED)("%s is refused", async (_, call, kind, says) => {
    const { upstream } = openSubject(subject);
    const failure = await failureOf(upstream.embed(callFor(subject, call.inputs ?? ["one"], call)));
    expect<string>(failure.kind).toBe(kind);
    expect(failure.message).toContain(says);
  });

  const REFUSALS: readonly (readonly [string, number, string, string])[] = [
    // server/sched.go: ErrMaxQueue.
    ["a full queue", 503, "server busy, please try again.  maximum pending requests exceeded", "overloaded"],
    // server/routes.go: handleScheduleError's siblings.
    ["a model for chats", 501, "this model does not support embeddings", "invalid"],
    // ollama/ollama#14186.
    [
      "a cut that failed",
      400,
      "input exceeds maximum context length and cannot be truncated further",
      "input_too_long",
    ],
  ];
  test.each(REFUSALS)("%s becomes the right kind of error", async (_, status, error, kind) => {
    const { upstream, network } = openSubject(subject);
    network.answer(() => Response.json({ error }, { status }));
    const failure = await failureOf(upstream.embed(callFor(subject, ["one"])));
    expect<string>(failure.kind).toBe(kind);
  });

  test("an empty text is one input among others, and also alone", async () => {
    const { upstream, network } = openSubject(subject);
    for (const inputs of [["a", "", "b"], [""]])
      expect((await upstream.embed(callFor(subject, inputs))).vectors).toHaveLength(inputs.length);
    network.answer(() => Response.json({ model: MODEL, embeddings: [] }));
    const failure = await failureOf(upstream.embed(callFor(subject, ["a", ""])));
    expect(failure).toMatchObject({ kind: "invalid", input: 1 });
  });

  test("a text that is too long is truncated only if that is allowed, on its own, and a header says so", async () => {
    const { upstream, network } = openSubject(subject);
    const long = words(3000);
    const reply = await upstream.embed(callFor(subject, [long], { longInput: "truncate" }));
    expect(reply.truncated).toEqual([0]);
    expect(reply.vectors[0]?.values).toEqual(vendor.vectorOf(words(2048)));
    expect(network.requests.map(({ body }) => JSON.parse(body).truncate)).toEqual([false, true]);
    const several = upstream.embed(callFor(subject, ["short", long], { longInput: "truncate" }));
    expect((await failureOf(several)).kind).toBe("too_many_tokens");
    const short = await upstream.embed(callFor(subject, ["short"], { longInput: "truncate" }));
    expect(short.truncated).toBeUndefined();
  });

  test("pain 20: a text that Ollama truncated silently is refused, or reported if truncation is allowed", async () => {
    const silent = { ...subject, model: "bge-m3", vendor: ollamaVendor("bge-m3") };
    const { upstream } = openSubject(silent);
    const chinese = "灯塔看守人数着船只".repeat(2000);
    for (const inputs of [[words(2500)], ["short", words(2500)], [chinese]]) {
      const failure = await failureOf(upstream.embed(callFor(silent, inputs)));
      expect(failure.kind).toBe("input_too_long");
      expect(failure.message).toContain("truncated the text silently");
    }
    const told = await upstream.embed(callFor(silent, [words(2500)], { longInput: "truncate" }));
    expect(told.truncated).toEqual([0]);
    const several = upstream.embed(callFor(silent, ["short", words(2500)], { longInput: "truncate" }));
    expect((await failureOf(several)).kind).toBe("too_many_tokens");
    const right = await upstream.embed(callFor(silent, [words(2000), "don't — stop!", "日本語の文"]));
    expect(right.vectors).toHaveLength(3);
  });
});

describe("through the gateway", () => {
  function openLocal(model = MODEL, facts = "") {
    return openThrough(
      ollamaVendor(model),
      `
providers:
  ollama: { plugin: ollama, retries: 0 }
space_probe: false
models:
  ${model}: { routes: [ { provider: ollama } ], uncounted: send${facts} }
`,
    );
  }

  test("in a batch the truncated text is named, and allowed truncation is reported", async () => {
    await using refusing = await openLocal("bge-m3");
    const input = ["a", "b", words(2500), "c"];
    const refused = await refusing.gateway.post({ model: "bge-m3", input });
    expect(refused.status).toBe(400);
    expect(refused.json).toMatchObject({ error: { param: "input[2]", code: "context_length_exceeded" } });
    await using cutting = await openLocal("bge-m3", ", max_input_tokens: 8000, long_input: truncate");
    const cut = await cutting.gateway.post({ model: "bge-m3", input });
    expect([cut.status, cut.headers.get("x-embedgate-truncated")]).toEqual([200, "2"]);
  });

  test("the one text of a batch with an invalid vector is named", async () => {
    await using open = await openLocal();
    const input = ["a", "b", "c", POISON, "d"];
    const sent = await open.gateway.post({ model: MODEL, input });
    expect(sent.json).toMatchObject({ error: { param: "input[3]" } });
  });

  test("pain 21: the vector of a text is the same alone and in a batch", async () => {
    await using open = await openLocal();
    const embedded = async (input: readonly string[]) =>
      vectorsOf(await open.gateway.post({ model: MODEL, input }));
    const [batch, alone] = [await embedded(["x", "y", "z"]), await embedded(["y"])];
    expect(batch[1]).toEqual(alone[0] ?? []);
  });
});

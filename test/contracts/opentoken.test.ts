/**
 * The `opentoken` dialect, line by line: each test is named after its number in the contract.
 * A line without a test here is not guaranteed.
 */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { exactVector } from "../../plugins/fake";
import { printed } from "../printing/printed";
import { answerOf, messageOf, modelsOf, openSpeaking, refusalOf, type Speaking, sizesOf } from "./speaking";

const MODEL = "google/text-embedding-004";

let open: Speaking;
beforeAll(async () => {
  open = await openSpeaking({ server: "dialect: opentoken" });
});
afterAll(() => open[Symbol.asyncDispose]());

describe("T1 the models and the forms of input", () => {
  test("an id with its maker's prefix is answered under OpenAI's shape, in 768 dimensions", async () => {
    const sent = await open.ask({ model: MODEL, input: "one text" });
    expect(answerOf(sent).model).toBe(MODEL);
    expect(sizesOf(sent)).toEqual([768]);
    expect(sizesOf(await open.ask({ model: MODEL, input: ["one", "two"] }))).toEqual([768, 768]);
  });
  test("token ids are refused", async () => {
    for (const input of [
      [1, 2],
      [[1, 2], [3]],
    ])
      expect(refusalOf(await open.ask({ model: MODEL, input }))).toMatchObject({
        status: 400,
        param: "input",
      });
  });
});

describe("T2 fields beyond OpenAI's", () => {
  test("dimensions is accepted", async () => {
    expect(sizesOf(await open.ask({ model: "fake", input: "a", dimensions: 5 }))).toEqual([5]);
  });
  test.each([
    "RETRIEVAL_QUERY",
    "RETRIEVAL_DOCUMENT",
    "SEMANTIC_SIMILARITY",
    "CLASSIFICATION",
    "CLUSTERING",
    "QUESTION_ANSWERING",
    "FACT_VERIFICATION",
    "CODE_RETRIEVAL_QUERY",
  ])("the task type %s reaches the provider", async (task_type) => {
    open.calls.length = 0;
    const sent = await open.ask({ model: MODEL, input: "a", task_type, dimensions: 256 });
    expect(sizesOf(sent)).toEqual([256]);
    expect(open.calls[0]?.body).toMatchObject({ taskType: task_type, outputDimensionality: 256 });
  });
  test("an unknown task type is refused", async () => {
    const sent = await open.ask({ model: MODEL, input: "a", task_type: "RETRIEVAL_QUARRY" });
    expect(refusalOf(sent)).toMatchObject({ status: 400, param: "task_type" });
  });
  test("a field that the model's plugin declares is accepted, another is refused with the nearest known one", async () => {
    expect((await open.ask({ model: "fake", input: "a", title: "x" })).status).toBe(200);
    const sent = await open.ask({ model: "fake", input: "a", dimension: 5 });
    expect(refusalOf(sent)).toMatchObject({ status: 400, param: "dimension" });
    expect(messageOf(sent)).toContain("'dimensions'");
  });
});

describe("T3 the answer", () => {
  test("has one vector for each input, in order, and counts of the input only", async () => {
    const input = ["one", "two words", "and three words"];
    const { data, usage } = answerOf(await open.ask({ model: "fake", input }));
    expect(data.map(({ index }) => index)).toEqual([0, 1, 2]);
    expect(data.map(({ embedding }) => embedding)).toEqual(
      input.map((text) => printed(exactVector(text, 16))),
    );
    expect(usage).toEqual({ prompt_tokens: 6, total_tokens: 6 });
  });
  test("is never streamed", async () => {
    expect((await open.ask({ model: "fake", input: "a", stream: false })).status).toBe(200);
    expect(refusalOf(await open.ask({ model: "fake", input: "a", stream: true }))).toMatchObject({
      status: 400,
      param: "stream",
    });
  });
});

describe("T4 the price", () => {
  test("is the input's tokens at the model's rate", async () => {
    await open.ask({ model: MODEL, input: ["seven words", "are billed in all here"] });
    // Google returns no count for this model: four bytes are counted as one token.
    expect(open.rows().at(-1)).toMatchObject({ tokens_billed: 9, cost_pico_usd: 9 * 25_000 });
  });
  test("is listed as it is now", async () => {
    expect((await modelsOf(open)).get(MODEL)).toMatchObject({ price_usd_per_million_tokens: 0.025 });
    await using changing = await openSpeaking({ server: "dialect: opentoken" });
    const config = changing.gateway.config();
    const models = new Map(config.models);
    const known = models.get(MODEL);
    if (!known) throw new Error("the model is not configured");
    models.set(MODEL, { ...known, facts: { ...known.facts, price: 0.07 } });
    changing.gateway.reload({ ...config, models });
    expect((await modelsOf(changing)).get(MODEL)).toMatchObject({ price_usd_per_million_tokens: 0.07 });
  });
});

describe("T5 a registered model that cannot embed", () => {
  test("gets its own error, and is listed", async () => {
    const sent = await open.ask({ model: "chat", input: "a" });
    expect(refusalOf(sent)).toMatchObject({
      status: 400,
      type: "invalid_request_error",
      code: "embeddings_unsupported",
    });
    expect(messageOf(sent)).toBe('model "chat" does not support embeddings');
    expect((await modelsOf(open)).get("chat")).toMatchObject({ embeddings: false });
  });
});

describe("T6 an id that is not registered", () => {
  test("is 400", async () => {
    expect(refusalOf(await open.ask({ model: "nope", input: "a" }))).toMatchObject({
      status: 400,
      code: "model_not_found",
    });
    expect(open.rows().at(-1)).toMatchObject({ status: 400, error: "model_not_found" });
  });
});

describe("T7 keys and balances", () => {
  test.each([[{}], [{ authorization: "Bearer nothing" }], [{ authorization: "Basic abc" }]])(
    "without a good key (%j) the answer is an authentication error",
    async (headers) => {
      expect(refusalOf(await open.post({ model: "fake", input: "a" }, headers))).toMatchObject({
        status: 401,
        type: "authentication_error",
      });
    },
  );
  test("a used up balance is 402", async () => {
    await using poor = await openSpeaking({ server: "dialect: opentoken", credits: 3n });
    expect(refusalOf(await poor.ask({ model: "fake", input: "a" }))).toMatchObject({
      status: 402,
      code: "insufficient_credit",
    });
    expect(poor.rows().at(-1)).toMatchObject({ status: 402, error: "insufficient_credit" });
  });
});

describe("other lines of the table", () => {
  test("base64 is answered, an empty string is refused, a provider's failures have different errors", async () => {
    const { data } = answerOf(await open.ask({ model: "fake", input: "a", encoding_format: "base64" }));
    expect(typeof data[0]?.embedding).toBe("string");
    expect((await open.ask({ model: "fake", input: "" })).status).toBe(400);
    expect((await open.ask({ model: "fake-nan", input: "a" })).status).toBe(502);
    expect((await open.askInHaste({ model: "fake-stuck", input: "a" })).status).toBe(504);
    expect((await open.ask({ model: "fake-down", input: "a" })).status).toBe(503);
  });
});

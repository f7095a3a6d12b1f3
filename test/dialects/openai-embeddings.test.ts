/**
 * Fields that OpenAI-compatible services have in addition to OpenAI's, on /v1/embeddings: each works, or is refused by name.
 */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { exactVector } from "../../plugins/fake";
import { openSpeaking, type Speaking } from "../contracts/speaking";
import { FAKE_YAML, openGateway } from "../gateway";
import { inType } from "../plugins/vendors/bedrock-models";
import { vector } from "./wires/asking";

describe("of any model", () => {
  test.each([
    [{ output_dtype: "float" }],
    [
      {
        output_dtype: null,
        truncation: true,
        input_type: null,
        encoding_format: null,
        output_dimension: null,
      },
    ],
    [{ embedding_type: "float", truncation: false }],
    [{ embedding_type: ["float"], normalized: true }],
    [{ encoding_type: "float", late_chunking: false }],
  ])("%j has its effect, which is none", async (more) => {
    await using open = await openGateway({ yaml: FAKE_YAML });
    const { json } = await open.post({ model: "fake", input: "one", ...more });
    expect(json).toMatchObject({
      id: expect.stringMatching(/^req_/),
      data: [{ embedding: vector("one") }],
      usage: { prompt_tokens: 1, total_tokens: 1 },
    });
  });

  test("dimensions, a task and base64 under other names have their effect", async () => {
    await using open = await openGateway({ yaml: FAKE_YAML });
    const body = {
      model: "fake",
      input: "one",
      output_dimension: 4,
      task: "retrieval.query",
      embedding_type: "base64",
    };
    const { json } = await open.post(body);
    const base64 = Buffer.from(exactVector("query: one", 4).buffer).toString("base64");
    expect(json).toMatchObject({ data: [{ embedding: base64 }] });
  });

  test.each([
    [{ output_dtype: "int8" }, "output_dtype", "no embeddings of the type int8"],
    [{ embedding_type: "ubinary" }, "embedding_type", "no embeddings of the type ubinary"],
    [{ output_dtype: "int4" }, "output_dtype", '"int8"'],
    [{ output_dtype: 8 }, "output_dtype", '"int8"'],
    [{ embedding_type: ["float", "binary"] }, "embedding_type", '"int8"'],
    [{ output_dtype: "int8", embedding_type: "uint8" }, "embedding_type", "differ"],
    [{ embedding_type: "base64", encoding_format: "float" }, "embedding_type", "encoding_format"],
    [{ truncation: "END" }, "truncation", "true or false"],
    [{ truncation: true, truncate: false }, "truncation", "differ"],
    [{ normalized: false }, "normalized", "normalized"],
    [{ normalized: "yes" }, "normalized", "normalized"],
    [{ late_chunking: true }, "late_chunking", "late_chunking"],
    [{ encoding_type: "ubinary" }, "encoding_type", "encoding_type"],
  ])("%j is refused", async (more, param, words) => {
    await using open = await openGateway({ yaml: FAKE_YAML });
    expect(await open.post({ model: "fake", input: "one", ...more })).toMatchObject({
      status: 400,
      json: { error: { param, message: expect.stringContaining(words) } },
    });
  });

  test("if no further field is accepted, they are refused like others", async () => {
    await using open = await openGateway({ yaml: `${FAKE_YAML}\nserver: { dialect: quantized }` });
    for (const more of [{ truncation: true }, { output_dtype: "float" }])
      expect((await open.post({ model: "fake", input: "one", ...more })).status).toBe(422);
  });
});

describe("of a model that supports the type", () => {
  let open: Speaking;
  beforeAll(async () => {
    open = await openSpeaking({ server: "dialect: openai" });
  });
  afterAll(() => open[Symbol.asyncDispose]());
  const COHERE = "cohere.embed-english-v3";
  const embeddings = async (body: object) => {
    const { json } = await open.ask({ input: ["one", "two"], ...body });
    return Object(json).data.map(({ embedding }: { embedding: unknown }) => embedding);
  };

  test.each(["int8", "uint8", "binary", "ubinary"])(
    "%s stands in embedding, as a list or as base64",
    async (type) => {
      const right = ["one", "two"].map((text) => [...inType(type, exactVector(text, 1024))]);
      expect(await embeddings({ model: COHERE, output_dtype: type })).toEqual(right);
      const packed = await embeddings({ model: COHERE, embedding_type: type, encoding_format: "base64" });
      const bytes = right.map((numbers) => Buffer.from(Uint8Array.from(numbers)).toString("base64"));
      expect(packed).toEqual(bytes);
    },
  );

  test("bits that a vendor writes as one number each are packed eight per byte", async () => {
    const titan = "amazon.titan-embed-text-v2:0";
    const bits = [...exactVector("one", 1024)].map((value) => Number(value > 0));
    const bytes = Array.from({ length: 128 }, (_, i) =>
      Number.parseInt(bits.slice(8 * i, 8 * i + 8).join(""), 2),
    );
    const [unsigned] = await embeddings({ model: titan, input: "one", output_dtype: "binary" });
    expect(unsigned).toEqual(bytes.map((byte) => byte - 128));
  });
});

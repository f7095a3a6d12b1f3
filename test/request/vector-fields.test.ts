/**
 * Fields that change a vector: they work or are refused, whatever the dialect and its policies; dimensions work in every vendor's word.
 * Another word for one is a row here.
 */
import { describe, expect, test } from "bun:test";
import { openBefore, SIZE, vectorsOf } from "./vendor";

const errorOf = ({ json }: { readonly json: unknown }) => Object(json).error;

const yaml = (server: string, model = "") => `
server: { ${server} }
providers: { a: { plugin: openai, base_url: "http://a/v1", retries: 0 } }
space_probe: false
models:
  m: { routes: [ { provider: a } ], price: 1${model} }
`;

const SERVERS = [
  "dialect: openai",
  "dialect: tokenfactory",
  "policies: { unknown_fields: ignore }",
  "policies: { unknown_fields: forward }",
  "dialect: quantized",
];

describe.each(SERVERS)("%s", (server) => {
  test.each([
    ["output_dtype", "int8"],
    ["outputDtype", "binary"],
    ["embedding_types", ["float", "int8"]],
    ["embedding_type", "ubinary"],
    ["output_dimension", 7_000_000],
    ["pooling", "cls"],
    ["normalize", false],
    ["normalized", false],
    ["truncate_prompt_tokens", 12],
    ["prompt_template", "query: {text}"],
    ["late_chunking", true],
    // DashScope's dimensions and task, watsonx's truncation, another case, and unlisted names.
    ["dimension", 7_000_000],
    ["Dimensions", 7_000_000],
    ["text_type", "query"],
    ["truncate_input_tokens", 12],
    ["target_dimension", 4],
    ["size", 4],
    ["data_type", "int8"],
    ["quantize", true],
    ["normalise", false],
    ["pool", "cls"],
    ["query_instruction", "find"],
    ["prefix", "query: "],
    ["max_seq_length", 12],
    ["return_multivector", true],
    ["lora", "legal"],
  ])("%s: %j is refused, naming it, and not sent", async (field, value) => {
    await using open = await openBefore(yaml(server));
    const sent = await open.post({ model: "m", input: "a", [field]: value });
    expect([400, 422]).toContain(sent.status);
    expect(errorOf(sent).param).toBe(field);
    expect(open.vendor.calls).toEqual([]);
  });
});

test("ignored members of extra_body may not be ones that a client would misread", async () => {
  await using open = await openBefore(yaml("policies: { extra_body: ignore }"));
  const refused = await open.post({ model: "m", input: "a", extra_body: { output_dtype: "int8" } });
  expect([refused.status, errorOf(refused).param]).toEqual([400, "extra_body.output_dtype"]);
  expect((await open.post({ model: "m", input: "a", extra_body: { seed: 1 } })).status).toBe(200);
});

test.each([
  "seed",
  "cache",
  "prompt_cache_key",
  "metadata_tags",
  "service_tier",
  "dimly_lit",
  "resize",
  "priority",
])("%s changes no vector, and is ignored where unknown fields are", async (field) => {
  await using open = await openBefore(yaml("policies: { unknown_fields: ignore }"));
  const sent = await open.post({ model: "m", input: "a", [field]: 1 });
  expect([sent.status, sent.headers.get("x-embedgate-ignored")]).toEqual([200, field]);
});

test("dimensions in a vendor's word are refused by that word", async () => {
  await using open = await openBefore(yaml("dialect: openai", ", dimensions: 8"));
  for (const field of ["output_dimension", "outputDimensionality"]) {
    const sent = await open.post({ model: "m", input: "a", [field]: 256 });
    expect([sent.status, errorOf(sent).param]).toEqual([400, field]);
    expect((await open.post({ model: "m", input: "a", [field]: 8 })).status).toBe(200);
  }
});

test("dimensions work in every vendor's word, and floats may be requested", async () => {
  await using open = await openBefore(yaml("dialect: openai", ", dimensions: 8, dimensions_allowed: [4, 8]"));
  for (const field of ["output_dimension", "output_dimensionality", "outputDimensionality"]) {
    const sent = await open.post({ model: "m", input: "a", [field]: 4, output_dtype: "float" });
    expect(vectorsOf(sent).map(({ length }) => length)).toEqual([4]);
  }
  expect(open.vendor.calls[0]?.body).toMatchObject({ dimensions: 4 });
  const twice = await open.post({ model: "m", input: "a", dimensions: 8, output_dimension: 4 });
  expect([twice.status, errorOf(twice).param]).toEqual([400, "output_dimension"]);
});

test("`dimensions` equal to the dimensions of a model's answers are accepted, others refused", async () => {
  await using open = await openBefore(yaml("dialect: openai"));
  // rig-core 0.46.0 sends it by default.
  const same = await open.post({ model: "m", input: "a", dimensions: SIZE });
  expect(vectorsOf(same).map(({ length }) => length)).toEqual([SIZE]);
  expect(open.vendor.calls[0]?.body).not.toHaveProperty("dimensions");
  for (const dimensions of [SIZE - 1, SIZE + 1, 1536]) {
    const other = await open.post({ model: "m", input: "b", dimensions });
    expect([other.status, errorOf(other).code, errorOf(other).param]).toEqual([
      400,
      "unsupported_dimensions",
      "dimensions",
    ]);
    expect(errorOf(other).message).toContain(String(SIZE));
  }
  // One call each: a retry would change nothing.
  expect(open.vendor.calls).toHaveLength(4);
});

test.each([
  ["output_dtype", "int8"],
  ["outputDtype", "int8"],
  ["output-dtype", "binary"],
  ["embedding_types", ["int8"]],
  ["truncate_dim", 4],
  ["output_dimension", 4],
  ["normalize", false],
  ["embd_normalize", -1],
  ["precision", "binary"],
])(
  "extra_body cannot have %s sent on unread: what comes would be taken for other numbers",
  async (name, value) => {
    await using open = await openBefore();
    const sent = await open.post({ model: "m", input: "a", extra_body: { [name]: value } });
    expect([sent.status, errorOf(sent).param]).toEqual([400, `extra_body.${name}`]);
    expect(open.vendor.calls).toEqual([]);
  },
);

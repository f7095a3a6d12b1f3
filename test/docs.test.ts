/**
 * The published document is valid, complete and true; its page needs nothing from outside.
 */
import { expect, test } from "bun:test";
import { Validator } from "@seriousme/openapi-schema-validator";
import { Type } from "@sinclair/typebox";
import { Value } from "@sinclair/typebox/value";
import { EmbeddingsRequest } from "../src/dialects/openai-schema";
import { DOCUMENT_SCHEMAS } from "../src/docs/operations";
import { FAKE_YAML, openGateway } from "./gateway";

const Document = Type.Object({
  openapi: Type.String(),
  paths: Type.Record(
    Type.String(),
    Type.Record(
      Type.String(),
      Type.Object({
        summary: Type.String(),
        responses: Type.Record(Type.String(), Type.Unknown()),
        security: Type.Unknown(),
      }),
    ),
  ),
  components: Type.Object({
    schemas: Type.Record(Type.String(), Type.Unknown()),
    securitySchemes: Type.Record(Type.String(), Type.Unknown()),
  }),
});

async function load(path: string): Promise<string> {
  await using open = await openGateway({ yaml: FAKE_YAML });
  const sent = await open.send(path);
  expect(sent.status).toBe(200);
  return sent.text;
}

const document = async () => Value.Parse(Document, JSON.parse(await load("/swagger/json")));

test("the document validates as the OpenAPI that it says it is", async () => {
  const result = await new Validator().validate(JSON.parse(await load("/swagger/json")));
  expect(result).toMatchObject({ valid: true });
});

test("the document has every path, each with its statuses", async () => {
  const { paths } = await document();
  expect(Object.keys(paths).sort()).toEqual([
    "/healthz",
    "/metrics",
    "/readyz",
    "/v1/embeddings",
    "/v1/models",
    "/v1/models/{model}",
  ]);
  const statuses = Object.keys(paths["/v1/embeddings"]?.post?.responses ?? {});
  expect(statuses).toEqual([
    "200",
    "400",
    "401",
    "403",
    "404",
    "405",
    "408",
    "413",
    "415",
    "431",
    "500",
    "502",
    "503",
    "504",
  ]);
  for (const path of Object.values(paths)) expect(Object.keys(path)).toHaveLength(1);
});

test("the document's schemas are the ones that requests are checked with", async () => {
  const { components } = await document();
  expect(components.schemas).toEqual(JSON.parse(JSON.stringify(DOCUMENT_SCHEMAS)));
  expect(components.securitySchemes.bearer).toMatchObject({ type: "http", scheme: "bearer" });
});

test("every example is what its own schema says", () => {
  for (const [name, schema] of Object.entries(DOCUMENT_SCHEMAS)) {
    if (name === "ModelList") continue;
    const examples: unknown = schema.examples;
    if (!Array.isArray(examples)) throw new Error(`${name} has no example`);
    for (const example of examples) expect([name, Value.Check(schema, example)]).toEqual([name, true]);
  }
});

test("null is allowed for every optional field of a request, as clients send it for what they leave unset", () => {
  const { properties } = EmbeddingsRequest;
  const required: readonly string[] = EmbeddingsRequest.required;
  const optional = Object.keys(properties).filter((name) => !required.includes(name));
  expect(optional.length).toBeGreaterThan(4);
  for (const name of optional) {
    const request = { model: "m", input: "a", [name]: null };
    expect([name, Value.Check(EmbeddingsRequest, request)]).toEqual([name, true]);
  }
  for (const name of required)
    expect(Value.Check(EmbeddingsRequest, { model: "m", input: "a", [name]: null })).toBe(false);
});

test("the page loads its script and style from the gateway alone", async () => {
  const page = await load("/swagger");
  const sources = [...page.matchAll(/(?:src|href)="([^"]+)"/g)].map(([, source]) => source);
  expect(sources).toEqual(["/swagger/page.js"]);
  expect(page).not.toContain("https://");
  const script = await load("/swagger/page.js");
  expect(script).toContain("SwaggerUIBundle");
  expect(script).toContain('style.href = "/swagger/page.css"');
  expect(await load("/swagger/page.css")).toContain(".swagger-ui");
});

/**
 * The published OpenAPI document is valid, complete and true; its page needs nothing from outside.
 */
import { expect, test } from "bun:test";
import { Validator } from "@seriousme/openapi-schema-validator";
import { Type } from "@sinclair/typebox";
import { Value } from "@sinclair/typebox/value";
import { RoutingFile } from "../../src/config/schema";
import { embeddingsRequest } from "../../src/dialects/openai-request";
import { DIALECTS } from "../../src/dialects/records";
import { wordingOf } from "../../src/dialects/wording";
import { GatewayError } from "../../src/domain/errors";
import { documentSchemas } from "../../src/door/docs/operations";
import { FAKE_YAML, openGateway } from "../gateway";

const Document = Type.Object({
  openapi: Type.String(),
  paths: Type.Record(
    Type.String(),
    Type.Record(
      Type.String(),
      Type.Object({
        summary: Type.String(),
        responses: Type.Record(Type.String(), Type.Unknown()),
        security: Type.Optional(Type.Array(Type.Unknown())),
      }),
    ),
  ),
  components: Type.Object({
    schemas: Type.Record(Type.String(), Type.Unknown()),
    securitySchemes: Type.Record(Type.String(), Type.Unknown()),
  }),
});

async function load(path: string, yaml = FAKE_YAML): Promise<string> {
  await using open = await openGateway({ yaml });
  const sent = await open.send(path);
  expect(sent.status).toBe(200);
  return sent.text;
}

const document = async () => Value.Parse(Document, JSON.parse(await load("/swagger/json")));

const speaking = (dialect: string) => `${FAKE_YAML}\nserver: { dialect: ${dialect} }`;

test.each(Object.keys(DIALECTS))(
  "the document in %s validates as the OpenAPI that it says it is",
  async (dialect) => {
    const text = await load("/swagger/json", speaking(dialect));
    expect(await new Validator().validate(JSON.parse(text))).toMatchObject({ valid: true });
  },
);

test("the document follows the gateway's dialect, also after a reload", async () => {
  await using open = await openGateway({ yaml: speaking("quantized") });
  const read = async () => Value.Parse(Document, (await open.send("/swagger/json")).json);
  const strict = await read();
  expect(strict.components.schemas.EmbeddingsRequest).toMatchObject({ additionalProperties: false });
  const statuses = Object.keys(strict.paths["/v1/embeddings"]?.post?.responses ?? {});
  expect(statuses).toContain("422");
  expect(statuses).not.toContain("502");
  const config = open.gateway.config();
  open.gateway.reload({ ...config, server: { ...config.server, dialect: "openai" } });
  const usual = await read();
  expect(usual.components.schemas.EmbeddingsRequest).toMatchObject({ additionalProperties: true });
  expect(Object.keys(usual.paths["/v1/embeddings"]?.post?.responses ?? {})).toContain("502");
});

test("the document has every path, each with its status codes", async () => {
  const { paths } = await document();
  expect(Object.keys(paths).sort()).toEqual([
    "/",
    "/admin/notices",
    "/admin/routes",
    "/admin/v1/audit",
    "/admin/v1/gateway",
    "/admin/v1/keys",
    "/admin/v1/keys/{key}",
    "/admin/v1/keys/{key}/rotate",
    "/admin/v1/models",
    "/admin/v1/models/{model}",
    "/admin/v1/notices",
    "/admin/v1/requests",
    "/admin/v1/requests/{request}",
    "/admin/v1/routes",
    "/admin/v1/series",
    "/admin/v1/session",
    "/admin/v1/spaces",
    "/admin/v1/spaces/{space}",
    "/admin/v1/usage",
    "/admin/v1/workspaces",
    "/admin/v1/workspaces/{workspace}",
    "/admin/v1/workspaces/{workspace}/credits",
    "/admin/v1/workspaces/{workspace}/invoices/{month}",
    "/admin/v1/workspaces/{workspace}/rename",
    "/api/embed",
    "/api/embeddings",
    "/api/ps",
    "/api/show",
    "/api/tags",
    "/api/v0/embeddings",
    "/api/v0/models",
    "/api/v0/models/{model}",
    "/api/version",
    "/compatibility/v1/embeddings",
    "/embed",
    "/healthz",
    "/metrics",
    "/model/{model}/invoke",
    "/models/{model}/pipeline/feature-extraction",
    "/openai/deployments/{model}/embeddings",
    "/openai/models",
    "/openai/v1/embeddings",
    "/readyz",
    "/tei/{model}/embed",
    "/tei/{model}/health",
    "/tei/{model}/info",
    "/tei/{model}/tokenize",
    "/tei/{model}/v1/embeddings",
    "/v1/aws-bedrock/embeddings",
    "/v1/batches",
    "/v1/batches/{batch}",
    "/v1/batches/{batch}/cancel",
    "/v1/check-api-key",
    "/v1/embed",
    "/v1/embeddings",
    "/v1/embeddings/models",
    "/v1/files",
    "/v1/files/{file}",
    "/v1/files/{file}/content",
    "/v1/gemini/embeddings",
    "/v1/models",
    "/v1/models/{model}",
    "/v1/projects/{project}/locations/{location}/publishers/google/models/{model}:predict",
    "/v1beta/models",
    "/v1beta/models/{model}",
    "/v1beta/models/{model}:batchEmbedContents",
    "/v1beta/models/{model}:countTokens",
    "/v1beta/models/{model}:embedContent",
    "/v2/embed",
  ]);
  const statuses = Object.keys(paths["/v1/embeddings"]?.post?.responses ?? {});
  expect(statuses).toEqual([
    "200",
    "400",
    "401",
    "402",
    "403",
    "404",
    "405",
    "408",
    "409",
    "413",
    "415",
    "429",
    "431",
    "500",
    "502",
    "503",
    "504",
  ]);
  const methods = new Set(Object.values(paths).map((path) => Object.keys(path).join()));
  expect([...methods].sort()).toEqual([
    "get",
    "get,delete",
    "get,patch,delete",
    "get,post",
    "get,post,put",
    "post",
    "post,get",
    "post,get,delete",
  ]);
});

test("every call that needs a key says that it counts against the rate limit", async () => {
  const { paths } = await document();
  const silent = Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods)
      .filter(([, { security, responses }]) => security?.length !== 0 && !("429" in responses))
      .map(([method]) => `${method} ${path}`),
  );
  expect(silent).toEqual([]);
});

test("the document's schemas are the ones that requests are checked with", async () => {
  const { components } = await document();
  expect(components.schemas).toEqual(JSON.parse(JSON.stringify(documentSchemas(DIALECTS.openai))));
  expect(components.securitySchemes.bearer).toMatchObject({ type: "http", scheme: "bearer" });
});

test.each(Object.entries(DIALECTS))("every example in %s is what its own schema says", (_, policies) => {
  for (const [name, schema] of Object.entries(documentSchemas(policies))) {
    if (name.endsWith("List")) continue;
    const examples: unknown = schema.examples;
    if (!Array.isArray(examples)) throw new Error(`${name} has no example`);
    for (const example of examples) expect([name, Value.Check(schema, example)]).toEqual([name, true]);
  }
});

test.each(Object.entries(DIALECTS))(
  "in %s error codes are listed, and the headers of answers",
  async (dialect, policies) => {
    const { paths, components } = Value.Parse(
      Document,
      JSON.parse(await load("/swagger/json", speaking(dialect))),
    );
    const { code } = Object(components.schemas.ErrorResponse).properties.error.properties;
    for (const kind of ["no_key", "rate_limited", "malformed", "provider_not_configured", "invalid"] as const)
      expect(code.enum).toContain(wordingOf(new GatewayError(kind, ""), policies).code);
    const answers: Record<string, unknown> = paths["/v1/embeddings"]?.post?.responses ?? {};
    const names = (status: string) => Object.keys(Object(answers[status]).headers);
    for (const name of ["x-request-id", "x-embedgate-cache", "x-ratelimit-remaining-tokens"])
      expect(names("200")).toContain(name);
    for (const name of ["x-request-id", "retry-after", "x-ratelimit-reset-requests"])
      expect(names("429")).toContain(name);
  },
);

test("the routing file's schema is served, with every section and every plugin's options", async () => {
  const schema = JSON.parse(await load("/swagger/routing-file.json"));
  expect(schema.$schema).toBe("https://json-schema.org/draft/2020-12/schema");
  expect(Object.keys(schema.properties)).toEqual(Object.keys(RoutingFile.properties));
  const entries: { title?: string; properties: Record<string, object> }[] =
    schema.properties.providers.additionalProperties.anyOf;
  const openai = entries.find(({ title }) => title === "openai");
  expect(Object.keys(openai?.properties ?? {})).toEqual(
    expect.arrayContaining(["plugin", "retries", "base_url"]),
  );
  expect(openai?.properties.retries).toMatchObject({
    anyOf: [
      { type: "integer", maximum: 10 },
      { type: "string", pattern: expect.stringContaining("\\$") },
    ],
  });
});

test("null is allowed for every optional field of a request, as clients send it for unset fields", () => {
  const EmbeddingsRequest = embeddingsRequest(DIALECTS.openai);
  const { properties, required = [] } = EmbeddingsRequest;
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

test.each([
  ["GET", "/swagger/nope", 404],
  ["GET", "/swagger/json/more", 404],
  ["POST", "/swagger", 405],
  ["DELETE", "/swagger/json", 405],
])("%s %s is refused in the envelope", async (method, path, status) => {
  await using open = await openGateway({ yaml: FAKE_YAML });
  const sent = await open.send(path, { method });
  expect(sent).toMatchObject({ status, json: { error: { type: "invalid_request_error" } } });
  expect(sent.headers.get("x-request-id")).toStartWith("req_");
});

test.each([
  ["/"],
  ["/swagger"],
  ["/swagger/json"],
  ["/swagger/page.js"],
  ["/swagger/page.css"],
  ["/swagger/nope"],
  ["/healthz"],
  ["/readyz"],
  ["/metrics"],
  ["/admin/notices"],
  ["/admin/routes"],
  ["/admin/v1/keys"],
  ["/swagger/routing-file.json"],
  ["/v1/models"],
  ["/v1/embeddings"],
  ["/nowhere"],
])("%s is for no other site's page", async (path) => {
  await using open = await openGateway({ yaml: FAKE_YAML });
  for (const method of ["GET", "HEAD"]) {
    const { headers } = await open.send(path, { method });
    expect([
      headers.get("x-content-type-options"),
      headers.get("x-frame-options"),
      headers.get("referrer-policy"),
    ]).toEqual(["nosniff", "DENY", "no-referrer"]);
  }
});

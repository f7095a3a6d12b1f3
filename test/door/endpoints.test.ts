/**
 * A path leads to one endpoint: exact paths before patterns, specific patterns before general ones, and base URLs as people
 * write them lead to the API that they mean.
 */
import { describe, expect, test } from "bun:test";
import { openaiWire } from "../../src/dialects/openai-wire";
import { type Endpoint, endpointsOf } from "../../src/door/endpoints";

const at = (method: "GET" | "POST", path: string, more: Partial<Endpoint> = {}): Endpoint => ({
  method,
  path,
  wire: openaiWire,
  ...more,
});

const inItsQuery = ({ url }: { url: string }) => new URL(url).searchParams.get("endpoint") === "embed";

const endpoints = endpointsOf([
  at("POST", "/v1/embeddings"),
  at("GET", "/v1/models"),
  at("GET", "/v1/models", { when: inItsQuery }),
  at("GET", "/v1/models/{model}"),
  at("POST", "/{version}/models/{model}:embedContent"),
  at("POST", "/tei/{model}"),
  at("POST", "/tei/{model}/embed"),
  at("POST", "/api/embed"),
  at("POST", "/v2/embed"),
  at("POST", "/openai/v1/embeddings"),
  at("GET", "/"),
  at("POST", "/models/{model}/pipeline"),
  { method: "GET", path: "/metrics" },
]);

function ask(method: string, path: string) {
  const found = endpoints.find(new Request(`http://localhost${path}`, { method }));
  if (found === undefined) return undefined;
  if ("allowed" in found) return found.allowed;
  const { endpoint, params } = found;
  return { path: endpoint.path, params, isConditional: endpoint.when !== undefined };
}

const plain = (path: string, params: Record<string, string> = {}) => ({ path, params, isConditional: false });

describe("a path", () => {
  test.each([
    ["GET", "/v1/models/openai/small", plain("/v1/models/{model}", { model: "openai/small" })],
    ["GET", "/v1/models/openai%2Fsmall", plain("/v1/models/{model}", { model: "openai/small" })],
    ["GET", "/v1/models/%zz", plain("/v1/models/{model}", { model: "%zz" })],
    [
      "POST",
      "/v1/models/a/b:embedContent",
      plain("/{version}/models/{model}:embedContent", { version: "v1", model: "a/b" }),
    ],
    [
      "POST",
      "/v1beta/models/a%3AembedContent",
      plain("/{version}/models/{model}:embedContent", { version: "v1beta", model: "a" }),
    ],
    ["POST", "/tei/a/b/embed", plain("/tei/{model}/embed", { model: "a/b" })],
    ["POST", "/tei/a/b", plain("/tei/{model}", { model: "a/b" })],
    ["HEAD", "/v1/models", plain("/v1/models")],
    ["GET", "/v1/models?endpoint=embed", { ...plain("/v1/models"), isConditional: true }],
  ])("%s %s", (method, path, found) => {
    expect(ask(method, path)).toEqual(found);
  });

  test("lists its allowed methods if it has others, and is unknown if it has none", () => {
    expect(ask("GET", "/v1/embeddings")).toEqual(["POST"]);
    expect(ask("GET", "/v1/models/x:embedContent")).toEqual(["POST"]);
    expect(ask("GET", "/tei/x/embed")).toEqual(["POST"]);
    expect(ask("PUT", "/embeddings")).toEqual(["POST"]);
    expect(ask("GET", "/v1/embeddings/")).toEqual(["POST"]);
    expect(ask("GET", "/embeddings")).toEqual(["POST"]);
    expect(ask("POST", "/nowhere")).toBeUndefined();
    expect(ask("POST", "/tei/")).toBeUndefined();
  });
});

describe("a base URL", () => {
  test.each([
    ["/embeddings", "/v1/embeddings"],
    ["/v1/v1/embeddings", "/v1/embeddings"],
    ["//v1/embeddings", "/v1/embeddings"],
    ["/v1//embeddings", "/v1/embeddings"],
    ["/v1/embeddings/", "/v1/embeddings"],
    ["/embeddings/", "/v1/embeddings"],
    ["/api/v1/embeddings", "/v1/embeddings"],
    ["/v1/embeddings/embeddings", "/v1/embeddings"],
    ["/v1/api/embed", "/api/embed"],
    ["/v1/embeddings/api/embed", "/api/embed"],
    ["/v1/embeddings/v1/embeddings", "/v1/embeddings"],
    ["/api/api/embed", "/api/embed"],
    ["/api/embed/api/embed", "/api/embed"],
    ["/v2/v2/embed", "/v2/embed"],
    ["/v2/embed/v2/embed", "/v2/embed"],
    ["/v2/v1/embeddings", "/v1/embeddings"],
    ["/openai/openai/v1/embeddings", "/openai/v1/embeddings"],
    ["/openai/v1/v1/embeddings", "/openai/v1/embeddings"],
    ["/v1beta/openai/embeddings", "/v1/embeddings"],
    ["/inference/v1/embeddings", "/v1/embeddings"],
  ])("POST %s is %s", (path, meant) => {
    expect(ask("POST", path)).toEqual(plain(meant));
  });

  test.each(["/v1beta/v1beta", "/v1beta/v1", "/v1/v1beta"])("%s leads to Google's version", (base) => {
    expect(ask("POST", `${base}/models/x:embedContent`)).toMatchObject({
      path: "/{version}/models/{model}:embedContent",
    });
  });

  test("without a version leads to a model", () => {
    expect(ask("GET", "/models/a/b")).toEqual(plain("/v1/models/{model}", { model: "a/b" }));
    expect(ask("POST", "/v1/models/a/b")).toEqual(["GET"]);
  });

  test("may end in a slash behind a model, too", () => {
    expect(ask("POST", "/tei/a/b/")).toEqual(plain("/tei/{model}", { model: "a/b" }));
    expect(ask("POST", "/tei/a/b//embed/")).toEqual(plain("/tei/{model}/embed", { model: "a/b" }));
  });

  test("leads only to embedding APIs: paths for the operator have one URL", () => {
    expect(ask("GET", "/metrics")).toEqual(plain("/metrics"));
    expect(ask("GET", "/v1/metrics")).toBeUndefined();
    expect(ask("GET", "/metrics/")).toBeUndefined();
  });
});

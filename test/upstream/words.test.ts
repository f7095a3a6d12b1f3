/**
 * A provider's message as text: a page becomes its title, nothing in it moves a cursor, it is short; and which 404 is about a path.
 * Another server's message for an unknown path is a row here.
 */
import { describe, expect, test } from "bun:test";
import { isAboutPath, plainWords } from "../../src/upstream/words";

describe("words", () => {
  test.each([
    [
      "<html>\r\n<head><title>502 Bad Gateway</title></head>\r\n<body>\r\n<center><h1>502 Bad Gateway</h1></center><hr><center>nginx</center></body></html>",
      "502 Bad Gateway",
    ],
    [
      "<!DOCTYPE html><style>b{}</style><body><b>No</b> title &amp; no heading<script>let x;</script></body>",
      "No title & no heading",
    ],
    ["<?xml version='1.0'?>\n<html><h1>Error <i>503</i></h1><p>more</p></html>", "Error 503"],
    [
      "one\u001b[31m red\u0007\u0000 line\r\nand \u202eanother\u2028third",
      "one [31m red line and another third",
    ],
    ["a < b and c > d", "a < b and c > d"],
    ["  ", ""],
  ])("%j is %j", (said, shown) => {
    expect(plainWords(said)).toBe(shown);
  });

  test("two hundred characters at most, and no half of one", () => {
    expect(plainWords("x".repeat(5_000))).toHaveLength(200);
    expect(plainWords(`${"x".repeat(199)}🙂`).isWellFormed()).toBe(true);
  });
});

describe("a 404", () => {
  test.each([
    ["infinity-emb 0.0.78", '{"detail":"Not Found"}'],
    ["Ollama 0.17.4", "404 page not found"],
    ["llama.cpp b11549", "File Not Found"],
    ["Express", "Cannot POST /v1/embeddings"],
    ["OpenAI", "Invalid URL (POST /v1/embed)"],
    ["a gateway before it", "no Route matched with those values"],
    ["a web server's page", "404 Not Found"],
    ["Fastify", '{"message":"Route POST:/v1/embeddings not found","error":"Not Found","statusCode":404}'],
    ["Fastify, by its message", "Route POST:/v1/embeddings not found"],
    [
      "Spring",
      '{"timestamp":"2026-11-28T10:00:00Z","status":404,"error":"Not Found","path":"/v1/embeddings"}',
    ],
    ["Elysia", "NOT_FOUND"],
    [
      "Flask",
      "The requested URL was not found on the server. If you entered the URL manually please check it.",
    ],
    ["Apache", "The requested URL /v1/embeddings was not found on this server."],
    ["Azure's front door", "Resource not found"],
    ["axum (TEI), Envoy, ASP.NET", ""],
    ["LM Studio", "Unexpected endpoint or method. (POST /embeddings)"],
    ["Express, of a path that has the model's name", "Cannot POST /openai/deployments/d/embeddings"],
    ["Spring, of such a path", '{"status":404,"error":"Not Found","path":"/v1/models/m:embedContent"}'],
    ["Spring 6.1", '{"error":"Not Found","message":"No static resource v1/embeddings."}'],
  ])("of %s is about the path", (_, words) => {
    expect(isAboutPath(404, words)).toBe(true);
    expect(isAboutPath(400, words)).toBe(false);
  });

  test.each([
    "The model `x` does not exist or you do not have access to it.",
    'model "x" not found, try pulling it first',
    "Requested entity was not found.",
    "The API deployment for this resource does not exist.",
    "models/x is not found for API version v1beta",
    '{"error":"model x not found"}',
    "Function 'f-1': Not found for account 'a'",
    '{"code":"DeploymentNotFound","message":"Not found"}',
    '{"status":404,"title":"Not Found","detail":"Function \'f-1\': Not found for account \'a\'"}',
  ])("%j may be about the model", (words) => {
    expect(isAboutPath(404, words)).toBe(false);
  });

  test.each([
    ["Not Found", '{"error":{"message":"Not Found","code":"model_not_found"}}', false],
    ["Not Found", '{"error":{"message":"Not Found","param":"model"}}', false],
    ["Not Found", '{"error":{"message":"Not Found","code":null}}', true],
    ["404 Not Found", "<title>404 Not Found</title><p>All our models are on another page.</p>", true],
  ])("%j in %s: what is not shown counts, too, but on a page", (words, body, isPath) => {
    expect(isAboutPath(404, words, body)).toBe(isPath);
  });
});

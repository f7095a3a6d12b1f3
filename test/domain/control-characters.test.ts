/**
 * Names that callers choose contain no control characters, and every allowed name can be sent in a header, so that a paid answer is never lost.
 * test/terminal/table.test.ts has how such characters are printed.
 */
import { describe, expect, test } from "bun:test";
import { vendors } from "../spaces/vendors";

const PATTERN = `
providers: { a: { plugin: openai, base_url: "http://a/v1", retries: 0 } }
space_probe: false
models: { "*": { routes: [ { provider: a } ], dimensions: 8, price: 1 } }
`;

describe("control characters", () => {
  const CASES: readonly (readonly [string, object, string])[] = [
    ["a line break in the model", { model: "m\nn" }, "model"],
    ["an escape in the model", { model: "m\u001b[2J" }, "model"],
    ["a C1 control in the model", { model: "m\u009b" }, "model"],
    ["what turns the model's text around", { model: "m\u202en" }, "model"],
    ["a carriage return in the user", { user: "u\r" }, "user"],
    ["a NUL in the user", { user: "\u0000" }, "user"],
    ["a line break in metadata", { metadata: { run: 1, tag: "x\ny" } }, "metadata.tag"],
    ["a line separator in metadata", { metadata: { tag: "x\u2028y" } }, "metadata.tag"],
    ["an escape in a name of metadata", { metadata: { "t\u001b": "x" } }, "metadata.t\\u001b"],
  ];
  test.each(CASES)("%s: 400 before any call, naming the field", async (_, change, param) => {
    const { open, byHost } = vendors(PATTERN);
    await using gateway = await open();
    const sent = await gateway.post({ model: "m", input: "a\nb", ...change });
    expect(sent.status).toBe(400);
    expect(Object(sent.json).error).toMatchObject({ type: "invalid_request_error", param });
    expect(Object(sent.json).error.message).toMatch(
      /^'[\x20-\x7e]+' contains the control character U\+[0-9A-F]{4}/,
    );
    expect(byHost.a.asked).toEqual([]);
  });

  test.each(["/v1/gemini/embeddings", "/v1/aws-bedrock/embeddings"])("on %s too", async (path) => {
    const { open, byHost } = vendors(PATTERN);
    await using gateway = await open();
    const body = JSON.stringify({ model: "m\n", input: "a" });
    const sent = await gateway.send(path, {
      method: "POST",
      body,
      headers: { "content-type": "application/json" },
    });
    expect([sent.status, Object(sent.json).error.param]).toEqual([400, "model"]);
    expect(byHost.a.asked).toEqual([]);
  });

  const ASKED: readonly (readonly [string, object | undefined, number])[] = [
    ["/v1/models/m%0An", undefined, 400],
    ["/api/v0/models/m%1B[2J", undefined, 400],
    ["/api/show", { model: "m\u202e" }, 400],
    ["/tei/m%0An/info", undefined, 422],
    ["/tei/m%0An/tokenize", { inputs: "a" }, 422],
  ];
  test.each(ASKED)("nor do %s contain them", async (path, body, status) => {
    const { open } = vendors(PATTERN);
    await using gateway = await open();
    const sent = await gateway.send(path, body && { method: "POST", body: JSON.stringify(body) });
    expect([sent.status, sent.text]).toEqual([status, expect.stringContaining("'model' contains")]);
  });

  test("text of any script has none: right-to-left marks, joiners and emoji are accepted", async () => {
    const { open } = vendors(PATTERN);
    await using gateway = await open();
    const metadata = { "שם\u200f": "می\u200cخواهم", team: "👩\u200d💻" };
    expect((await gateway.post({ model: "m", input: "a", user: "é 日本", metadata })).status).toBe(200);
  });
});

describe("a model id in other scripts, under a pattern", () => {
  test.each([
    ["m🦊", "m%F0%9F%A6%8A@8"],
    ["modèle", "mod%C3%A8le@8"],
    ["100%", "100%25@8"],
  ])(
    "%s is answered, paid for once, and its space can be pinned as the header has it",
    async (model, space) => {
      const { open, byHost } = vendors(PATTERN);
      await using gateway = await open();
      const sent = await gateway.post({ model, input: "a" });
      expect([sent.status, sent.headers.get("x-embedding-space")]).toEqual([200, space]);
      expect(Object(sent.json).model).toBe(model);
      const pinned = await gateway.post({ model, input: "a" }, { "x-embedgate-space": space });
      expect(pinned.status).toBe(200);
      const other = await gateway.post({ model: "m", input: "a" }, { "x-embedgate-space": space });
      expect(other.status).toBe(409);
      expect(byHost.a.asked).toHaveLength(2);
      expect(await gateway.gateway.ledger.usage(0, "workspace")).toMatchObject([
        { requests: 3n, failed: 1n },
      ]);
    },
  );
});

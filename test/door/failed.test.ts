/**
 * The log line of a failed request: one for each, whatever the failure, with everything needed to find the request.
 * A further way to fail is a row of CASES.
 */
import { describe, expect, test } from "bun:test";
import { FAKE_YAML, type OpenGateway, openGateway } from "../gateway";

const YAML = `${FAKE_YAML}
  fake-unauthorized: { routes: [ { provider: fake } ] }
  fake-down: { routes: [ { provider: fake } ] }
  fake-nan: { routes: [ { provider: fake } ] }
  fake-missing: { routes: [ { provider: fake } ] }
`.replace("timeout_ms: 1000", "timeout_ms: 1000, retries: 0");

const failedLines = ({ logs }: OpenGateway) => logs.filter(({ message }) => message === "request failed");

describe("a failed request leaves one line with its id, model, workspace, provider, status and code", () => {
  const CASES: readonly (readonly [string, unknown, Record<string, unknown>])[] = [
    [
      "a provider that refuses our key",
      { model: "fake-unauthorized", input: "a" },
      { status: 503, code: "upstream_unavailable", kind: "unauthorized", provider: "fake" },
    ],
    [
      "a provider that is down, asked once",
      { model: "fake-down", input: "a" },
      { status: 503, code: "upstream_unavailable", kind: "unavailable", provider: "fake" },
    ],
    [
      "an answer that is none",
      { model: "fake-nan", input: "a" },
      { status: 502, code: "upstream_malformed", kind: "malformed", provider: "fake" },
    ],
    [
      "a model that the provider does not know",
      { model: "fake-missing", input: "a" },
      { status: 404, code: "model_not_found", kind: "not_found", provider: "fake" },
    ],
    [
      "a model that nobody configured",
      { model: "nobodys", input: "a" },
      { status: 404, code: "model_not_found", kind: "unknown_model" },
    ],
    ["a wrong field", { model: "fake", input: 7 }, { status: 400, code: "invalid", kind: "invalid" }],
  ];
  test.each(CASES)("%s", async (_, body, expected) => {
    await using open = await openGateway({ yaml: YAML });
    const sent = await open.post(body);
    const about = {
      request: sent.headers.get("x-request-id"),
      method: "POST",
      path: "/v1/embeddings",
      workspace: "default",
      reason: expect.any(String),
      latency_ms: expect.any(Number),
      ...expected,
    };
    expect(sent.status).toBe(Number(expected.status));
    expect(failedLines(open)).toEqual([
      {
        level: sent.status > 500 ? "warn" : "info",
        message: "request failed",
        about: expect.objectContaining(about),
      },
    ]);
    // A body that is wrong has not said its model.
    if (expected.kind !== "invalid")
      expect(failedLines(open)[0]?.about).toMatchObject({ model: (body as { model: string }).model });
  });

  test("a caller whose key is invalid, on a path that embeds and on another", async () => {
    await using open = await openGateway({ yaml: YAML });
    await open.gateway.keys.create("k", "team");
    const headers = { authorization: "Bearer eg-wrong" };
    await open.post({ model: "fake", input: "a" }, headers);
    await open.send("/v1/models", { headers });
    await open.send("/nowhere?key=secret");
    const seen = failedLines(open).map(({ about }) => about);
    expect(seen).toMatchObject([
      { path: "/v1/embeddings", status: 401, code: "invalid_api_key" },
      { path: "/v1/models", status: 401, code: "invalid_api_key" },
      { path: "/nowhere", status: 404, code: "unknown_url" },
    ]);
    expect(JSON.stringify(seen)).not.toMatch(/eg-wrong|secret/);
  });

  test("a full queue, with its provider", async () => {
    const released = Promise.withResolvers<void>();
    const yaml = `
providers: { slow: { plugin: openai, api_key: sk-1234567890, concurrency: 1, max_queue: 1 } }
models: { m: { routes: [ { provider: slow, model: text-embedding-3-small } ] } }
space_probe: false
`;
    const fetch = async () => {
      await released.promise;
      return Response.json({ error: { message: "over" } }, { status: 400 });
    };
    await using open = await openGateway({ yaml, outside: { fetch } });
    const sent = ["a", "b", "c", "d", "e"].map((input) => open.post({ model: "m", input }));
    expect((await Promise.race(sent)).status).toBe(503);
    expect(failedLines(open)[0]?.about).toMatchObject({ code: "overloaded", kind: "busy", provider: "slow" });
    released.resolve();
    await Promise.all(sent);
  });

  test("a successful answer leaves none", async () => {
    await using open = await openGateway({ yaml: YAML });
    expect((await open.post({ model: "fake", input: "a" })).status).toBe(200);
    expect(open.logs).toEqual([]);
  });
});

describe("what a provider says about our credentials", () => {
  const SAYS = "Incorrect API key provided: sk-1234";
  const yaml = `
providers:
  vendor: { plugin: openai, api_key: sk-1234567890, retries: 0 }
models: { m: { routes: [ { provider: vendor, model: text-embedding-3-small } ] } }
space_probe: false
`;
  const fetch = async () => Response.json({ error: { message: SAYS } }, { status: 401 });

  test("is in the log only; the caller is told that it is not the caller's key", async () => {
    await using open = await openGateway({ yaml, outside: { fetch } });
    const sent = await open.post({ model: "m", input: "a" });
    expect(sent.status).toBe(503);
    expect(sent.text).toContain("The provider refused the gateway's own credentials or account (401)");
    expect(sent.text).not.toContain("Incorrect");
    expect(failedLines(open)).toMatchObject([
      {
        about: {
          provider: "vendor",
          upstream_status: 401,
          reason: expect.stringContaining("Incorrect API key"),
        },
      },
    ]);
    expect(JSON.stringify(open.logs)).not.toContain("sk-1234");
  });
});

describe("a workspace that may not know the providers", () => {
  const yaml = `
server: { policies: { provider_names: hide, prices: sold, force_provider: admins } }
money: { markup: 1.5 }
providers:
  cheap-upstream-inc: { plugin: openai, api_key: sk-1234567890, retries: 0 }
models: { m: { routes: [ { provider: cheap-upstream-inc, model: text-embedding-3-small } ], price: 0.02 } }
space_probe: false
`;
  const SAYS = "Your Cheap Upstream Inc. project has no such size";
  const answers = { status: 400 };
  const fetch = async () => Response.json({ error: { message: SAYS } }, { status: answers.status });

  test("sees neither names, nor cost, nor messages; the operator does", async () => {
    await using open = await openGateway({ yaml, outside: { fetch } });
    const customer = { authorization: `Bearer ${(await open.gateway.keys.create("c", "customer")).key}` };
    const admin = { authorization: `Bearer ${(await open.gateway.keys.create("a", "own", true)).key}` };
    const asked = { model: "m", input: "a" };
    for (const status of [400, 401, 404, 429, 500]) {
      answers.status = status;
      const sent = await open.post(asked, customer);
      expect(sent.status).toBeGreaterThanOrEqual(400);
      expect(sent.text + JSON.stringify([...sent.headers])).not.toMatch(/cheap/i);
    }
    expect(JSON.stringify(failedLines(open))).toContain(SAYS);
    answers.status = 400;
    expect((await open.post(asked, admin)).text).toContain(SAYS);
    const forced = { "x-embedgate-provider": "cheap-upstream-inc" };
    expect((await open.post(asked, { ...customer, ...forced })).status).toBe(403);
    expect((await open.post(asked, { ...admin, ...forced })).status).toBe(400);
    await open.gateway.workspaces.create("trusted", { policies: { force_provider: "everyone" } }, undefined);
    const trusted = { authorization: `Bearer ${(await open.gateway.keys.create("t", "trusted")).key}` };
    expect((await open.post(asked, { ...trusted, ...forced })).status).toBe(400);
    const listed = async (headers: Record<string, string>) =>
      (await open.send("/v1/models", { headers })).json;
    expect(await listed(customer)).toMatchObject({
      data: [{ owned_by: "embedgate", price_usd_per_million_tokens: 0.03 }],
    });
    expect(await listed(admin)).toMatchObject({
      data: [{ owned_by: "cheap-upstream-inc", price_usd_per_million_tokens: 0.02 }],
    });
  });
});

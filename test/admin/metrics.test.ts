/**
 * /metrics: who may read it, that it adds up to the ledger, and that it contains nothing that a caller chose.
 * A new metric is read here after something that changes it.
 */
import { describe, expect, test } from "bun:test";
import { FAKE_YAML, type OpenGateway, openGateway } from "../gateway";
import { otherModel, TWO, vendors } from "../spaces/vendors";

const YAML = `${FAKE_YAML}
  "team/*": { routes: [ { provider: fake, model: fake } ] }
  fake-nan: { routes: [ { provider: fake } ] }
`;

/** By name and labels, as they are written: `embedgate_requests_total{model="fake",status="200"}`. */
async function samples(
  open: OpenGateway,
  headers: Record<string, string> = {},
): Promise<Map<string, number>> {
  const sent = await open.send("/metrics", { headers });
  expect(sent.status).toBe(200);
  expect(sent.headers.get("content-type")).toStartWith("text/plain");
  const lines = sent.text.split("\n").filter((line) => line !== "" && !line.startsWith("#"));
  return new Map(
    lines.map((line) => {
      const space = line.lastIndexOf(" ");
      return [line.slice(0, space), Number(line.slice(space + 1))];
    }),
  );
}

const sumOf = (all: ReadonlyMap<string, number>, start: string) =>
  [...all].filter(([name]) => name.startsWith(start)).reduce((sum, [, value]) => sum + value, 0);

describe("what is counted", () => {
  test("is by configured model and status; a name that is not configured is 'unknown'", async () => {
    await using open = await openGateway({ yaml: YAML, outside: { sleep: shortOnly, random: () => 0 } });
    await open.post({ model: "fake", input: ["one two", "three"] });
    await open.post({ model: "fake", input: "four" });
    await open.post({ model: "docs", input: "five" });
    await open.post({ model: "team/secret-project", input: "six" });
    await open.post({ model: "made-up-by-a-caller", input: "seven" });
    await open.post({ model: "fake-nan", input: "eight" });
    await open.post("{");
    const all = await samples(open);
    expect(
      Object.fromEntries([...all].filter(([name]) => name.startsWith("embedgate_requests_total"))),
    ).toEqual({
      'embedgate_requests_total{model="fake",status="200",code="none"}': 2,
      'embedgate_requests_total{model="docs",status="200",code="none"}': 1,
      'embedgate_requests_total{model="team/*",status="200",code="none"}': 1,
      'embedgate_requests_total{model="unknown",status="404",code="model_not_found"}': 1,
      'embedgate_requests_total{model="fake-nan",status="502",code="upstream_malformed"}': 1,
      'embedgate_requests_total{model="unknown",status="400",code="invalid"}': 1,
    });
    expect(all.get('embedgate_request_duration_seconds_count{model="fake"}')).toBe(2);
    expect(all.get('embedgate_inputs_total{model="fake"}')).toBe(3);
    const text = (await open.send("/metrics")).text;
    for (const own of ["secret-project", "made-up", "seven"]) expect(text).not.toContain(own);
  });

  test("adds up to what the ledger says", async () => {
    await using open = await openGateway({ yaml: YAML, outside: { sleep: shortOnly, random: () => 0 } });
    for (const model of ["fake", "docs", "fake-nan", "team/a"])
      await open.post({ model, input: ["some words", "some words", "more"] });
    const all = await samples(open);
    const usage = await open.gateway.ledger.usage(0, "model");
    const total = (column: "requests" | "tokens" | "tokens_upstream" | "tokens_billed") =>
      Number(usage.reduce((sum, line) => sum + line[column], 0n));
    const kind = (word: string) =>
      [...all].reduce((sum, [name, value]) => (name.includes(`kind="${word}"`) ? sum + value : sum), 0);
    expect(sumOf(all, "embedgate_requests_total")).toBe(total("requests"));
    expect(kind("shown")).toBe(total("tokens"));
    expect(kind("upstream")).toBe(total("tokens_upstream"));
    expect(kind("billed")).toBe(total("tokens_billed"));
    expect(kind("upstream")).toBeGreaterThan(kind("shown"));
    const femto = (name: string) => Math.round((all.get(name) ?? Number.NaN) * 1e12);
    const cost = usage.reduce((sum, line) => sum + line.cost_pico_usd, 0n);
    expect(cost).toBeGreaterThan(0n);
    expect(femto('embedgate_workspace_cost_usd_total{workspace="default"}')).toBe(Number(cost));
    expect(femto('embedgate_cost_usd_total{model="docs"}')).toBe(Number(cost));
    expect(all.get('embedgate_workspace_requests_total{workspace="default"}')).toBe(total("requests"));
    // An input that occurs twice in a request is fetched once. Without a cache there is no cache miss.
    expect([all.get("embedgate_cache_hits_total"), all.get("embedgate_cache_misses_total")]).toEqual([3, 0]);
  });

  test("has the inputs that a cache missed", async () => {
    await using open = await openGateway({ yaml: `${YAML}cache: {}\n` });
    for (const input of [["a", "b"], ["a"]]) await open.post({ model: "fake", input });
    const all = await samples(open);
    expect([all.get("embedgate_cache_hits_total"), all.get("embedgate_cache_misses_total")]).toEqual([1, 2]);
  });

  test("has a line for each of a hundred workspaces, and one for all others", async () => {
    await using open = await openGateway({ yaml: YAML });
    const { metrics } = open.gateway;
    const row = { model: "fake", status: 200, error: null, latency_ms: 1, inputs: 1, cache_hits: 0 };
    const tokens = { tokens: 1, tokens_upstream: 1, tokens_billed: 1, cost_pico_usd: 5n };
    for (let i = 0; i < 250; i++) metrics.request({ ...row, ...tokens, workspace: `w${i}` });
    metrics.request({ ...row, ...tokens, workspace: "w3" });
    const all = await samples(open);
    const lines = [...all].filter(([name]) => name.startsWith("embedgate_workspace_requests_total"));
    expect(lines).toHaveLength(101);
    expect(all.get('embedgate_workspace_requests_total{workspace="(others)"}')).toBe(150);
    expect(all.get('embedgate_workspace_requests_total{workspace="w3"}')).toBe(2);
    expect(all.get('embedgate_workspace_cost_usd_total{workspace="(others)"}')).toBe(750e-12);
  });

  test("has the size of the database, and when models of the routing file end", async () => {
    const ending = YAML.replace("price: 0.02", 'price: 0.02, end_of_life: "2027-03-01"');
    await using open = await openGateway({ yaml: ending });
    const all = await samples(open);
    expect(all.get("embedgate_database_up")).toBe(1);
    expect(all.get("embedgate_database_size_bytes")).toBeGreaterThan(4_096);
    expect(all.get('embedgate_model_end_of_life_timestamp_seconds{model="fake-8"}')).toBe(
      Date.UTC(2027, 2, 1) / 1_000,
    );
  });

  test("has requests that were refused before their caller was known", async () => {
    await using open = await openGateway({ yaml: `${YAML}server: { max_concurrent_requests: 1 }` });
    const { key } = await open.gateway.keys.create("ops", "team-a", true);
    await open.post({ model: "fake", input: "a" });
    await open.gateway.underWay.end();
    await open.post({ model: "fake", input: "a" });
    const all = await samples(open, { authorization: `Bearer ${key}` });
    expect(all.get('embedgate_requests_total{model="unknown",status="401",code="invalid_api_key"}')).toBe(1);
    expect(all.get('embedgate_requests_total{model="unknown",status="503",code="overloaded"}')).toBe(1);
  });

  test("has calls by provider and outcome, and requests in flight", async () => {
    await using open = await openGateway({ yaml: YAML });
    const { underWay } = open.gateway;
    await open.post({ model: "fake", input: "a" });
    await open.post({ model: "fake-nan", input: "a" });
    const inFlight = await underWay.run(async () => samples(open));
    expect(inFlight.get("embedgate_requests_in_flight")).toBe(1);
    expect(inFlight.get('embedgate_upstream_calls_total{provider="fake",outcome="ok"}')).toBe(1);
    expect(inFlight.get('embedgate_upstream_calls_total{provider="fake",outcome="malformed"}')).toBe(3);
    expect((await samples(open)).get("embedgate_requests_in_flight")).toBe(0);
  });

  test("has each provider's health: latency, circuit breakers, calls in flight and waiting", async () => {
    const answer = Promise.withResolvers<void>();
    const fetch = async () => {
      await answer.promise;
      return new Response("down", { status: 500 });
    };
    const yaml = `
providers:
  dead: { plugin: openai, api_key: sk-1234567890, retries: 0, concurrency: 1 }
  idle: { plugin: openai, api_key: sk-1234567890 }
models: { m: { routes: [ { provider: dead, model: text-embedding-3-small } ] } }
space_probe: false
`;
    await using open = await openGateway({ yaml, outside: { fetch } });
    const of = (all: ReadonlyMap<string, number>, name: string, labels: string) =>
      all.get(`embedgate_${name}{${labels}}`);
    const sent = Array.from({ length: 6 }, (_, i) => open.post({ model: "m", input: `text ${i}` }));
    while (of(await samples(open), "upstream_queue", 'provider="dead",lane="interactive"') !== 5)
      await Bun.sleep(1);
    expect(of(await samples(open), "upstream_calls_in_flight", 'provider="dead"')).toBe(1);
    answer.resolve();
    await Promise.all(sent);
    const all = await samples(open);
    expect(of(all, "upstream_queue", 'provider="dead",lane="interactive"')).toBe(0);
    expect(of(all, "upstream_calls_in_flight", 'provider="dead"')).toBe(0);
    expect(of(all, "circuit_breakers_open", 'provider="dead"')).toBe(1);
    expect(of(all, "circuit_breakers_open", 'provider="idle"')).toBe(0);
    const calls = sumOf(all, "embedgate_upstream_calls_total");
    expect(calls).toBeGreaterThanOrEqual(5);
    expect(of(all, "upstream_duration_seconds_count", 'provider="dead"')).toBe(calls);
  });

  test("has the resource use of the processes, and the version", async () => {
    await using open = await openGateway({ yaml: YAML });
    const all = await samples(open);
    expect(sumOf(all, "embedgate_build_info")).toBe(1);
    for (const name of ["cpu_seconds_total", "resident_memory_bytes", "start_time_seconds"])
      expect(all.get(`process_${name}`)).toBeGreaterThan(0);
    expect(all.get("process_start_time_seconds")).toBeLessThanOrEqual(Date.now() / 1000);
  });

  test("has the routes that are out of service, by provider", async () => {
    const { open, byHost, quiet } = vendors(TWO);
    byHost.b.vectorOf = otherModel;
    await using gateway = await open();
    await quiet();
    const gauges = [...(await samples(gateway))].filter(([name]) => name.includes("out_of_service"));
    expect(gauges).toEqual([['embedgate_space_out_of_service{provider="b"}', 1]]);
  });

  test("is separate for each gateway", async () => {
    await using one = await openGateway({ yaml: YAML });
    await using other = await openGateway({ yaml: YAML });
    await one.post({ model: "fake", input: "a" });
    expect(sumOf(await samples(other), "embedgate_requests_total")).toBe(0);
  });
});

describe("who may read it", () => {
  test("anybody on this machine while no key exists, but no web page", async () => {
    await using open = await openGateway({ yaml: YAML });
    expect((await open.send("/metrics")).status).toBe(200);
    expect((await open.send("/metrics", { headers: { origin: "http://evil.example" } })).status).toBe(403);
    expect((await open.send("/metrics", { method: "POST" })).status).toBe(405);
  });

  test("an admin's key once keys exist; another valid key is told that it must be an admin's", async () => {
    await using open = await openGateway({ yaml: YAML });
    const { keys } = open.gateway;
    const plain = await keys.create("app", "team-a");
    const admin = await keys.create("ops", "team-a", true);
    const status = async (key?: string) => {
      const headers = key === undefined ? undefined : { authorization: `Bearer ${key}` };
      const sent = await open.send("/metrics", headers ? { headers } : {});
      return sent.status;
    };
    expect([
      await status(),
      await status("eg-wrong"),
      await status(plain.key),
      await status(admin.key),
    ]).toEqual([401, 401, 403, 200]);
    const refused = await open.send("/metrics", { headers: { authorization: `Bearer ${plain.key}` } });
    expect(refused.json).toMatchObject({ error: { code: "forbidden" } });
    expect(
      (await open.post({ model: "fake", input: "a" }, { authorization: `Bearer ${admin.key}` })).status,
    ).toBe(200);
    const text = (await open.send("/metrics", { headers: { authorization: `Bearer ${admin.key}` } })).text;
    for (const own of [admin.key, admin.id]) expect(text).not.toContain(own);
    const rotated = await keys.rotate(admin.id, 0);
    expect([rotated.admin, await status(admin.key), await status(rotated.key)]).toEqual([true, 401, 200]);
    await keys.revoke(admin.id);
    expect(await status(rotated.key)).toBe(401);
    expect(keys.list().map(({ name, admin: isAdmin }) => [name, isAdmin])).toEqual(
      expect.arrayContaining([
        ["app", false],
        ["ops", true],
      ]),
    );
  });

  test("any key if the routing file requires none", async () => {
    await using open = await openGateway({ yaml: `${YAML}auth: { mode: open }` });
    const { key } = await open.gateway.keys.create("app", "team-a");
    expect((await open.send("/metrics", { headers: { authorization: `Bearer ${key}` } })).status).toBe(200);
  });
});

/** Pauses between attempts end at once; a deadline never comes. */
function shortOnly(ms: number): Promise<void> {
  return ms < 1_000 ? Promise.resolve() : new Promise<void>(() => undefined);
}

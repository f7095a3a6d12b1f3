/**
 * Requests that are refused before anything was done for them: what is kept, how many rows they take, and that sums count each of them.
 * ledger.test.ts has requests that got further.
 */
import { Database } from "bun:sqlite";
import { describe, expect, test } from "bun:test";
import { join } from "node:path";
import { FAKE_YAML, type OpenGateway, openGateway } from "../gateway";
import { onSqliteAlone } from "../stores/on-postgres";

const YAML = `${FAKE_YAML}
  one: { routes: [ { provider: fake, model: fake } ], price: 1 }
  fake/*: { routes: [ { provider: fake, model: "fake-*" } ] }
`;

interface Row {
  readonly [column: string]: unknown;
}

function rowsOf(open: OpenGateway): Row[] {
  using database = new Database(join(open.folder, "data/embedgate.db"), { readonly: true });
  return database.query<Row, []>("SELECT * FROM ledger ORDER BY rowid").all();
}

function pagesOf(open: OpenGateway): number {
  using database = new Database(join(open.folder, "data/embedgate.db"), { readonly: true });
  return database.query<{ page_count: number }, []>("PRAGMA page_count").get()?.page_count ?? 0;
}

/** For a workspace without credits that may use only the model \`one\`. */
async function pennilessKey(open: OpenGateway, requestsPerMinute: number | null = null) {
  const settings = { models: ["one"], requests_per_minute: requestsPerMinute };
  await open.gateway.workspaces.create("team", settings, 0n);
  const { id, key } = await open.gateway.keys.create("ci", "team");
  return { id, headers: { authorization: `Bearer ${key}` } };
}

const BULKY = Object.fromEntries(Array.from({ length: 20 }, (_, i) => [`key ${i}`, "m".repeat(4_000)]));

describe("refused requests", () => {
  test("keep their outcome and nothing that their caller wrote: equal ones of a minute are one row with a count", async () => {
    const now = Date.UTC(2027, 0, 1, 12, 0, 30);
    await using open = await openGateway({ readsFile: true, yaml: YAML, outside: { now: () => now } });
    const { id, headers } = await pennilessKey(open);
    for (let i = 0; i < 5; i++) {
      const said = { input: "two words", user: `u ${i}`, metadata: BULKY };
      expect((await open.post({ model: "one", ...said }, headers)).status).toBe(402);
      expect((await open.post({ model: `none-${i}`, ...said }, headers)).status).toBe(404);
      expect((await open.post({ model: `fake/${i}`, ...said }, headers)).status).toBe(404);
    }
    const outcome = {
      workspace: "team",
      key_id: id,
      user: null,
      metadata: null,
      provider: null,
      cost_pico_usd: 0,
    };
    expect(rowsOf(open)).toMatchObject([
      { ...outcome, model: "one", status: 402, error: "insufficient_credit", refusals: 5, inputs: 5 },
      { ...outcome, model: "", status: 404, error: "model_not_found", refusals: 5 },
      { ...outcome, model: "fake/*", status: 404, error: "model_not_found", refusals: 5 },
    ]);
  });

  test("do not let the database grow, however many they are", async () => {
    await using open = await openGateway({
      readsFile: true,
      yaml: YAML,
      outside: { now: () => Date.UTC(2027, 0, 1, 12) },
    });
    const { headers } = await pennilessKey(open, 20);
    const ask = (i: number) => open.post({ model: `none-${i}`, input: "a", metadata: BULKY }, headers);
    await Promise.all(Array.from({ length: 30 }, (_, i) => ask(i)));
    const before = pagesOf(open);
    await Promise.all(Array.from({ length: 200 }, (_, i) => ask(i)));
    expect(pagesOf(open)).toBe(before);
    expect(new Map(rowsOf(open).map(({ status, refusals }) => [status, refusals]))).toEqual(
      new Map([
        [404, 20],
        [429, 210],
      ]),
    );
  });

  test("have another row in another minute, for another key, and for another outcome", async () => {
    let now = Date.UTC(2027, 0, 1, 12, 0, 59);
    await using open = await openGateway({ readsFile: true, yaml: YAML, outside: { now: () => now } });
    const { headers } = await pennilessKey(open);
    const { key } = await open.gateway.keys.create("other", "team");
    const ask = (authorization: string) => open.post({ model: "none", input: "a" }, { authorization });
    await ask(headers.authorization);
    await ask(`Bearer ${key}`);
    now += 1_000;
    await ask(headers.authorization);
    await open.post("{", headers);
    expect(rowsOf(open).map(({ refusals, status }) => [status, refusals])).toEqual([
      [404, 1],
      [404, 1],
      [404, 1],
      [400, 1],
    ]);
  });

  test("are each counted in usage and in /metrics", async () => {
    await using open = await openGateway({ readsFile: true, yaml: YAML });
    for (let i = 0; i < 7; i++) await open.post({ model: "one", input: ["a", "b"], unheard_of: 1 });
    await open.post({ model: "one", input: "a" });
    expect(await open.gateway.ledger.usage(0, "model")).toMatchObject([
      { group: "one", requests: 8n, failed: 7n, inputs: 15n },
    ]);
    expect(await open.gateway.metrics.text()).toContain(
      'embedgate_requests_total{model="one",status="400",code="invalid"} 7',
    );
  });

  const LOCKED = "locks SQLite's file; stores/postgres.test.ts has servers that do not answer";
  test.skipIf(onSqliteAlone(LOCKED))("that could not be written are counted once they can be", async () => {
    await using open = await openGateway({
      readsFile: true,
      yaml: YAML,
      outside: { sleep: async () => {}, monotonic: advancing() },
    });
    using other = new Database(join(open.folder, "data/embedgate.db"));
    other.run("BEGIN IMMEDIATE");
    for (let i = 0; i < 3; i++)
      expect((await open.post({ model: "none", input: "a", user: "u" })).status).toBe(503);
    other.run("ROLLBACK");
    expect((await open.post({ model: "one", input: "a" })).status).toBe(200);
    expect(rowsOf(open)).toMatchObject([
      { status: 503, error: "database_unavailable", refusals: 3, user: null },
      { status: 200, refusals: null },
    ]);
  });
});

test("a request that fails after a call keeps its user and metadata, unless they are large", async () => {
  await using open = await openGateway({
    readsFile: true,
    yaml: `${YAML}  fake-down: { routes: [ { provider: fake } ] }\n`,
  });
  const ask = (metadata: object | undefined) =>
    open.post({ model: "fake-down", input: "a", user: "u", metadata });
  for (const metadata of [{ run: 7 }, BULKY, undefined]) expect((await ask(metadata)).status).toBe(503);
  expect(rowsOf(open)).toMatchObject([
    { status: 503, user: "u", metadata: '{"run":7}', refusals: null },
    { status: 503, user: null, metadata: null, refusals: null },
    { status: 503, user: "u", metadata: null, refusals: null },
  ]);
});

describe("a request limit", () => {
  test.each([
    ["a body that is no JSON", "{"],
    ["a model that does not exist", { model: "none", input: "a" }],
    ["a model that cannot be paid for", { model: "one", input: "a" }],
    ["an empty input", { model: "one", input: "" }],
  ])("is used up by %s too", async (_, body) => {
    await using open = await openGateway({ readsFile: true, yaml: YAML, outside: { monotonic: () => 0 } });
    const { headers } = await pennilessKey(open, 2);
    const statuses = [];
    for (let i = 0; i < 3; i++) statuses.push((await open.post(body, headers)).status);
    expect(statuses.map((status) => status === 429)).toEqual([false, false, true]);
  });

  test("refuses before the body is read, and counts the list of models too", async () => {
    await using open = await openGateway({ readsFile: true, yaml: YAML, outside: { monotonic: () => 0 } });
    const { headers } = await pennilessKey(open, 1);
    expect((await open.send("/v1/models", { headers })).status).toBe(200);
    expect((await open.send("/v1/models/none", { headers })).status).toBe(429);
    const body = new ReadableStream<Uint8Array>();
    expect((await open.send("/v1/embeddings", { method: "POST", headers, body })).status).toBe(429);
  });

  test.each(["/metrics", "/admin/notices", "/admin/routes"])(
    "is used up by %s, which is not theirs, too",
    async (path) => {
      await using open = await openGateway({ readsFile: true, yaml: YAML, outside: { monotonic: () => 0 } });
      const { headers } = await pennilessKey(open, 1);
      expect((await open.send(path, { headers })).status).toBe(403);
      expect((await open.send(path, { headers })).status).toBe(429);
      expect((await open.send("/v1/models", { headers })).status).toBe(429);
      const { key } = await open.gateway.keys.create("ops", "team", true);
      expect((await open.send(path, { headers: { authorization: `Bearer ${key}` } })).status).toBe(200);
    },
  );

  test("is applied before a token limit, whose refusal gives nothing back", async () => {
    await using open = await openGateway({ readsFile: true, yaml: YAML, outside: { monotonic: () => 0 } });
    const settings = { requests_per_minute: 3, tokens_per_minute: 4 };
    await open.gateway.workspaces.create("team", settings, null);
    const { key } = await open.gateway.keys.create("ci", "team");
    const ask = () =>
      open.post({ model: "one", input: "a b c d e f g h" }, { authorization: `Bearer ${key}` });
    const remaining = [];
    for (let i = 0; i < 3; i++) remaining.push((await ask()).headers.get("x-ratelimit-remaining-requests"));
    expect(remaining).toEqual(["2", "1", "0"]);
  });
});

test("a read-only ledger counts what others refused", async () => {
  await using open = await openGateway({ readsFile: true, yaml: YAML });
  for (let i = 0; i < 3; i++) await open.post("{");
  const ledger = (await open.beside()).openLedger();
  expect(await ledger.usage(0, "workspace")).toMatchObject([{ requests: 3n, failed: 3n, inputs: 0n }]);
});

/** A clock that advances one second per reading, so that waiting for a lock ends without waiting. */
function advancing(): () => number {
  let now = 0;
  return () => {
    now += 1_000;
    return now;
  };
}

/**
 * The ledger: one row for each request with a known caller, committed before the answer, with sums exact to the pico-USD.
 */
import { Database } from "bun:sqlite";
import { describe, expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { picoUsdPerToken, usdOf } from "../../src/books/money";
import { openStore } from "../../src/db/open";
import { realOutside } from "../../src/network/real-outside";
import { FAKE_YAML, type OpenGateway, openGateway } from "../gateway";
import { ON_POSTGRES, onSqliteAlone } from "../stores/on-postgres";
import { query } from "../stores/query";

const LOCKED = "locks SQLite's file; stores/postgres.test.ts has servers that do not answer";

interface Row {
  readonly [column: string]: unknown;
}

function rowsOf(open: OpenGateway): Row[] {
  const database = new Database(join(open.folder, "data/embedgate.db"), { readonly: true });
  const rows = database.query<Row, []>("SELECT * FROM ledger ORDER BY rowid").all();
  database.close();
  return rows;
}

const PRICED = `${FAKE_YAML}
  dear: { routes: [ { provider: fake, model: fake } ], price: 0.13 }
  fake-nan: { routes: [ { provider: fake } ], price: 0.13 }
`;

describe("a row", () => {
  test("says who, when, what, where, how much, and how the tokens were counted", async () => {
    let monotonic = 0;
    const outside = { now: () => 1_790_000_000_000, monotonic: () => monotonic++ };
    await using open = await openGateway({ readsFile: true, yaml: PRICED, outside });
    const { id, key } = await open.gateway.keys.create("ci", "team-a");
    const sent = await open.post(
      {
        model: "dear",
        input: ["two words", "three more words"],
        user: "u-1",
        metadata: { run: 7, tag: "x" },
      },
      { authorization: `Bearer ${key}` },
    );
    expect(rowsOf(open)).toEqual([
      {
        request_id: sent.headers.get("x-request-id"),
        started_at: 1_790_000_000_000,
        workspace: "team-a",
        key_id: id,
        model: "dear",
        provider: "fake",
        inputs: 2,
        cache_hits: 0,
        tokens: 5,
        tokens_upstream: 5,
        tokens_abandoned: 0,
        tokens_billed: 5,
        tokens_source: "provider",
        status: 200,
        error: null,
        kind: null,
        upstream_status: null,
        upstream_pico_usd: 650_000,
        tokens_cached: 0,
        saved_pico_usd: 0,
        calls_made: 1,
        calls: expect.stringMatching(/^\[\["fake","fake",2,"ok",\d+,\d+,5,"provider"\]\]$/),
        by_provider: null,
        batch: null,
        latency_ms: expect.any(Number),
        cost_pico_usd: 650_000,
        micro_credits: 1,
        micro_credits_held: 0,
        micro_credits_taken: 0,
        micro_credits_short: 0,
        femto_credits_rounded: 350_000_000,
        pico_usd_held: 0,
        user: "u-1",
        // On a server each gateway has a name.
        process: ON_POSTGRES ? expect.any(String) : null,
        refusals: null,
        metadata: '{"run":7,"tag":"x"}',
      },
    ]);
  });

  test("is committed before the answer: another process reads it before the body is read", async () => {
    await using open = await openGateway({ yaml: FAKE_YAML });
    const response = await open.gateway.door.handle(
      new Request("http://localhost/v1/embeddings", {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: JSON.stringify({ model: "fake", input: "a" }),
      }),
    );
    expect(await query(open.folder, "SELECT * FROM ledger")).toHaveLength(1);
    await response.text();
  });

  test("of a failure has its status and error, and neither tokens nor cost", async () => {
    await using open = await openGateway({ readsFile: true, yaml: PRICED, outside: { random: () => 0 } });
    await open.post({ model: "fake-nan", input: "a" });
    await open.post({ model: "nope", input: "a" });
    await open.post("{");
    expect(rowsOf(open)).toMatchObject([
      {
        model: "fake-nan",
        provider: "fake",
        status: 502,
        error: "upstream_malformed",
        tokens: 0,
        cost_pico_usd: 0,
      },
      { model: "", provider: null, status: 404, error: "model_not_found", tokens: 0 },
      { model: "", provider: null, status: 400, error: "invalid", inputs: 0 },
    ]);
  });

  test("exists for a client that disconnected too, as 499", async () => {
    await using open = await openGateway({
      readsFile: true,
      yaml: `${FAKE_YAML}\n  fake-stuck: { routes: [ { provider: fake } ] }`,
    });
    const gone = new AbortController();
    const sent = open.send("/v1/embeddings", {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ model: "fake-stuck", input: "a" }),
      signal: gone.signal,
    });
    gone.abort();
    await sent;
    expect(rowsOf(open)).toMatchObject([{ status: 499, error: "client_closed_request" }]);
  });

  test.skipIf(onSqliteAlone(LOCKED))(
    "that cannot be written makes the answer a 503: an answer without a row would be a lost token",
    async () => {
      await using open = await openGateway({
        readsFile: true,
        yaml: FAKE_YAML,
        outside: { monotonic: advancing(), sleep: shortOnly },
      });
      const other = new Database(join(open.folder, "data/embedgate.db"));
      other.run("BEGIN IMMEDIATE");
      const sent = await open.post({ model: "fake", input: "a" });
      expect(sent.status).toBe(503);
      expect(sent.json).toMatchObject({
        error: { code: "database_unavailable", message: "The database is locked by another process." },
      });
      other.run("ROLLBACK");
      other.close();
      expect((await open.post({ model: "fake", input: "a" })).status).toBe(200);
      // The refused request's row was owed, and was written with the next.
      expect(
        rowsOf(open)
          .map(({ status }) => status)
          .sort(),
      ).toEqual([200, 503]);
    },
  );

  test.skipIf(onSqliteAlone(LOCKED))(
    "of a failure that cannot be written is written once it can be, with the answer that was given instead",
    async () => {
      await using open = await openGateway({
        readsFile: true,
        yaml: FAKE_YAML,
        outside: { monotonic: advancing(), sleep: shortOnly },
      });
      const other = new Database(join(open.folder, "data/embedgate.db"));
      other.run("BEGIN IMMEDIATE");
      const sent = await open.post({ model: "fake", input: "" });
      expect(sent.json).toMatchObject({ error: { code: "database_unavailable" } });
      other.run("ROLLBACK");
      other.close();
      expect((await open.post({ model: "fake", input: "a" })).status).toBe(200);
      expect(rowsOf(open)).toMatchObject([{ status: 503, error: "database_unavailable" }, { status: 200 }]);
    },
  );

  test("counts upstream what providers counted, also for unusable answers", async () => {
    await using open = await openGateway({
      readsFile: true,
      yaml: PRICED,
      outside: { sleep: shortOnly, random: () => 0 },
    });
    await open.post({ model: "fake-nan", input: "three words here" });
    expect(rowsOf(open)).toMatchObject([
      { status: 502, tokens: 0, tokens_upstream: 9, tokens_billed: 0, cost_pico_usd: 0 },
    ]);
  });

  const BY_OTHERS =
    "begins anew as the gateway that crashed; on a server other gateways do that (stores/drills.test.ts)";
  test.skipIf(onSqliteAlone(BY_OTHERS))(
    "is begun before the first call, and says interrupted after a crash",
    async () => {
      const yaml = `${FAKE_YAML}\n  fake-stuck: { routes: [ { provider: fake } ] }`;
      await using open = await openGateway({ readsFile: true, yaml });
      const gone = new AbortController();
      const sent = open.send("/v1/embeddings", {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: JSON.stringify({ model: "fake-stuck", input: "sixteen letters!" }),
        signal: gone.signal,
      });
      while (rowsOf(open).length === 0) await new Promise(setImmediate);
      expect(rowsOf(open)).toMatchObject([{ status: 0, error: null, tokens_upstream: 4 }]);
      // What a gateway does when it starts on the database of one that was killed.
      expect(await open.gateway.ledger.settleInterrupted()).toBe(1);
      expect(rowsOf(open)).toMatchObject([
        { status: 0, error: "interrupted", tokens_source: "estimated", tokens_upstream: 4, tokens_billed: 0 },
      ]);
      // It was alive after all: its own result counts.
      gone.abort();
      await sent;
      expect(rowsOf(open)).toMatchObject([
        { status: 499, error: "client_closed_request", tokens_upstream: 4, tokens_source: "estimated" },
      ]);
    },
  );
});

/** A clock that advances one second per reading, so that waiting for a lock ends without waiting. */
function advancing(): () => number {
  let now = 0;
  return () => {
    now += 1_000;
    return now;
  };
}

/** Pauses between attempts end at once; a deadline never comes. */
const shortOnly = (ms: number) => (ms < 1_000 ? Promise.resolve() : new Promise<void>(() => undefined));

describe("usage", () => {
  test("sums by model, workspace, key and UTC day, from a given time on", async () => {
    let now = Date.UTC(2026, 0, 1, 23, 59);
    await using open = await openGateway({ readsFile: true, yaml: PRICED, outside: { now: () => now } });
    const { id, key } = await open.gateway.keys.create("ci", "team-a");
    const headers = { authorization: `Bearer ${key}` };
    await open.post({ model: "dear", input: "one two three" }, headers);
    now += 120_000;
    await open.post({ model: "dear", input: "four" }, headers);
    await open.post({ model: "docs", input: "five six" }, headers);
    const { ledger } = open.gateway;
    expect(
      (await ledger.usage(0, "model")).map(({ group, tokens, cost_pico_usd }) => [
        group,
        tokens,
        cost_pico_usd,
      ]),
    ).toEqual([
      ["dear", 4n, 520_000n],
      ["docs", 2n, 40_000n],
    ]);
    expect((await ledger.usage(0, "day")).map(({ group, requests }) => [group, requests])).toEqual([
      ["2026-01-01", 1n],
      ["2026-01-02", 2n],
    ]);
    expect(await ledger.usage(0, "workspace")).toMatchObject([
      { group: "team-a", requests: 3n, failed: 0n, inputs: 3n },
    ]);
    expect(await ledger.usage(0, "key")).toMatchObject([{ group: id, requests: 3n }]);
    expect(await ledger.usage(now, "key")).toMatchObject([{ requests: 2n }]);
  });
});

describe("money", () => {
  test.each([
    [0.02, 20_000n],
    [0.13, 130_000n],
    [0.07, 70_000n],
    [1e-7, 1n],
    [0.0000001, 1n],
    [0.1234567, 123_457n],
    [4, 4_000_000n],
    [0, 0n],
  ])("%p USD per million tokens is %p pico-USD a token", (price, expected) => {
    expect(picoUsdPerToken(price)).toBe(expected);
  });

  test("every price with at most six decimals is exact", () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 5_000_000 }), (millionths) => {
        expect(picoUsdPerToken(millionths / 1e6)).toBe(BigInt(millionths));
      }),
    );
  });

  test.each([
    [0n, "0"],
    [20_000n, "0.00000002"],
    [1n, "0.000000000001"],
    [1_500_000_000_000n, "1.5"],
    [123_000_000_000_000n, "123"],
  ])("%p pico-USD is printed as %s USD", (pico, text) => expect(usdOf(pico)).toBe(text));
});

describe.skipIf(onSqliteAlone("is about its file"))("the database", () => {
  const inFolder = async (work: (path: string) => Promise<void>) => {
    const folder = mkdtempSync(join(tmpdir(), "embedgate-db-"));
    try {
      await work(join(folder, "a/b/embedgate.db"));
    } finally {
      rmSync(folder, { recursive: true });
    }
  };

  test("is created with its folders, in WAL mode, and opened again unchanged", () =>
    inFolder(async (path) => {
      (await openStore(path, realOutside)).close();
      const again = await openStore(path, realOutside);
      expect(again.database.query("PRAGMA journal_mode").get()).toEqual({ journal_mode: "wal" });
      expect(again.database.query("PRAGMA user_version").get()).toEqual({ user_version: 24n });
      again.close();
    }));

  test("of a newer version is not touched", () =>
    inFolder(async (path) => {
      const store = await openStore(path, realOutside);
      store.database.run("PRAGMA user_version = 99");
      store.close();
      await expect(openStore(path, realOutside)).rejects.toThrow("newer embedgate (schema version 99");
    }));

  test("a file that is not a database is refused with its path", () =>
    inFolder(async (path) => {
      (await openStore(path, realOutside)).close();
      await Bun.write(
        path,
        "this is a text file, and quite a long one, long enough to be read as a header by SQLite.".repeat(20),
      );
      await expect(openStore(path, realOutside)).rejects.toThrow(path);
    }));

  test("two processes that open it at once create one set of tables", () =>
    inFolder(async (path) => {
      const stores = await Promise.all([
        openStore(path, realOutside),
        openStore(path, realOutside),
        openStore(path, realOutside),
      ]);
      for (const store of stores) store.close();
    }));
});

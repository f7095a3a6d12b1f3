/**
 * Part of the one suite for every database: reading the ledger. A new promise of src/stores/stores.ts is a test in one of these
 * files; a separate file has what only one database has.
 */
import { describe, expect, test } from "bun:test";
import { KINDS } from "./databases";
import { holdingOf, NOON, rowOf, underWay } from "./rows";

const DEFAULTS = () => ({});

for (const { name, isThere, make } of KINDS) {
  describe.skipIf(!isThere)(name, () => {
    test("refusals of a minute are one row that counts them", async () => {
      await using database = make();
      const stores = await database.open({ now: () => NOON });
      const ledger = stores.openLedger(null, (model) => (model === "known" ? "known" : undefined));
      const refused = { status: 429, error: "rate_limit_exceeded", tokens_upstream: 0, inputs: 2 };
      for (const model of ["known", "known", "odd", "other"])
        await ledger.settle(rowOf(0, { ...refused, model }));
      const found = await stores.openRequests().list({ since: 0, code: "rate_limit_exceeded" }, 10);
      expect(found.map((row) => [row.model, row.refusals, row.inputs]).sort()).toEqual([
        ["", 2n, 4n],
        ["known", 2n, 4n],
      ]);
      expect(await ledger.usage(0, "model")).toMatchObject([
        { group: "", requests: 2n, failed: 2n },
        { group: "known", requests: 2n, failed: 2n },
      ]);
    });

    test("usage is summed by every group, and by metadata at any depth", async () => {
      await using database = make();
      const stores = await database.open({ now: () => NOON });
      const ledger = stores.openLedger();
      const settle = async (own: Parameters<typeof rowOf>[1]) => {
        const row = rowOf(3, own);
        await ledger.begin(underWay(row), holdingOf({ least: 1, most: 5 }));
        await ledger.settle(row);
      };
      await settle({ metadata: '{"team":"red","n":1,"ok":true,"in":{"deep":["x","y"]},"a.b":"flat"}' });
      await settle({ metadata: '{"team":"blue","in":{"deep":"x"}}', model: "other" });
      await settle({
        metadata: null,
        by_provider: '[["first",1,1000000],["second",2,2000000]]',
        provider: "first, second",
      });
      const count = async (key: string, value: string) =>
        (await ledger.usage(0, "workspace", { metadata: new Map([[key, value]]) }))[0]?.requests ?? 0n;
      for (const [key, value, expected] of [
        ["team", "red", 1n],
        ["n", "1", 1n],
        ["ok", "true", 1n],
        ["in.deep", "x", 2n],
        ["in.deep[1]", "y", 1n],
        ["a.b", "flat", 1n],
        ["team", "green", 0n],
        ['odd"key', "x", 0n],
      ] as const)
        expect([key, value, await count(key, value)]).toEqual([key, value, expected]);
      const byProvider = await ledger.usage(0, ["provider", "model"]);
      expect(byProvider.map((line) => [...line.groups, line.requests, line.tokens_upstream])).toEqual([
        ["fake", "model", 1n, 3n],
        ["fake", "other", 1n, 3n],
        ["first", "model", 1n, 1n],
        ["second", "model", 0n, 2n],
      ]);
      for (const group of ["key", "day", "status", "code"] as const)
        expect((await ledger.usage(0, group)).reduce((sum, line) => sum + line.requests, 0n)).toBe(3n);
      expect((await ledger.usage(0, "day"))[0]?.group).toBe("2026-11-28");
    });

    test("history and invoice add up to the balance", async () => {
      await using database = make();
      const clock = { now: NOON };
      const stores = await database.open({ now: () => clock.now });
      const workspaces = stores.openWorkspaces(DEFAULTS);
      const ledger = stores.openLedger();
      await workspaces.create("team", {}, 100n);
      for (const cost of [7, 8]) {
        clock.now += 1_000;
        const row = rowOf(cost, { started_at: clock.now });
        await ledger.begin(underWay(row), holdingOf({ least: 1, most: 20 }));
        await ledger.settle(row);
        clock.now += 1_000;
        await workspaces.grant("team", 5n, "more");
      }
      const statements = stores.openStatements();
      expect(
        (await statements.history("team")).map((line) => [line.kind, line.change, line.balance]),
      ).toEqual([
        ["grant", 100n, 100n],
        ["requests", -7n, 93n],
        ["grant", 5n, 98n],
        ["requests", -8n, 90n],
        ["grant", 5n, 95n],
      ]);
      const { lines, total } = await statements.invoice("team", "2026-11", ["day", "model"]);
      expect(lines).toEqual([
        {
          day: "2026-11-28",
          model: "model",
          requests: 2n,
          tokens_billed: 15n,
          price: 1_000_000n,
          cost_pico_usd: 15_000_000n,
          micro_credits: 15n,
        },
      ]);
      expect(total.micro_credits).toBe(15n);
    });

    test("requests are found by their properties, the latest first", async () => {
      await using database = make();
      const stores = await database.open({ now: () => NOON });
      const ledger = stores.openLedger();
      const rows = [
        rowOf(1),
        rowOf(1, { provider: "one, two", started_at: NOON + 1 }),
        rowOf(1, { status: 503, error: "upstream_unavailable", upstream_status: 500, started_at: NOON + 2 }),
      ];
      for (const row of rows) {
        await ledger.begin(underWay(row), holdingOf({ least: 1, most: 1 }));
        await ledger.settle(row);
      }
      const requests = stores.openRequests();
      const ids = async (filter: object) =>
        (await requests.list({ since: 0, ...filter }, 10)).map(({ request_id }) => request_id);
      const [first = "", second = "", third = ""] = rows.map(({ request_id }) => request_id);
      expect(await ids({})).toEqual([third, second, first]);
      expect(await ids({ provider: "two" })).toEqual([second]);
      expect(await ids({ statuses: { from: 500, to: 599 } })).toEqual([third]);
      expect(await ids({ workspace: "team", model: "model", code: "" })).toEqual([second, first]);
      expect((await requests.show(third))?.upstream_status).toBe(500n);
      expect(await requests.show("req_none")).toBeUndefined();
      expect(await requests.refusedWith("req_none")).toEqual([]);
    });

    test("sums over time are split by group, and add up to usage", async () => {
      await using database = make();
      const stores = await database.open({ now: () => NOON });
      const ledger = stores.openLedger();
      const settle = async (own: Parameters<typeof rowOf>[1]) => {
        const row = rowOf(3, own);
        await ledger.begin(underWay(row), holdingOf({ least: 1, most: 5 }));
        await ledger.settle(row);
      };
      await settle({ metadata: '{"team":"red"}', latency_ms: 12 });
      await settle({ started_at: NOON + 3_600_000, model: "other", tokens_cached: 2, saved_pico_usd: 7n });
      await settle({ by_provider: '[["first",1,1000000],["second",2,2000000]]', provider: "first, second" });
      await settle({ status: 502, error: "upstream_malformed", kind: "malformed" });
      const asked = { unit: "hour", since: NOON, until: NOON + 7_200_000, top: 5 } as const;
      const series = stores.openSeries();
      const byModel = await series.over({ ...asked, by: ["model"] });
      expect(byModel.times).toEqual([NOON, NOON + 3_600_000]);
      expect(
        byModel.groups.map(({ names, total, points }) => [
          names,
          total.requests,
          points.map((one) => one.requests),
        ]),
      ).toEqual([
        [["model"], 3n, [3n, 0n]],
        [["other"], 1n, [0n, 1n]],
      ]);
      expect(byModel.total).toMatchObject({
        requests: 4n,
        failed: 1n,
        tokens: 12n,
        tokens_upstream: 12n,
        tokens_cached: 2n,
        saved_pico_usd: 7n,
        cost_pico_usd: 12_000_000n,
        micro_credits: 12n,
      });
      expect(byModel.groups[0]?.errors).toEqual([
        { kind: "malformed", code: "upstream_malformed", status: 502, requests: 1 },
      ]);
      const byProvider = await series.over({ ...asked, by: ["provider"] });
      expect(
        byProvider.groups.map(({ names, total }) => [names[0], total.requests, total.tokens_upstream]),
      ).toEqual([
        ["fake", 3n, 9n],
        ["first", 1n, 1n],
        ["second", 0n, 2n],
      ]);
      const byTeam = await series.over({ ...asked, by: ["metadata"], metadata_key: "team" });
      expect(byTeam.groups.map(({ names, total }) => [names[0], total.requests])).toEqual([
        ["", 3n],
        ["red", 1n],
      ]);
      const { lines } = await series.usage({
        ...asked,
        by: ["model"],
        workspace: undefined,
        metadata: new Map(),
      });
      expect(lines.map(({ group, requests }) => [group, requests])).toEqual([
        ["model", 3n],
        ["other", 1n],
      ]);
      expect(await stores.size()).toBeGreaterThan(0);
    });

    test("requests are read page by page, and a single one with its story", async () => {
      await using database = make();
      const stores = await database.open({ now: () => NOON });
      const ledger = stores.openLedger();
      const rows = Array.from({ length: 5 }, (_, i) =>
        rowOf(1, {
          started_at: NOON + Math.floor(i / 2),
          calls_made: 2,
          key_id: i === 0 ? "key_2" : "key_1",
          workspace: i === 0 ? "other" : "team",
        }),
      );
      for (const row of rows) {
        await ledger.begin(underWay(row), holdingOf({ least: 1, most: 1 }));
        await ledger.settle(row);
      }
      const pages = stores.openRequestPages();
      const seen: string[] = [];
      let cursor: string | undefined;
      do {
        const page = await pages.page({ metadata: new Map(), most: 2, cursor });
        seen.push(...page.rows.map(({ request_id }) => request_id));
        cursor = page.next;
      } while (cursor !== undefined);
      expect(seen).toEqual(rows.map(({ request_id }) => request_id).reverse());
      const only = await pages.page({
        metadata: new Map(),
        most: 9,
        key_id: "key_2",
        statuses: { from: 500, to: 599, isNot: true },
      });
      expect(only.rows.map(({ request_id }) => request_id)).toEqual([rows[0]?.request_id ?? ""]);
      const others = await pages.page({ metadata: new Map(), most: 9, not_workspace: rows[1]?.workspace });
      expect(others.rows.map(({ request_id }) => request_id)).toEqual([rows[0]?.request_id ?? ""]);
      await expect(pages.page({ metadata: new Map(), most: 1, cursor: "none" })).rejects.toMatchObject({
        kind: "invalid",
      });
      expect(await pages.story(rows[1]?.request_id ?? "")).toMatchObject({
        callsMade: 2,
        shares: [{ provider: "fake", tokens: 1 }],
      });
      expect(await pages.story("req_none")).toBeUndefined();
    });

    test("each change leaves an entry in the audit trail, whoever made it", async () => {
      await using database = make();
      const stores = await database.open({ now: () => NOON });
      const workspaces = stores.openWorkspaces(() => ({}));
      const keys = stores.openKeys();
      await workspaces.create("team", { models: ["a"] }, 5n, "key_boss");
      await workspaces.set("team", { models: null });
      await workspaces.grant("team", 2n, "more", "key_boss");
      const { id } = await keys.create("ci", "team", false, "key_boss");
      await keys.rotate(id, 1_000);
      await keys.revoke(id);
      await stores.openWorkspaceNames().rename("team", "crew");
      const entries = await stores.openAudit().list({ most: 10 });
      expect(entries.map(({ actor, action, target }) => [actor, action, target]).reverse()).toEqual([
        ["key_boss", "workspaces.create", "team"],
        ["command line", "workspaces.set", "team"],
        ["key_boss", "credits.change", "team"],
        ["key_boss", "keys.create", id],
        ["command line", "keys.rotate", id],
        ["command line", "keys.revoke", id],
        ["command line", "workspaces.rename", "team"],
      ]);
      expect(entries.at(-2)).toMatchObject({ at: NOON, before: { models: ["a"] }, after: { models: null } });
      expect(entries.at(-3)).toMatchObject({
        before: { credits: "0.000005" },
        after: { credits: "0.000007", note: "more" },
      });
      expect(
        await stores.openAudit().list({ most: 1, target: id, before: entries[0]?.id ?? 0 }),
      ).toHaveLength(1);
    });

    test("a session is valid as long as the key that it started with", async () => {
      await using database = make();
      const stores = await database.open({ now: () => NOON });
      const keys = stores.openKeys();
      const sessions = stores.openSessions();
      const { key, id } = await keys.create("boss", "default", true);
      const asked = (headers: Record<string, string>) =>
        new Request("http://localhost/admin/v1/session", { headers });
      const { secret } = await sessions.begin(asked({ authorization: `Bearer ${key}` }), id);
      const withCookie = asked({ cookie: `embedgate_session=${secret}` });
      expect(await sessions.of(withCookie)).toMatchObject({ keyId: id, workspace: "default" });
      const other = await sessions.begin(asked({ authorization: `Bearer ${key}` }), id);
      expect(await sessions.end(asked({ cookie: `embedgate_session=${other.secret}` }), id)).toBe(true);
      expect(await sessions.of(asked({ cookie: `embedgate_session=${other.secret}` }))).toBeUndefined();
      await keys.revoke(id);
      expect(await sessions.of(withCookie)).toBeUndefined();
    });

    test("text that a database cannot store is kept as far as possible", async () => {
      await using database = make();
      const stores = await database.open({ now: () => NOON });
      const ledger = stores.openLedger();
      const row = rowOf(1, {
        user: "a\0b\ud800",
        model: "m\0",
        metadata: JSON.stringify({ "k\0": "v\ud800", "back\\u0000slash": "\\" }),
      });
      await ledger.begin(underWay(row), holdingOf({ least: 1, most: 1 }));
      await ledger.settle(row);
      expect((await stores.openRequests().show(row.request_id))?.status).toBe(200n);
      expect(
        await ledger.usage(0, "workspace", { metadata: new Map([["back\\u0000slash", "\\"]]) }),
      ).toHaveLength(1);
    });
  });
}

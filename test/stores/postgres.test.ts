/** What only PostgreSQL promises: several machines, their clocks, and connections that are lost and come back. */
import { describe, expect, test } from "bun:test";
import type { Ledger } from "../../src/books/ledger";
import { realOutside } from "../../src/network/real-outside";
import { addressOf } from "../../src/stores/postgres/address";
import type { Connection } from "../../src/stores/postgres/connection";
import { UNIQUE_VIOLATION } from "../../src/stores/postgres/holding";
import { openHosts } from "../../src/stores/postgres/hosts";
import { MIGRATIONS } from "../../src/stores/postgres/migrations";
import { FAKE_YAML, openGateway } from "../gateway";
import { aroundQueries } from "./around-queries";
import { POSTGRES_URL, postgresDatabase, wayToPostgres } from "./databases";
import { holdingOf, rowOf, underWay } from "./rows";

const DEFAULTS = () => ({});
const REQUESTS = 100;
/** Of writes, whose acknowledgement is lost; and how many requests end between two cuts. */
const LOST_EVERY = 5;
const DONE_BETWEEN_CUTS = 3;

/** Changes of another machine are known here within a second. */
async function within(ms: number, isSo: () => boolean): Promise<boolean> {
  const endsAt = performance.now() + ms;
  while (!isSo() && performance.now() < endsAt) await Bun.sleep(5);
  return isSo();
}

/** @param isLost asked once a statement is done: its answer is lost with the connection */
const losing = (isLost: (text: string) => Promise<boolean>) =>
  aroundQueries(async ({ text }, ask) => {
    const rows = await ask();
    if (!(await isLost(text))) return rows;
    throw Object.assign(new Error("Connection closed"), { code: "ERR_POSTGRES_CONNECTION_CLOSED" });
  });

describe.skipIf(POSTGRES_URL === undefined)("PostgreSQL", () => {
  test("what one machine changes, the others know within a second", async () => {
    await using database = postgresDatabase();
    const [here, there] = [await database.open(), await database.open()];
    const [keys, others] = [here.openKeys(), there.openKeys()];
    const made = await keys.create("ci", "team");
    expect(await within(1_000, () => others.find(made.key) !== undefined)).toBe(true);
    await keys.revoke(made.id);
    expect(await within(1_000, () => others.find(made.key) === undefined)).toBe(true);
    await here.openWorkspaces(DEFAULTS).create("team", { requests_per_minute: 3 }, null);
    const workspaces = there.openWorkspaces(DEFAULTS);
    expect(await within(1_000, () => workspaces.rules("team").requestsPerMinute === 3)).toBe(true);
    await here.openWorkspaceNames().rename("team", "crew");
    expect(await within(1_000, () => workspaces.exists("crew") && !workspaces.exists("team"))).toBe(true);
  });

  test("changes are polled if LISTEN is not possible, and everything is read again after a gap", async () => {
    await using database = postgresDatabase();
    const here = await database.open();
    const there = await database.open({}, { serves: undefined });
    const keys = there.openKeys();
    const made = await here.openKeys().create("ci", "team");
    expect(await within(1_000, () => keys.find(made.key) !== undefined)).toBe(true);
    await database.ask("UPDATE @keys SET revoked_at = 1; DELETE FROM @changes".split(";")[0] ?? "");
    await database.ask("DELETE FROM @changes");
    expect(await within(1_000, () => keys.find(made.key) === undefined)).toBe(true);
  });

  test("no answer comes from memory that is older than a second", async () => {
    await using database = postgresDatabase();
    let late = 0;
    const stores = await database.open({ monotonic: () => performance.now() + late });
    const keys = stores.openKeys();
    const { key, id } = await keys.create("ci", "team");
    expect(keys.ready?.()).toBeUndefined();
    // As if the process had been stopped for a minute.
    late = 60_000;
    expect(() => keys.find(key)).toThrow("cannot be reached");
    await database.ask("UPDATE @keys SET revoked_at = 1 WHERE id = $1", [id]);
    await keys.ready?.();
    expect(await within(1_000, () => keys.find(key) === undefined)).toBe(true);
  });

  test("a machine that was declared dead loses its rows once, finds itself fenced, and charges nothing", async () => {
    await using database = postgresDatabase();
    let fenced = 0;
    const serves = {
      process: "stopped",
      fenced() {
        fenced += 1;
      },
    };
    const [stopped, other] = [await database.open({}, { serves }), await database.open()];
    await other.openWorkspaces(DEFAULTS).create("team", {}, 100n);
    const [ledger, others] = [stopped.openLedger(), other.openLedger()];
    const row = rowOf(5);
    await ledger.begin(underWay(row), holdingOf({ least: 1, most: 30 }));
    // Only the database's clock counts.
    await database.ask("UPDATE @instances SET beat_at = now() - interval '31 seconds' WHERE id = 'stopped'");
    const counts = await Promise.all([others.settleInterrupted("stopped"), others.settleInterrupted()]);
    expect(counts.reduce((sum, one) => sum + one, 0)).toBe(1);
    expect(await other.openWorkspaces(DEFAULTS).show("team")).toMatchObject({ micro_credits_held: 0n });
    await expect(ledger.settle(row)).rejects.toMatchObject({ kind: "ledger_unavailable" });
    await expect(ledger.begin(underWay(rowOf(1)), holdingOf({ least: 1, most: 1 }))).rejects.toMatchObject({
      kind: "ledger_unavailable",
    });
    expect(fenced).toBe(1);
    expect(await other.openWorkspaces(DEFAULTS).show("team")).toMatchObject({ micro_credits: 100n });
    expect(await other.openRequests().show(row.request_id)).toMatchObject({ error: "interrupted" });
  });

  test("a request that failed without knowing whether it was begun is settled, and holds nothing", async () => {
    await using database = postgresDatabase();
    const [begins, ends] = [await database.open(), await database.open()];
    await begins.openWorkspaces(DEFAULTS).create("team", {}, 100n);
    const row = rowOf(5);
    await begins.openLedger().begin(underWay(row), holdingOf({ least: 1, most: 30 }));
    // As the process itself would, if the acknowledgement was lost.
    await ends.openLedger().settle({
      ...underWay(row),
      status: 504,
      error: "upstream_timeout",
      tokens: 0,
      tokens_upstream: 0,
      tokens_billed: 0,
    });
    expect(await begins.openRequests().show(row.request_id)).toMatchObject({ error: "upstream_timeout" });
    expect(await begins.openWorkspaces(DEFAULTS).show("team")).toMatchObject({
      micro_credits: 100n,
      micro_credits_held: 0n,
    });
  });

  test("days follow the database's clock, whatever a machine's clock says", async () => {
    await using database = postgresDatabase();
    const hourOff = await database.open({ now: () => Date.now() + 3_600_000 }, { clock: undefined });
    const ledger = hourOff.openLedger();
    const row = rowOf(1, { started_at: Date.now() + 3_600_000 });
    await ledger.begin(underWay(row), holdingOf({ least: 1, most: 1 }));
    await ledger.settle(row);
    const [found] = await database.ask<{ off: bigint; day: string; today: string }>(
      `SELECT abs(started_at - (extract(epoch FROM now()) * 1000)::bigint) AS off, spent_on AS day,
         to_char(now() AT TIME ZONE 'UTC', 'YYYY-MM-DD') AS today FROM @ledger`,
    );
    expect(Number(found?.off)).toBeLessThan(60_000);
    expect(found?.day).toBe(found?.today ?? "");
  });

  test("a commit whose acknowledgement was lost is found by its id, and not repeated", async () => {
    await using database = postgresDatabase();
    let written = 0;
    let lost = 0;
    const postgres = losing(async (text) => {
      if (!/(?:INSERT INTO|UPDATE) @?\S*ledger/.test(text)) return false;
      written += 1;
      if (written % LOST_EVERY !== 0) return false;
      lost += 1;
      return true;
    });
    const stores = await database.open({ postgres });
    await stores.openWorkspaces(DEFAULTS).create("team", {}, 1_000n);
    const ledger = stores.openLedger();
    let isOver = false;
    let done = 0;
    let cut = 0;
    // Not by the clock: however busy the machine is, something is done between two cuts.
    const cutting = (async () => {
      while (!isOver) {
        const before = done;
        if (!(await within(60_000, () => isOver || done >= before + DONE_BETWEEN_CUTS))) return;
        const ended = await database.ask(
          `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'embedgate'
             AND query LIKE '%' || $1 || '%' AND pid <> pg_backend_pid()`,
          [database.config.schema],
        );
        cut += ended.length;
      }
    })();
    const outcomes = await Promise.all(
      Array.from({ length: REQUESTS }, async (_, i) => {
        await Bun.sleep(i * 5);
        const row = rowOf(1);
        try {
          await ledger.begin(underWay(row), holdingOf({ least: 1, most: 1 }));
          return await ledger.settle(row);
        } catch (thrown) {
          ledger.owe({
            ...row,
            status: 503,
            error: "ledger_unavailable",
            cost_pico_usd: 0n,
            cost_femto_credits: 0n,
          });
          return thrown;
        } finally {
          done += 1;
        }
      }),
    );
    isOver = true;
    await cutting;
    await ledger.close();
    const answered = outcomes.filter((one) => !(one instanceof Error));
    expect([lost >= 5, cut >= 2, answered.length >= REQUESTS / 2]).toEqual([true, true, true]);
    const [sums] = await database.ask<{ left: bigint; held: bigint; rows: bigint; charged: bigint }>(
      `SELECT micro_credits AS left, micro_credits_held AS held, (SELECT count(*) FROM @ledger) AS rows,
         (SELECT count(*) FROM @ledger WHERE micro_credits_taken = 1) AS charged FROM @workspaces WHERE name = 'team'`,
    );
    expect(sums).toEqual({
      left: 1_000n - BigInt(answered.length),
      held: 0n,
      rows: BigInt(REQUESTS),
      charged: BigInt(answered.length),
    });
  }, 60_000);

  test("a refusal whose acknowledgement was lost is counted once, though others are counted into its row meanwhile", async () => {
    await using database = postgresDatabase();
    const other = (await database.open()).openLedger();
    const refused = { status: 429, error: "rate_limit_exceeded", tokens_upstream: 0 };
    const refuse = (ledger: Ledger) => ledger.settle(rowOf(0, refused));
    let lost = 0;
    const postgres = losing(async (text) => {
      if (!text.includes("refusals") || !text.includes("INSERT") || lost > 1) return false;
      lost += 1;
      await refuse(other);
      return true;
    });
    const here = (await database.open({ postgres })).openLedger();
    await refuse(here);
    await refuse(here);
    expect(lost).toBe(2);
    const rows = await database.ask<{ refusals: bigint }>("SELECT refusals FROM @ledger");
    // Another minute may have begun meanwhile.
    expect(rows.reduce((sum, { refusals }) => sum + refusals, 0n)).toBe(4n);
    await Promise.all([here.close(), other.close()]);
    expect(await database.ask("SELECT 1 FROM @refusals_counted")).toEqual([]);
  });

  test("a server that is down or does not answer is reported as such, never as a wrong key", async () => {
    using way = wayToPostgres();
    await using database = postgresDatabase();
    const logs: string[] = [];
    const stores = await database.open(
      { log: (_, message) => void logs.push(message) },
      { serves: { process: null, fenced: () => undefined }, url: way.url },
    );
    const { key } = await stores.openKeys().create("ci", "team");
    const ledger = stores.openLedger();
    const begin = () => ledger.begin(underWay(rowOf(1)), holdingOf({ least: 1, most: 1 }));
    expect(await begin()).toBe(true);
    for (const how of ["cut", "frozen"] as const) {
      way.be(how);
      const startedAt = performance.now();
      await expect(begin()).rejects.toMatchObject({ kind: "ledger_unavailable", retryAfterMs: 1_000 });
      // Two seconds, not the five that a statement may take: a busy machine adds some.
      expect(performance.now() - startedAt).toBeLessThan(4_500);
      await within(2_000, () => stores.openKeys().ready?.() !== undefined);
      expect(() => stores.openKeys().find(key)).toThrow("keys cannot be checked");
      expect(() => stores.check()).toThrow();
      way.be("open");
      expect(await within(10_000, () => stores.openKeys().ready?.() === undefined)).toBe(true);
      expect(stores.openKeys().find(key)).toBeDefined();
      expect(await begin()).toBe(true);
    }
    const times = (words: string) => logs.filter((message) => message === words).length;
    // A connection that is opened as the server comes back may fail once more: then both are told once more.
    expect(times("PostgreSQL cannot be reached")).toBeGreaterThanOrEqual(2);
    expect(times("PostgreSQL answers again")).toBe(times("PostgreSQL cannot be reached"));
  }, 60_000);

  test("a name that leads elsewhere after a failover is followed, to several hosts, too", async () => {
    using before = wayToPostgres("127.0.0.2");
    const { port } = new URL(before.url);
    using after = wayToPostgres("127.0.0.3", Number(port));
    let leadsTo = "127.0.0.2";
    const addressesOf = async () => [leadsTo];
    await using database = postgresDatabase();
    const url = new URL(before.url);
    url.hostname = "database.internal";
    const several = url.href.replace("database.internal", "127.0.0.1:1,database.internal");
    for (const address of [url.href, several]) {
      leadsTo = "127.0.0.2";
      before.be("open");
      after.be("cut");
      const stores = await database.open(
        { addressesOf },
        { serves: { process: null, fenced: () => undefined }, url: address },
      );
      const ledger = stores.openLedger();
      const begin = () => ledger.begin(underWay(rowOf(1)), holdingOf({ least: 1, most: 1 }));
      expect(await begin()).toBe(true);
      before.be("cut");
      await expect(begin()).rejects.toMatchObject({ kind: "ledger_unavailable" });
      leadsTo = "127.0.0.3";
      after.be("open");
      expect(await begin()).toBe(true);
      // What is changed elsewhere is heard of again.
      const made = await (await database.open()).openKeys().create("ci", "team");
      expect(await within(2_000, () => stores.openKeys().ready?.() === undefined)).toBe(true);
      expect(await within(1_000, () => stores.openKeys().find(made.key) !== undefined)).toBe(true);
      await stores.close();
    }
  }, 60_000);

  test("works that are sent at once are one transaction: one that is refused undoes all, and is the cause", async () => {
    await using database = postgresDatabase();
    await database.open();
    const connection = await openHosts(addressOf(database.config), realOutside)();
    const put = (id: number) => async (on: Connection) => {
      await on.query("INSERT INTO @tokens_taken (id, since) VALUES ($1, 1)", [id]);
    };
    const count = () => database.ask<{ count: bigint }>("SELECT count(*) AS count FROM @tokens_taken");
    // The table allows only the value 1, and only once.
    await expect(connection.pipeline([put(1), put(2), put(1)])).rejects.toMatchObject({
      errno: "23514",
    });
    expect(await count()).toEqual([{ count: 0n }]);
    await connection.pipeline([put(1)]);
    await expect(connection.pipeline([put(1), put(2)])).rejects.toMatchObject({ errno: UNIQUE_VIOLATION });
    expect([await count(), connection.isLost()]).toEqual([[{ count: 1n }], false]);
    connection.close();
  });

  test("a PgBouncer that is taken for PostgreSQL is told what to set", async () => {
    await using database = postgresDatabase();
    const refusal = Object.assign(new Error("unsupported startup parameter: statement_timeout"), {
      errno: "08P01",
    });
    const postgres = () => ({ reserve: () => Promise.reject(refusal), close: () => Promise.resolve() });
    await expect(database.open({ postgres })).rejects.toThrow("set postgres.prepare: false");
  });

  test("two that open a new database at once make its tables once", async () => {
    await using database = postgresDatabase(POSTGRES_URL, { isNew: true });
    const opened = await Promise.all([database.open(), database.open(), database.open()]);
    expect(await opened[0]?.openWorkspaces(DEFAULTS).list()).toEqual([]);
    expect(await database.ask<{ version: number }>("SELECT version FROM @migrations ORDER BY 1")).toEqual(
      MIGRATIONS.map((_, i) => ({ version: i + 1 })),
    );
  });

  test("a start that is held up for longer than keys may be old asks for them once more", async () => {
    await using database = postgresDatabase();
    let now = 0;
    await using open = await openGateway({
      yaml: `${FAKE_YAML}${database.yaml}`,
      outside: {
        monotonic: () => now,
        log(_, message) {
          if (message === "maximum number of connections to PostgreSQL") now += 5_000;
        },
      },
    });
    expect(open.gateway.asks()).toBe(false);
  });

  test("a gateway that is closed twice has left once", async () => {
    await using database = postgresDatabase();
    await using open = await openGateway({ yaml: `${FAKE_YAML}${database.yaml}` });
    await open.gateway.close();
    expect(await database.ask("SELECT id FROM @instances")).toEqual([]);
  });

  test("gateways with different routing files report it", async () => {
    await using database = postgresDatabase();
    const instances = [await database.open(), await database.open()];
    for (const [i, { machines }] of instances.entries()) machines?.serving(`file-${i}`);
    const said = () => instances.map(({ machines }) => machines?.notices().length);
    expect(await within(12_000, () => said().every((count) => count === 1))).toBe(true);
    expect(instances[0]?.machines?.notices()[0]).toContain("use different routing files");
  }, 30_000);
});

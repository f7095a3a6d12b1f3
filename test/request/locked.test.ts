/** A request's deadline holds while another process locks the database, at whatever step the request is. */
import { Database } from "bun:sqlite";
import { describe, expect, test } from "bun:test";
import { join } from "node:path";
import { type FakeOutside, fakeOutside } from "../fake-outside";
import { type OpenGateway, openGateway } from "../gateway";

const DEADLINE_MS = 1_000;
const YAML = `server: { deadline_ms: ${DEADLINE_MS} }
space_probe: false
cache: false
providers: { wire: { plugin: openai, base_url: "http://upstream/v1", retries: 0 } }
models: { m: { routes: [ { provider: wire } ], price: 1, dimensions: 2 } }
`;

interface Stage {
  readonly clock: FakeOutside;
  readonly open: OpenGateway;
  /** @returns a function that releases it */
  lock(): () => void;
  /** Called when the provider is called. */
  onCall: () => void;
  statuses(): unknown[];
}

async function stage(callTakesMs = 10): Promise<Stage> {
  const clock = fakeOutside();
  const ready: Stage = {
    clock,
    open: await openGateway({
      readsFile: true,
      yaml: YAML,
      outside: {
        ...clock.outside,
        fetch: async () => {
          ready.onCall();
          await clock.outside.sleep(callTakesMs);
          return Response.json({ data: [{ index: 0, embedding: [0.6, 0.8] }], usage: { prompt_tokens: 1 } });
        },
      },
    }),
    lock() {
      const other = new Database(join(ready.open.folder, "data/embedgate.db"));
      other.run("BEGIN IMMEDIATE");
      return () => {
        other.run("ROLLBACK");
        other.close();
      };
    },
    onCall: () => undefined,
    statuses() {
      const database = new Database(join(ready.open.folder, "data/embedgate.db"), { readonly: true });
      const rows = database.query<{ status: number }, []>("SELECT status FROM ledger ORDER BY rowid").all();
      database.close();
      return rows.map(({ status }) => status);
    },
  };
  return ready;
}

async function ask({ open, clock }: Stage, input = "a") {
  const began = clock.outside.monotonic();
  const { status, json } = await clock.until(open.post({ model: "m", input }));
  return { status, code: Object(json).error?.code, tookMs: clock.outside.monotonic() - began };
}

describe("a locked database", () => {
  test("before the first call", async () => {
    const ready = await stage();
    await using _open = ready.open;
    const unlock = ready.lock();
    const { status, code, tookMs } = await ask(ready);
    expect([status, code]).toEqual([503, "database_unavailable"]);
    expect(tookMs).toBeWithin(DEADLINE_MS - 10, DEADLINE_MS + 5);
    unlock();
    expect((await ask(ready)).status).toBe(200);
    expect(ready.statuses().sort()).toEqual([200, 503]);
  });

  test("after the answer", async () => {
    const ready = await stage(400);
    await using _open = ready.open;
    let unlock = () => {};
    ready.onCall = () => {
      unlock = ready.lock();
    };
    const { status, code, tookMs } = await ask(ready);
    expect([status, code]).toEqual([503, "database_unavailable"]);
    expect(tookMs).toBeWithin(DEADLINE_MS - 10, DEADLINE_MS + 5);
    unlock();
    ready.onCall = () => undefined;
    expect((await ask(ready)).status).toBe(200);
    // The row that was begun is the one that is settled.
    expect(ready.statuses()).toEqual([503, 200]);
  });

  test("at the deadline itself", async () => {
    const ready = await stage(5_000);
    await using _open = ready.open;
    let unlock = () => {};
    ready.onCall = () => {
      unlock = ready.lock();
    };
    const { status, tookMs } = await ask(ready);
    expect(status).toBe(503);
    expect(tookMs).toBeWithin(DEADLINE_MS, DEADLINE_MS + 5);
    unlock();
  });

  test("with rows owed from before: no request waits for them longer than for its own", async () => {
    const ready = await stage();
    await using _open = ready.open;
    const unlock = ready.lock();
    await ask(ready, "a");
    for (const input of ["b", "c"])
      expect((await ask(ready, input)).tookMs).toBeWithin(DEADLINE_MS - 10, DEADLINE_MS + 10);
    unlock();
    expect((await ask(ready)).status).toBe(200);
    // Refusals of one kind are one row.
    expect(ready.statuses().sort()).toEqual([200, 503]);
  });

  test("for part of the time is waited for", async () => {
    const ready = await stage();
    await using _open = ready.open;
    const unlock = ready.lock();
    const sent = ready.open.post({ model: "m", input: "a" });
    await ready.clock.advance(DEADLINE_MS / 2);
    unlock();
    expect((await ready.clock.until(sent)).status).toBe(200);
    expect(ready.statuses()).toEqual([200]);
  });
});

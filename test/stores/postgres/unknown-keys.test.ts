/** A key that another machine has just created is asked for before it is refused, and guessing keys does not load the database. */
import { describe, expect, test } from "bun:test";
import { GatewayError } from "../../../src/domain/errors";
import { createAsking } from "../../../src/stores/postgres/unknown-keys";
import { fakeOutside } from "../../fake-outside";
import { FAKE_YAML, openGateway } from "../../gateway";
import { POSTGRES_URL, postgresDatabase, wayToPostgres } from "../databases";
import { onServer } from "../on-postgres";

/** @param takesMs each look */
function world(takesMs = 1) {
  const { outside, advance } = fakeOutside();
  const startedAt = outside.monotonic();
  const created = new Set<string>();
  const memory = new Set<string>();
  const looks: number[] = [];
  let isDown = false;
  const ask = createAsking({
    isKnown: (hash) => memory.has(hash),
    async look() {
      looks.push(outside.monotonic() - startedAt);
      const seen = [...created];
      await outside.sleep(takesMs);
      if (isDown) throw new GatewayError("ledger_unavailable", "down");
      for (const hash of seen) memory.add(hash);
    },
    ...outside,
  });
  return {
    ask,
    advance,
    looks,
    memory,
    create: (hash: string) => created.add(hash),
    be(down: boolean) {
      isDown = down;
    },
  };
}

test("what is in memory is not asked for, and what was created a moment ago is found by one look", async () => {
  const { ask, advance, looks, memory, create } = world();
  create("new");
  const asking = ask("new");
  await advance(1);
  await asking;
  expect(memory.has("new")).toBe(true);
  expect(ask("new")).toBeUndefined();
  expect(looks).toEqual([0]);
});

test("what was created while a look was under way is found by the next one", async () => {
  const { ask, advance, looks, memory, create } = world(10);
  const first = ask("guess");
  await advance(5);
  create("new");
  const second = ask("new");
  await advance(100);
  await Promise.all([first, second]);
  expect([memory.has("new"), memory.has("guess")]).toEqual([true, false]);
  expect(looks).toEqual([0, 50]);
});

test("a thousand guesses a second are some twenty looks", async () => {
  const { ask, advance, looks } = world();
  const asked: (Promise<void> | undefined)[] = [];
  for (let i = 0; i < 1_000; i++) {
    asked.push(ask(`guess ${i}`));
    await advance(1);
  }
  await advance(100);
  expect(asked).not.toContain(undefined);
  await Promise.all(asked);
  expect(looks.length).toBeWithin(15, 23);
});

test("what was unknown is not asked for again for a second", async () => {
  const { ask, advance, looks } = world();
  const asking = ask("guess");
  await advance(1);
  await asking;
  await advance(900);
  expect(ask("guess")).toBeUndefined();
  await advance(100);
  const again = ask("guess");
  expect(again).toBeDefined();
  await advance(1);
  await again;
  expect(looks).toEqual([0, 1_001]);
});

test("where the database does not answer, nobody is told that a key is unknown, and it is asked again", async () => {
  const { ask, advance, be, create, memory } = world();
  be(true);
  create("new");
  const asking = Promise.allSettled([ask("new"), ask("guess")]);
  await advance(1);
  expect(await asking).toMatchObject([{ status: "rejected" }, { status: "rejected" }]);
  be(false);
  const again = ask("new");
  await advance(100);
  await again;
  expect(memory.has("new")).toBe(true);
});

describe.skipIf(POSTGRES_URL === undefined)("two gateways on one database", () => {
  const body = { model: "fake", input: "hello" };
  const bearer = (key: string) => ({ authorization: `Bearer ${key}` });

  test("a key that one has just created is admitted by the other at once", async () => {
    await using database = postgresDatabase();
    const [here, there] = [await database.open(), await database.open({}, { serves: undefined })];
    const [keys, others] = [here.openKeys(), there.openKeys()];
    for (let i = 0; i < 5; i++) {
      const made = await keys.create("ci", "team");
      await others.ready?.();
      await others.ask?.(made.key);
      expect(others.find(made.key)).toMatchObject({ keyId: made.id });
    }
    await others.ask?.("eg-guess");
    expect(others.find("eg-guess")).toBeUndefined();
  });

  test("a request with such a key is answered, one with another key gets 401, and 503 while the database is down", async () => {
    using way = wayToPostgres();
    await using database = postgresDatabase();
    const stores = await database.open();
    await stores.openKeys().create("first", "team");
    const yaml = onServer(FAKE_YAML, { yaml: database.yaml.replace(database.config.url, way.url) });
    await using gateway = await openGateway({ yaml });
    const { key } = await stores.openKeys().create("second", "team");
    expect((await gateway.post(body, bearer(key))).status).toBe(200);
    expect((await gateway.post(body, bearer("eg-guess"))).status).toBe(401);
    way.be("cut");
    expect((await gateway.post(body, bearer("eg-another-guess"))).status).toBe(503);
    way.be("open");
  });
});

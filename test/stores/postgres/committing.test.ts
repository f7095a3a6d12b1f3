/** A request waits for the database no longer than until its own deadline, though others wait longer, or the server is silent. */
import { expect, test } from "bun:test";
import { addressOf } from "../../../src/stores/postgres/address";
import { createCommitting, type Entry, type Outcome } from "../../../src/stores/postgres/committing";
import type { Connection } from "../../../src/stores/postgres/connection";
import { createPool, type Pool } from "../../../src/stores/postgres/pool";
import { createSpacing } from "../../../src/stores/postgres/spacing";
import { fakeOutside } from "../../fake-outside";

const ADDRESS = addressOf({ url: "postgres://test/test", schema: "test", prepare: true });
/** Requests, as far as groups are concerned: more than their writes in these tests. */
const UNDER_WAY = 100;
/** How much later than its deadline a request may be answered. */
const LATE_MS_MAX = 250;

/** A server that answers each statement once it is told to, and never on a connection that was closed. */
function silentServer() {
  const waiting: { readonly answer: () => void; readonly text: string }[] = [];
  const postgres = () => ({
    async reserve() {
      return {
        query: <Row>(text: string) =>
          new Promise<readonly Row[]>((resolve) => {
            waiting.push({ text, answer: () => resolve([]) });
          }),
        script: () => new Promise<void>(() => undefined),
      };
    },
    close: async () => undefined,
  });
  return { waiting, postgres };
}

interface World {
  readonly fake: ReturnType<typeof fakeOutside>;
  readonly server: ReturnType<typeof silentServer>;
  readonly pool: Pool;
  /** @returns what became of it and when, on the monotonic clock */
  ask(name: string, giveUpAt: number, workspace?: string): Promise<readonly [string, number]>;
}

function world(): World {
  const server = silentServer();
  const fake = fakeOutside({ postgres: server.postgres });
  const { monotonic } = fake.outside;
  const pool = createPool(ADDRESS, 1, fake.outside);
  const alone = ({ query }: Connection, { work }: Entry<string>) => query(work);
  const committing = createCommitting<string>(
    pool,
    {
      async together({ query }, entries): Promise<readonly Outcome[]> {
        await query(entries.map(({ work }) => work).join());
        return entries.map(() => ({ value: "written" }));
      },
      alone,
    },
    createSpacing(() => UNDER_WAY, fake.outside),
    fake.outside,
  );
  return {
    fake,
    server,
    pool,
    ask: (work, giveUpAt, workspace = "team") =>
      new Promise((resolve) => {
        committing.add({
          work,
          workspace,
          giveUpAt,
          done: () => resolve(["written", monotonic()]),
          failed: ({ kind }) => resolve([kind, monotonic()]),
        });
      }),
  };
}

test("of a silent server each request hears at its own deadline", async () => {
  const { fake, ask } = world();
  const soon = ask("soon", 300);
  const later = ask("later", 2_000);
  await fake.advance(10_000);
  const [kind, at] = await soon;
  expect(kind).toBe("ledger_unavailable");
  expect(at).toBeLessThanOrEqual(300 + LATE_MS_MAX);
  const [otherKind, otherAt] = await later;
  expect(otherKind).toBe("ledger_unavailable");
  expect(otherAt).toBeWithin(2_000, 2_000 + LATE_MS_MAX + 1);
});

test("a request that comes while another one waits for the server is not held past its deadline either", async () => {
  const { fake, ask } = world();
  void ask("first", 60_000);
  await fake.advance(1_000);
  const [kind, at] = await fake.until(ask("second", 1_400));
  expect(kind).toBe("ledger_unavailable");
  expect(at).toBeLessThanOrEqual(1_400 + LATE_MS_MAX);
});

test("what is answered in time is written, and what was given up is not tried again", async () => {
  const { fake, server, ask } = world();
  const late = ask("late", 300);
  const patient = ask("patient", 60_000);
  await fake.advance(1_000);
  server.waiting[0]?.answer();
  await fake.advance(1_000);
  expect([(await late)[0], (await patient)[0]]).toEqual(["ledger_unavailable", "written"]);
  expect(server.waiting.map(({ text }) => text)).toEqual(["late,patient"]);
});

test("a connection that is given up is tried again for those that still wait, and only for those", async () => {
  const { fake, server, ask } = world();
  void ask("late", 300);
  const patient = ask("patient", 60_000);
  await fake.advance(5_200);
  const again = server.waiting.slice(1);
  for (const { answer } of again) answer();
  expect((await fake.until(patient))[0]).toBe("written");
  expect(again.map(({ text }) => text)).toEqual(["patient"]);
});

test("a write that waits for a connection gets it as soon as a read is done with it", async () => {
  const { fake, server, pool, ask } = world();
  const reading = pool.run(({ query }) => query("read"), 60_000);
  await fake.advance(0);
  const writing = ask("write", 60_000);
  await fake.advance(100);
  server.waiting[0]?.answer();
  await reading;
  await fake.advance(0);
  expect(server.waiting.map(({ text }) => text)).toEqual(["read", "write"]);
  server.waiting[1]?.answer();
  expect(await writing).toEqual(["written", 100]);
});

test("writes and reads that wait for a connection get it in the order in which they came", async () => {
  const { fake, server, pool, ask } = world();
  const read = (name: string) => pool.run(({ query }) => query(name), 60_000);
  const reads = [read("first read"), read("second read")];
  await fake.advance(0);
  const writes = [ask("first write", 60_000), ask("second write", 60_000, "other")];
  await fake.advance(0);
  reads.push(read("third read"));
  for (let i = 0; i < 4; i++) {
    server.waiting[i]?.answer();
    await fake.advance(0);
  }
  await Promise.all([...reads, ...writes]);
  expect(server.waiting.map(({ text }) => text)).toEqual([
    "first read",
    "second read",
    "first write,second write",
    "third read",
  ]);
});

test("a connection that no write can use now goes to the read behind", async () => {
  const { fake, server, pool, ask } = world();
  const read = (name: string) => pool.run(({ query }) => query(name), 60_000);
  const reads = [read("first read")];
  await fake.advance(0);
  const late = ask("write", 300);
  await fake.advance(0);
  reads.push(read("second read"));
  await fake.advance(1_000);
  expect((await late)[0]).toBe("ledger_unavailable");
  for (let i = 0; i < 2; i++) {
    server.waiting[i]?.answer();
    await fake.advance(0);
  }
  await Promise.all(reads);
  expect(pool.figures()).toMatchObject({ inUse: 0, waiting: 0 });
});

test("what is in use, what waits and how long it waited at most is told, for a minute or two", async () => {
  const { fake, server, pool, ask } = world();
  expect(pool.figures()).toEqual({ inUse: 0, most: 1, waiting: 0, longestWaitMs: 0 });
  const first = ask("first", 60_000);
  await fake.advance(0);
  const others = [ask("second", 60_000, "other"), ask("third", 60_000, "another")];
  const reading = pool.run(({ query }) => query("read"), 60_000);
  await fake.advance(700);
  expect(pool.figures()).toEqual({ inUse: 1, most: 1, waiting: 3, longestWaitMs: 0 });
  for (let i = 0; i < 3; i++) {
    server.waiting[i]?.answer();
    await fake.advance(LATE_MS_MAX);
  }
  await Promise.all([first, ...others, reading]);
  const { longestWaitMs, ...now } = pool.figures();
  expect(now).toEqual({ inUse: 0, most: 1, waiting: 0 });
  expect(longestWaitMs).toBeWithin(700, 700 + 2 * LATE_MS_MAX);
  await fake.advance(70_000);
  expect(pool.figures().longestWaitMs).toBe(longestWaitMs);
  await fake.advance(70_000);
  expect(pool.figures().longestWaitMs).toBe(0);
});

test("the next commit is sent before the callers of the last one go on", async () => {
  const { fake, server, ask } = world();
  const first = ask("first", 60_000).then(() => server.waiting.map(({ text }) => text));
  await fake.advance(0);
  const second = ask("second", 60_000);
  await fake.advance(0);
  expect(server.waiting).toHaveLength(1);
  server.waiting[0]?.answer();
  expect(await first).toEqual(["first", "second"]);
  server.waiting[1]?.answer();
  await second;
});

test("under load a commit waits a little for more writes, and goes without them", async () => {
  const { fake, server, ask } = world();
  const asked = (names: string) => [...names].map((name) => ask(name, 60_000));
  const sent = () => server.waiting.map(({ text }) => text);
  const startedAt = fake.outside.monotonic();
  const first = asked("a");
  await fake.advance(0);
  const during = asked("bcde");
  await fake.advance(0);
  server.waiting[0]?.answer();
  await Promise.all(first);
  await fake.advance(0.5);
  expect(sent()).toEqual(["a"]);
  const more = asked("f");
  await fake.advance(0.5);
  expect(sent()).toEqual(["a", "b,c,d,e,f"]);
  server.waiting[1]?.answer();
  await Promise.all([...during, ...more]);
  // Few came meanwhile, so the next one does not wait.
  const last = asked("g");
  await fake.advance(0);
  server.waiting[2]?.answer();
  expect(await Promise.all(last)).toEqual([["written", startedAt + 1]]);
});

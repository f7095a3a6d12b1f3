/** A request waits for the database no longer than until its own deadline, though others wait longer, or the server is silent. */
import { expect, test } from "bun:test";
import { createCommitting, type Entry, type Outcome } from "../../../src/stores/postgres/committing";
import type { Connection } from "../../../src/stores/postgres/connection";
import { createPool } from "../../../src/stores/postgres/pool";
import { fakeOutside } from "../../fake-outside";

const ADDRESS = { url: "postgres://test", schema: "test", prepare: true };
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
  /** @returns what became of it and when, on the monotonic clock */
  ask(name: string, giveUpAt: number): Promise<readonly [string, number]>;
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
    fake.outside,
  );
  return {
    fake,
    server,
    ask: (work, giveUpAt) =>
      new Promise((resolve) => {
        committing.add({
          work,
          workspace: "team",
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

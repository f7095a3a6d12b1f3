/**
 * Part of the one suite for every database: sums over time are the ledger's own whatever came, and trimmed, all that is told of money stays as it
 * was. What is drawn at random is in test/books/lives.ts.
 */
import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { realOutside } from "../../src/network/real-outside";
import { wrongInBooks } from "../../src/stores/postgres/adding-up";
import { sumBite } from "../../src/stores/postgres/sums";
import { counts, DAY_MS, GROUPS, lived, rowOf, START, type Step, step, toldOf } from "../books/lives";
import { type Books, HIT, KINDS, onPostgres, poolOf, summed } from "./books";
import { POSTGRES_URL, type PostgresDatabase, postgresDatabase } from "./databases";

/** @throws where sums are not the ledger's */
async function judgeSums({ stores, life }: Books): Promise<void> {
  const range = { since: START - DAY_MS, until: life.now() + DAY_MS };
  const series = stores.openSeries();
  for (const by of GROUPS) {
    const { lines } = await series.usage({ ...range, by, workspace: undefined, metadata: new Map() });
    expect(lines.filter(counts)).toEqual((await life.ledger.usage(0, by)).filter(counts));
  }
  const all = await life.ledger.usage(0, "workspace");
  const { total } = await series.over({ ...range, unit: "day", by: ["model"], top: 10 });
  for (const name of ["requests", "tokens", "tokens_upstream", "cost_pico_usd", "micro_credits"] as const)
    expect([name, total[name]]).toEqual([name, all.reduce((sum, line) => sum + line[name], 0n)]);
}

const told = ({ stores, life: { ledger } }: Books) => toldOf(ledger, stores.openStatements());

const steps: fc.Arbitrary<readonly Step[]> = fc.array(step, { minLength: 1, maxLength: 30 });

for (const { name, isThere, opened, runs } of KINDS) {
  describe.skipIf(!isThere)(name, () => {
    test("sums are the ledger's own whatever comes, whenever they are brought up to date", async () => {
      await fc.assert(
        fc.asyncProperty(steps, fc.infiniteStream(fc.nat(3)), async (all, draws) => {
          await using books = await opened();
          const after = async () => {
            const draw = draws.next().value;
            if (draw === 0) await books.sum();
            if (draw === 1) await books.meddle();
          };
          await lived(all, { ...books.life, after });
          await judgeSums(books);
          await books.sum();
          await judgeSums(books);
          expect(await books.wrong()).toEqual([]);
        }),
        { numRuns: runs, endOnFailure: true },
      );
    }, 120_000);

    test("a workspace that is renamed takes its sums with it", async () => {
      await using books = await opened();
      const [all] = fc.sample(fc.array(step, { minLength: 12, maxLength: 12 }), { numRuns: 1, seed: 7 });
      await lived(all ?? [], books.life);
      await books.sum();
      await books.stores.openWorkspaceNames().rename("acme", "crew");
      await judgeSums(books);
      expect(await books.wrong()).toEqual([]);
      const { lines } = await books.stores.openSeries().usage({
        since: START - DAY_MS,
        until: books.life.now() + DAY_MS,
        by: ["workspace"],
        workspace: "acme",
        metadata: new Map(),
      });
      expect(lines).toEqual([]);
    });

    test("usage, invoices, histories and sums are the same before and after requests are trimmed", async () => {
      await fc.assert(
        fc.asyncProperty(steps, fc.nat(20), async (all, days) => {
          await using books = await opened();
          const { stores, life } = books;
          await lived(all, life);
          await books.sum();
          const before = await told(books);
          life.turn(days * DAY_MS);
          const trimming = stores.openTrimming(() => ({ requestsDays: 1, minutesDays: 1, hoursDays: 1 }));
          const range = { since: START - DAY_MS, until: life.now() + DAY_MS };
          const asked = { ...range, unit: "day", by: ["model", "provider"], top: 100 } as const;
          const series = stores.openSeries();
          const byTeam = { ...asked, by: ["metadata"], metadata_key: "team" } as const;
          const costs = async () =>
            (await series.over(byTeam)).groups.map(({ names, points }) => [
              names,
              points.map(({ requests, cost_pico_usd }) => [requests, cost_pico_usd]),
            ]);
          const charts = [await series.over(asked), await costs()];
          while (await trimming.bite()) expect(await told(books)).toEqual(before);
          expect(await told(books)).toEqual(before);
          expect([await series.over(asked), await costs()]).toEqual(charts);
          expect(await books.wrong()).toEqual([]);
          if (days > 2) expect(await stores.openRequests().list({ since: 0 }, 100)).toEqual([]);
        }),
        { numRuns: runs, endOnFailure: true },
      );
    }, 120_000);
  });
}

describe.skipIf(POSTGRES_URL === undefined)("sums in PostgreSQL", () => {
  const sample = (count: number) =>
    fc.sample(fc.array(step, { minLength: count, maxLength: count }), { numRuns: 1, seed: 11 })[0] ?? [];
  const summedTo = async (database: PostgresDatabase) =>
    (await database.ask<{ at: bigint }>("SELECT summed_to AS at FROM @sums"))[0]?.at ?? -1n;

  test("wait for every transaction that may still change a row without a note", async () => {
    await using database = postgresDatabase();
    await database.open();
    using pool = poolOf(database);
    const ends = Promise.withResolvers<void>();
    const begun = Promise.withResolvers<void>();
    const slow = pool.pool.transact(async ({ query }) => {
      await query("UPDATE @instances SET serves = 'x'");
      begun.resolve();
      await ends.promise;
    });
    await begun.promise;
    const other = poolOf(database);
    while (await sumBite(other.pool));
    while (await sumBite(other.pool));
    expect(await summedTo(database)).toBe(0n);
    ends.resolve();
    await slow;
    await summed(database, other.pool);
    other[Symbol.dispose]();
    expect(await summedTo(database)).toBeGreaterThan(0n);
  });

  test("are made anew for the hours that a clock, which went back, shows twice", async () => {
    await using books = await onPostgres();
    await lived(sample(10), books.life);
    await books.sum();
    const { life, database, pool } = books;
    await database.ask("UPDATE @sums SET summed_to = $1", [Date.now() + 3_600_000]);
    // Younger than a minute: nothing is noted of it, and it began before the sums' end.
    life.turn(Date.now() - life.now());
    await life.ledger.settle(rowOf(HIT, "req_now", life.now()));
    expect(await books.wrong()).not.toEqual([]);
    await sumBite(pool);
    expect(await books.wrong()).toEqual([]);
    await judgeSums(books);
  });

  test("are compared in bites of any size, with a word about how far it came", async () => {
    await using books = await onPostgres();
    const { life, database, pool, stores } = books;
    await lived(sample(60), life);
    await books.sum();
    const trimming = stores.openTrimming(() => ({ requestsDays: 2, minutesDays: 1, hoursDays: 1 }));
    while (await trimming.bite());
    const shares: number[] = [];
    // Each bite takes so long that the next one is not larger.
    let at = 0;
    const slow = {
      monotonic: () => (at += 600),
      told: (share: number) => void shares.push(share),
      biteRows: 1,
    };
    // What crashed here left its holds.
    await database.ask("UPDATE @workspaces SET micro_credits_held = 0");
    expect(await wrongInBooks(pool, slow)).toEqual([]);
    expect(shares.length).toBeGreaterThan(10);
    expect(shares).toEqual(shares.toSorted((a, b) => a - b));
    expect(shares.at(-1)).toBe(1);
    await database.ask(
      "UPDATE @workspaces SET micro_credits = micro_credits + 3, micro_credits_held = 7 WHERE name = 'acme'",
    );
    await database.ask("UPDATE @rollups SET tokens = tokens + 1 WHERE unit_ms > 60000");
    const wrong = await wrongInBooks(pool, slow);
    expect(wrong.filter((what) => what.includes("charts are wrong")).length).toBeGreaterThan(0);
    expect(wrong.filter((what) => what.includes("grants minus its charges")).length).toBe(1);
    expect(await wrongInBooks(pool, realOutside)).toEqual(wrong);
  }, 30_000);

  test("are not trimmed for as long as a gateway serves that would leave them out", async () => {
    await using books = await onPostgres();
    const { life, database, stores } = books;
    await lived(sample(6), life);
    await books.sum();
    life.turn(9 * DAY_MS);
    const trimming = stores.openTrimming(() => ({ requestsDays: 1, minutesDays: 1, hoursDays: 1 }));
    // As the previous release joins.
    await database.ask(
      "INSERT INTO @instances (id, machine, version, connections, serves) VALUES ('old', 'm', '0', 1, '')",
    );
    expect(await trimming.bite()).toBe(false);
    await database.ask("DELETE FROM @instances WHERE id = 'old'");
    expect(await trimming.bite()).toBe(true);
  });
});

/**
 * Sums by day and metadata equal the ledger's, to the pico-USD, whatever requests and metadata callers send; and a credit history from the sums
 * by hour equals the one from the rows.
 */
import { expect, test } from "bun:test";
import fc from "fast-check";
import { OWN_WORKSPACE, openLedger } from "../../src/books/ledger";
import { openMetadataSums } from "../../src/books/metadata-sums";
import { openSeries } from "../../src/books/open-series";
import type { SeriesFound } from "../../src/books/series";
import { createTally } from "../../src/books/series-tally";
import { openStatements } from "../../src/books/statements";
import { openTrimming } from "../../src/books/trimming";
import { openWorkspaceNames } from "../../src/callers/workspace-names";
import { SUMS_MIGRATIONS } from "../../src/db/migrations-sums";
import type { Store } from "../../src/db/open";
import { type Lived, lived } from "./lived";
import { DAY_MS, HOLDING, START, step } from "./lives";

const key = fc.constantFrom("team", "run", "x.y", "", 'a"b', "a\\b", "list[0]", "Größe", "numbers");
const value = fc.oneof(
  fc.constantFrom<unknown>("search", "chat", "7", 7, 7.5, -0, 1e21, true, false, null, "", "ß".repeat(201)),
  fc.constantFrom<unknown>({ deep: "er" }, ["one", 2], [], {}),
);
const metadata = fc.option(
  fc.dictionary(key, value, { maxKeys: 4 }).map((said) => JSON.stringify(said)),
  { nil: null },
);
/** Each request has its own metadata. */
const steps = fc
  .array(fc.tuple(step, metadata), { minLength: 1, maxLength: 40 })
  .map((all) => all.map(([one, said]) => (one.kind === "request" ? { ...one, metadata: said } : one)));

const ASKED = { unit: "day", by: ["metadata"], top: 100 } as const;

async function bothOf({ store, now }: Lived, metadataKey: string, workspace?: string) {
  const range = { since: START - (START % DAY_MS), until: now() - (now() % DAY_MS) + DAY_MS };
  const asked = { ...ASKED, ...range, metadata_key: metadataKey, workspace };
  const kept = await openSeries(store, {}, OWN_WORKSPACE).over(asked);
  const fromLedger = openMetadataSums(store, OWN_WORKSPACE);
  const tally = createTally(range.since, range.until, DAY_MS);
  for (let day = range.since; day < range.until; day += DAY_MS)
    for (const line of fromLedger(asked, day, day + DAY_MS, DAY_MS)) tally.add(line);
  return { kept: something(kept), rows: something(tally.result(100)) };
}

/** Leaves out sums of zero, which stay after an interrupted row is corrected, and latencies, which are not stored. */
const something = ({ groups, ...rest }: SeriesFound) => ({
  ...rest,
  groups: groups.filter(({ total }) =>
    Object.values(total).some((sum) => typeof sum === "bigint" && sum !== 0n),
  ),
});

test("sums by day and metadata are the ledger's own after whatever came", async () => {
  await fc.assert(
    fc.asyncProperty(steps, async (all) => {
      await using books = await lived(all);
      for (const name of ["team", "run", "Größe", "numbers", "nothing"]) {
        const { kept, rows } = await bothOf(books, name);
        // Values that are too long are part of the rest.
        const long = rows.groups.filter(({ names }) => (names[0] ?? "").length > 200);
        if (long.length === 0) expect(kept).toEqual(rows);
        expect(kept.total).toEqual(rows.total);
        const one = await bothOf(books, name, "acme");
        expect(one.kept.total).toEqual(one.rows.total);
      }
    }),
    { numRuns: 60 },
  );
}, 60_000);

test("a database of before gets the same sums as one that had them from the start", async () => {
  await fc.assert(
    fc.asyncProperty(steps, fc.boolean(), async (all, isTrimmed) => {
      await using books = await lived(all);
      const { store } = books;
      const told = async () => ({
        metadata: store.database.query(`SELECT * FROM metadata_days WHERE ${HAS_SOMETHING}`).all(),
        charged: store.database
          .query("SELECT * FROM rollups WHERE unit_ms = 3600000 AND (requests <> 0 OR tokens_upstream <> 0)")
          .all(),
      });
      const before = await told();
      if (isTrimmed) {
        const keep = { requestsDays: 1, minutesDays: 400, hoursDays: 400 };
        const trimming = openTrimming(store, { now: () => books.now() + 9 * DAY_MS }, () => keep);
        while (await trimming.bite());
      }
      store.database.run("DROP TABLE metadata_days");
      for (const name of ["charged", "micro_credits_taken"])
        store.database.run(`ALTER TABLE rollups DROP COLUMN ${name}`);
      for (const step of SUMS_MIGRATIONS) store.database.run(step);
      const after = await told();
      // For trimmed requests it is no longer known what the cache saved.
      if (isTrimmed) expect(after.metadata.map(withoutSaved)).toEqual(before.metadata.map(withoutSaved));
      else expect(after).toEqual(before);
    }),
    { numRuns: 30 },
  );
}, 60_000);

const HAS_SOMETHING = "requests <> 0 OR tokens_upstream <> 0 OR tokens <> 0";
const withoutSaved = (row: unknown) => ({ ...Object(row), tokens_cached: 0n, saved_pico_usd: 0n });

/** Many requests of `acme` on one day. @param metadataOf the metadata of the request with this number */
async function many(count: number, metadataOf: (i: number) => string): Promise<Lived> {
  const request = { kind: "request", workspace: "acme", model: "small", others: 0, latency: 9 } as const;
  return lived(
    Array.from({ length: count }, (_, i) => ({
      ...request,
      end: i % 3 === 2 ? "failure" : "answer",
      tokens: 10 + i,
      code: "upstream_timeout",
      metadata: metadataOf(i),
      estimated: false,
    })),
  );
}

const rowsOf = (store: Store) => store.database.query("SELECT metadata_key FROM metadata_days").all().length;

test("values that callers make up without end are summed together: the sums stay exact, and the table small", async () => {
  await using books = await many(700, (i) => `{"team":"t${i % 3}","run":"${i}"}`);
  const { store } = books;
  expect(rowsOf(store)).toBeLessThan(220);
  const { kept, rows } = await bothOf(books, "run");
  expect(kept.total).toEqual(rows.total);
  expect(kept.groups.at(-1)).toMatchObject({ isRest: true });
  // The first values have sums of their own.
  expect(kept.groups[0]?.total.requests).toBe(1n);
  expect(await bothOf(books, "team")).toMatchObject({ kept: { groups: [{}, {}, {}] } });
  const teams = await bothOf(books, "team");
  expect(teams.kept).toEqual(teams.rows);
});

test("a day with too many keys, or too much metadata, is read from the ledger", async () => {
  for (const metadataOf of [
    (i: number) => `{"team":"t${i % 3}","k${i}":1}`,
    (i: number) =>
      i === 51 ? JSON.stringify({ team: "t0", long: "x".repeat(9_000) }) : `{"team":"t${i % 3}"}`,
  ]) {
    await using books = await many(120, metadataOf);
    expect(rowsOf(books.store)).toBe(1);
    for (const name of ["team", "k7", "k99"]) {
      const { kept, rows } = await bothOf(books, name);
      expect(kept).toEqual(rows);
    }
  }
});

test("metadata that a failed request is too small to keep is in no sum", async () => {
  await using books = await many(3, () => JSON.stringify({ team: "x".repeat(150), more: "y".repeat(1_000) }));
  const { kept, rows } = await bothOf(books, "team");
  expect(kept).toEqual(rows);
  expect(kept.groups.map(({ names, total }) => [names[0]?.slice(0, 3), total.requests])).toEqual([
    ["xxx", 2n],
    ["", 1n],
  ]);
});

test("a process that did not see a day begin has the same limits", async () => {
  await using books = await many(400, (i) => `{"run":"${i}"}`);
  const { store } = books;
  const before = rowsOf(store);
  const again = openLedger(store, "other", (model) => model);
  const [row] = store.database
    .query<{ readonly started_at: bigint }, []>("SELECT max(started_at) AS started_at FROM ledger")
    .all();
  const late = books.rowOf("late", '{"run":"late"}', Number(row?.started_at ?? 0n));
  await again.begin({ ...late, status: 0 }, HOLDING);
  await again.settle(late);
  expect(rowsOf(store)).toBe(before);
  const { kept, rows } = await bothOf(books, "run");
  expect(kept.total).toEqual(rows.total);
});

test("without metadata nothing is written for it, and a renamed workspace keeps what it has", async () => {
  await using books = await many(5, () => '{"team":"web"}');
  const { store } = books;
  const ledger = openLedger(store);
  const before = rowsOf(store);
  const row = { ...books.rowOf("plain", null, books.now()), workspace: "beta" };
  await ledger.settle(row);
  expect(rowsOf(store)).toBe(before);
  await openWorkspaceNames(store, { now: books.now }).rename("acme", "acme-2");
  const { kept, rows } = await bothOf(books, "team", "acme-2");
  expect(kept).toEqual(rows);
  expect(kept.groups[0]?.names).toEqual(["web"]);
});

test("a history of credits is the rows' own, whatever grants cut", async () => {
  await fc.assert(
    fc.asyncProperty(steps, async (all) => {
      await using books = await lived(all);
      const { store } = books;
      const history = await openStatements(store).history("acme");
      const { database } = store;
      const grants = database
        .query<{ at: bigint }, []>("SELECT granted_at AS at FROM credit_grants WHERE workspace = 'acme'")
        .all();
      const rows = database
        .query<Record<"at" | "cost" | "taken", bigint>, []>(
          `SELECT started_at AS at, micro_credits AS cost, micro_credits_taken AS taken FROM ledger
           WHERE workspace = 'acme' AND (micro_credits > 0 OR femto_credits_rounded <> 0) ORDER BY started_at`,
        )
        .all();
      const pieces = Map.groupBy(
        rows,
        ({ at }) => `${at / BigInt(DAY_MS)} ${grants.filter((grant) => grant.at <= at).length}`,
      );
      const sum = (of: readonly bigint[]) => of.reduce((total, one) => total + one, 0n);
      expect(
        history.filter(({ kind }) => kind === "requests").map(({ balance: _, ...line }) => line),
      ).toEqual(
        [...pieces.values()].map((piece) => ({
          at: Number(piece[0]?.at),
          kind: "requests",
          note: "",
          requests: BigInt(piece.length),
          cost: sum(piece.map(({ cost }) => cost)),
          change: -sum(piece.map(({ taken }) => taken)),
        })),
      );
    }),
    { numRuns: 60 },
  );
}, 60_000);

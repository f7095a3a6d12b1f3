/**
 * Part of the one suite for every database: sums over time by each group equal the ledger's rows, whatever of them is grouped (src/books/groupings.ts):
 * nothing, all, or what was before more came, and after trimming. The ledger's side is summed here, in whole days and hours.
 */
import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { OWN_WORKSPACE } from "../../src/books/ledger";
import type { LedgerRow } from "../../src/books/ledger-row";
import type { SeriesAsked, SeriesGroup } from "../../src/books/series";
import { DAY_MS, HOLDING, type Life, lived, rowOf, START, type Step, step } from "../books/lives";
import { type Books, HIT, KINDS } from "./books";

const HOUR_MS = 3_600_000;
const steps: fc.Arbitrary<readonly Step[]> = fc.array(step, { minLength: 1, maxLength: 30 });
const BY: readonly (readonly SeriesGroup[])[] = [
  [],
  ["workspace"],
  ["model"],
  ["provider"],
  ["key"],
  ["model", "provider"],
  ["provider", "model"],
  ["status"],
  ["workspace", "model"],
];

/** The ledger's last word on each request. */
type Rows = Map<string, LedgerRow>;

/** What is written of a row only when it is settled. */
const AS_BEGUN = {
  status: 0,
  kind: null,
  tokens: 0,
  tokens_billed: 0,
  cost_pico_usd: 0n,
  by_provider: null,
} as const;

/** A life whose ledger notes its rows; those of a crash are as it left them. */
function noting(life: Life, rows: Rows): Life {
  const { ledger, interrupt, settleLate } = life;
  const begun = new Map<string, LedgerRow>();
  const put = (row: LedgerRow) => {
    begun.delete(row.request_id);
    rows.set(row.request_id, row);
  };
  return {
    ...life,
    ledger: {
      ...ledger,
      async begin(row, holding, until) {
        begun.set(row.request_id, row);
        return ledger.begin(row, holding, until);
      },
      async settle(row, until) {
        put(row);
        return ledger.settle(row, until);
      },
    },
    async interrupt() {
      for (const row of [...begun.values()])
        put({ ...row, ...AS_BEGUN, error: "interrupted", tokens_source: "estimated" });
      return interrupt();
    },
    async settleLate(row) {
      put(row);
      return settleLate(row);
    },
  };
}

type Line = readonly [
  name: string,
  at: number,
  requests: number,
  failed: number,
  tokens: number,
  upstream: number,
  cost: bigint,
];

const nameOf: Readonly<Record<string, (row: LedgerRow, provider: string) => string>> = {
  workspace: (row) => row.workspace,
  model: (row) => row.model,
  provider: (_, provider) => provider,
  key: (row) => row.key_id ?? "",
  status: (row) => String(row.status),
  team: (row) => {
    const said: { readonly team?: string } = JSON.parse(row.metadata ?? "{}");
    return said.team ?? "";
  },
};

/** By name and time: one for each provider that counted tokens. */
function ledgerLines(rows: Rows, by: readonly string[], unitMs: number): readonly Line[] {
  const lines = new Map<string, Line>();
  for (const row of rows.values()) {
    const shares: readonly (readonly [string, number])[] =
      row.by_provider == null ? [[row.provider ?? "", row.tokens_upstream]] : JSON.parse(row.by_provider);
    for (const [place, [provider, upstream]] of shares.entries()) {
      const name = JSON.stringify(by.map((group) => nameOf[group]?.(row, provider)));
      const at = row.started_at - (row.started_at % unitMs);
      const old = lines.get(`${name} ${at}`);
      const isFirst = place === 0;
      const asked = isFirst && row.workspace !== OWN_WORKSPACE ? 1 : 0;
      lines.set(`${name} ${at}`, [
        name,
        at,
        asked + (old?.[2] ?? 0),
        (row.status === 200 ? 0 : asked) + (old?.[3] ?? 0),
        (isFirst ? row.tokens : 0) + (old?.[4] ?? 0),
        upstream + (old?.[5] ?? 0),
        (isFirst ? row.cost_pico_usd : 0n) + (old?.[6] ?? 0n),
      ]);
    }
  }
  return [...lines.values()].filter(isSomething).sort(byName);
}

const isSomething = ([, , ...sums]: Line) => sums.some((sum) => Number(sum) !== 0);
const byName = ([a, atA]: Line, [b, atB]: Line) => (a === b ? atA - atB : a < b ? -1 : 1);

async function seriesLines({ stores }: Books, asked: SeriesAsked): Promise<readonly Line[]> {
  const { groups, times, total } = await stores.openSeries().over(asked);
  expect(groups.reduce((sum, one) => sum + one.total.cost_pico_usd, 0n)).toBe(total.cost_pico_usd);
  expect(groups.reduce((sum, one) => sum + one.total.requests, 0n)).toBe(total.requests);
  for (const { total: own, errors, points } of groups) {
    expect(errors.reduce((sum, { requests }) => sum + requests, 0)).toBe(Number(own.failed));
    expect(points.reduce((sum, one) => sum + one.tokens_upstream, 0n)).toBe(own.tokens_upstream);
  }
  return groups
    .flatMap(({ names, isRest, points }) =>
      points.map(
        (one, i): Line => [
          isRest ? "rest" : JSON.stringify(names),
          times[i] ?? 0,
          Number(one.requests),
          Number(one.failed),
          Number(one.tokens),
          Number(one.tokens_upstream),
          one.cost_pico_usd,
        ],
      ),
    )
    .filter(isSomething)
    .sort(byName);
}

const regrouped = async ({ stores }: Books) => {
  const regrouping = stores.openRegrouping();
  while (await regrouping.bite());
};

async function judge(books: Books, rows: Rows, units: readonly ("day" | "hour")[]): Promise<void> {
  const { life } = books;
  for (const unit of units) {
    const unitMs = unit === "day" ? DAY_MS : HOUR_MS;
    const until = life.now() + unitMs;
    const since = unit === "day" ? START - DAY_MS : until - 40 * DAY_MS;
    const range = { unit, since, until, top: 100 };
    const counted = new Map([...rows].filter(([, { started_at }]) => started_at >= since - (since % unitMs)));
    for (const by of BY)
      expect([by, await seriesLines(books, { ...range, by })]).toEqual([
        by,
        ledgerLines(counted, by, unitMs),
      ]);
    expect(await seriesLines(books, { ...range, by: ["metadata"], metadata_key: "team" })).toEqual(
      ledgerLines(counted, ["team"], unitMs),
    );
    const ofBeta = new Map([...counted].filter(([, { workspace }]) => workspace === "beta"));
    for (const by of [["workspace"], ["model"], ["metadata"]] as const)
      expect(await seriesLines(books, { ...range, by, workspace: "beta", metadata_key: "team" })).toEqual(
        ledgerLines(ofBeta, by[0] === "metadata" ? ["team"] : by, unitMs),
      );
  }
}

for (const { name, isThere, opened, runs } of KINDS) {
  describe.skipIf(!isThere)(name, () => {
    test("sums by every group are the ledger's, grouped or not, and after more came late", async () => {
      await fc.assert(
        fc.asyncProperty(steps, fc.infiniteStream(fc.nat(5)), async (all, draws) => {
          await using books = await opened();
          const rows: Rows = new Map();
          const life = noting(books.life, rows);
          const after = async () => {
            const draw = draws.next().value;
            if (draw === 0) await books.sum();
            if (draw === 1) await regrouped(books);
          };
          await lived(all, { ...life, after });
          await judge(books, rows, ["day", "hour"]);
          life.turn(26 * HOUR_MS);
          await books.sum();
          const history = () => books.stores.openStatements().history("acme");
          const before = await history();
          await regrouped(books);
          expect(await history()).toEqual(before);
          await judge(books, rows, ["day", "hour"]);
          // Hours that are grouped get more.
          const late = [START + 1, life.now() - 25 * HOUR_MS, life.now() - 2 * HOUR_MS];
          for (const [i, at] of late.entries()) {
            const answer = { ...HIT, workspace: "acme", end: "answer", metadata: '{"team":"late"}' } as const;
            const row = rowOf(answer, `req_late_${i}`, at);
            await life.ledger.begin({ ...row, status: 0 }, HOLDING);
            await life.ledger.settle(row);
          }
          const later = await history();
          expect(later.reduce((sum, { requests }) => sum + requests, 0n)).toBe(
            before.reduce((sum, { requests }) => sum + requests, 3n),
          );
          await judge(books, rows, ["day", "hour"]);
          await regrouped(books);
          await judge(books, rows, ["day", "hour"]);
          await books.sum();
          await regrouped(books);
          await judge(books, rows, ["day", "hour"]);
          expect(await history()).toEqual(later);
        }),
        { numRuns: runs, endOnFailure: true },
      );
    }, 180_000);

    test("sums that are trimmed to days are the ledger's of before, grouped before and after", async () => {
      await fc.assert(
        fc.asyncProperty(steps, fc.boolean(), async (all, isBefore) => {
          await using books = await opened();
          const rows: Rows = new Map();
          await lived(all, noting(books.life, rows));
          books.life.turn(12 * DAY_MS);
          await books.sum();
          if (isBefore) await regrouped(books);
          const trimming = books.stores.openTrimming(() => ({
            requestsDays: 1,
            minutesDays: 1,
            hoursDays: 1,
          }));
          while (await trimming.bite());
          await judge(books, rows, ["day"]);
          await regrouped(books);
          await judge(books, rows, ["day"]);
        }),
        { numRuns: runs, endOnFailure: true },
      );
    }, 180_000);

    test("the leading groups have all their requests, and the rest is told together", async () => {
      await using books = await opened();
      const { life } = books;
      const many = Array.from({ length: 42 }, (_, i) => i);
      for (const i of many)
        for (let n = 0; n <= i % 7; n++) {
          const metadata = `{"team":"t${i % 7}","run":"${i}"}`;
          const request = { ...HIT, workspace: `w${i % 7}`, end: "failure", code: "x", metadata } as const;
          await life.ledger.settle(rowOf(request, `req_${i}_${n}`, START + (n % 3) * DAY_MS));
        }
      life.turn(4 * DAY_MS);
      const range = { unit: "day", since: START - DAY_MS, until: life.now(), top: 3 } as const;
      const both = () =>
        Promise.all([
          books.stores.openSeries().over({ ...range, by: ["workspace"] }),
          books.stores.openSeries().over({ ...range, by: ["metadata"], metadata_key: "team" }),
        ]);
      await books.sum();
      const before = await both();
      expect(before[0].groups.map(({ names, isRest }) => (isRest ? "rest" : names[0]))).toEqual([
        "w6",
        "w5",
        "w4",
        "rest",
      ]);
      await regrouped(books);
      expect(await both()).toEqual(before);
      // The day that has begun is read from other sums.
      for (let place = 0; place < 15; place++)
        await life.ledger.settle(
          rowOf({ ...HIT, workspace: "w2", metadata: '{"team":"t2"}' }, `req_now_${place}`, life.now() - 1),
        );
      const after = await both();
      const rank = after.map(({ groups }) => groups.map(({ names, total }) => [names[0], total.requests]));
      expect(after[0].total.requests).toBe(before[0].total.requests + 15n);
      expect(rank[0]?.slice(0, 3).map(([, requests]) => requests)).toEqual(
        rank[0]
          ?.slice(0, 3)
          .map(([, requests]) => requests)
          .toSorted((a, b) => Number(b) - Number(a)),
      );
      expect(rank[1]?.map(([team, requests]) => [team?.toString().replace("t", "w"), requests])).toEqual(
        rank[0] ?? [],
      );
    });

    test("finished days are read from the sums by fewer names, until they change or their workspace is renamed", async () => {
      await using books = await opened();
      const { life, stores, ask } = books;
      const put = (id: string, at: number) =>
        life.ledger.settle(rowOf({ ...HIT, metadata: '{"team":"search"}' }, id, at));
      await stores.openWorkspaces(() => ({})).create("beta", {}, null);
      await put("req_1", START);
      life.turn(3 * DAY_MS);
      await books.sum();
      await regrouped(books);
      // So that it shows which sums are read.
      for (const table of ["group_sums", "metadata_key_sums", "metadata_value_sums"])
        await ask(`UPDATE @${table} SET tokens_cached = tokens_cached + 1000`);
      const range = { unit: "day", since: START - DAY_MS, until: life.now(), top: 5 } as const;
      const cached = async () => {
        const found = await Promise.all([
          stores.openSeries().over({ ...range, by: ["workspace"] }),
          stores.openSeries().over({ ...range, by: ["metadata"], metadata_key: "team" }),
        ]);
        return found.map(({ groups }) =>
          groups.map(({ names, total }) => [...names, Number(total.tokens_cached)]),
        );
      };
      expect(await cached()).toEqual([[["beta", 1005]], [["search", 1005]]]);
      await put("req_2", START + 1);
      expect(await cached()).toEqual([[["beta", 10]], [["search", 10]]]);
      await books.sum();
      await regrouped(books);
      await stores.openWorkspaceNames().rename("beta", "crew");
      expect(await cached()).toEqual([[["crew", 10]], [["search", 10]]]);
      await regrouped(books);
      expect(await cached()).toEqual([[["crew", 10]], [["search", 10]]]);
    });

    test("invoices of finished days are summed before anybody asks", async () => {
      await using books = await opened();
      const { life, stores, ask } = books;
      await stores.openWorkspaces(() => ({})).create("beta", {}, null);
      await life.ledger.settle(rowOf(HIT, "req_1", START));
      await life.ledger.settle(rowOf(HIT, "req_2", START + 2 * DAY_MS));
      life.turn(4 * DAY_MS);
      await books.sum();
      await regrouped(books);
      await ask("UPDATE @invoice_days SET requests = requests + 100");
      const { lines } = await stores.openStatements().invoice("beta", "2024-10", ["day"]);
      // Whether a day may still change is told by the workspace's last request.
      expect(lines.map(({ requests }) => Number(requests))).toEqual([101, 101]);
    });

    test("a request in flight is in no sum", async () => {
      await using books = await opened();
      const { life, stores } = books;
      await life.workspaces.create("beta", {}, null);
      const row = rowOf({ ...HIT, end: "answer", metadata: '{"team":"search"}' }, "req_1", START);
      await life.ledger.begin({ ...row, status: 0 }, HOLDING);
      for (const by of [["workspace"], ["metadata"]] as const) {
        const range = { unit: "day", since: START - DAY_MS, until: START + DAY_MS, top: 5 } as const;
        const { total } = await stores.openSeries().over({ ...range, by, metadata_key: "team" });
        expect([total.requests, total.failed]).toEqual([0n, 0n]);
      }
    });

    test("a busy hour is grouped in many steps, and values without end are told by their leading ones", async () => {
      await using books = await opened();
      const { life, stores } = books;
      const rows: Rows = new Map();
      const { ledger } = noting(life, rows);
      const each = Array.from({ length: 900 }, (_, i) => i);
      const settle = (i: number) => {
        const [workspace, model] = [`w${(i * 7) % 13}`, `m${(i * 11) % 60}`];
        // Some values come again, and all of them are many.
        const metadata = JSON.stringify({ team: `t${i % 5}`, run: `r${i % 3 === 0 ? i % 9 : i}` });
        const row = rowOf({ ...HIT, workspace, metadata }, `req_${i}`, START + (i % 2) * DAY_MS + i);
        return ledger.settle({ ...row, model, key_id: `k${i % 70}` });
      };
      for (let at = 0; at < each.length; at += 100) await Promise.all(each.slice(at, at + 100).map(settle));
      life.turn(3 * DAY_MS);
      await books.sum();
      for (let round = 0; round < 2; round++) {
        const range = { unit: "day", since: START - DAY_MS, until: life.now(), top: 100 } as const;
        for (const by of [[], ["workspace"], ["model"], ["key"], ["model", "provider"]] as const)
          expect(await seriesLines(books, { ...range, by })).toEqual(ledgerLines(rows, by, DAY_MS));
        const byKey = await stores.openSeries().over({ ...range, by: ["key"], top: 9 });
        expect([byKey.groups.length, byKey.groups.at(-1)?.isRest]).toEqual([10, true]);
        const said = ["metadata"] as const;
        expect(await seriesLines(books, { ...range, by: said, metadata_key: "team" })).toEqual(
          ledgerLines(rows, ["team"], DAY_MS),
        );
        const runs = await stores.openSeries().over({ ...range, by: said, metadata_key: "run", top: 3 });
        expect(runs.total.requests).toBe(900n);
        expect(runs.groups.map(({ names, total }) => [names[0], Number(total.requests)])).toEqual([
          ["r0", 100],
          ["r3", 100],
          ["r6", 100],
          [undefined, 600],
        ]);
        await regrouped(books);
      }
    }, 60_000);
  });
}

/**
 * Statements add up: over random requests, grants and limits set and removed, a history ends at the balance, and an invoice equals the
 * ledger's sums, to the micro-credit and pico-USD.
 */
import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import type { LedgerRow } from "../../src/books/ledger-row";
import { FEMTO_CREDITS_PER_MICRO_CREDIT } from "../../src/books/money";
import type { Invoice, Statements } from "../../src/books/statements";
import { GatewayError } from "../../src/domain/errors";
import { csv } from "../../src/terminal/csv";
import type { TestDatabase } from "../stores/databases";
import { ON_POSTGRES, testDatabase } from "../stores/on-postgres";

const DAY_MS = 86_400_000;
const START = Date.UTC(2026, 9, 28, 12);

interface Asked {
  readonly kind: "request";
  readonly model: string;
  readonly tokens: number;
  readonly price: number;
  readonly microCredits: number;
  readonly heldBeyond: number;
  readonly fails: boolean;
}
type Step =
  | Asked
  | { readonly kind: "grant"; readonly amount: number }
  | { readonly kind: "set"; readonly balance: number | null }
  | { readonly kind: "settle" }
  | { readonly kind: "later"; readonly hours: number };

const step: fc.Arbitrary<Step> = fc.oneof(
  fc.record({
    kind: fc.constant("request" as const),
    model: fc.constantFrom("small", "large"),
    tokens: fc.nat(5_000),
    price: fc.constantFrom(0, 20_000, 130_000),
    microCredits: fc.nat(9_000),
    heldBeyond: fc.integer({ min: -500, max: 500 }),
    fails: fc.boolean(),
  }),
  fc.record({ kind: fc.constant("grant" as const), amount: fc.integer({ min: -20_000, max: 40_000 }) }),
  fc.record({ kind: fc.constant("set" as const), balance: fc.option(fc.nat(5_000), { freq: 2 }) }),
  fc.record({ kind: fc.constant("settle" as const) }),
  fc.record({ kind: fc.constant("later" as const), hours: fc.nat(40) }),
);

/** The expected reason for a refusal: every other one is a bug. */
async function orRefused(work: Promise<unknown>): Promise<void> {
  try {
    await work;
  } catch (thrown) {
    const kinds = ["invalid", "insufficient_credit"];
    if (!(thrown instanceof GatewayError) || !kinds.includes(thrown.kind)) throw thrown;
  }
}

const rowOf = (id: number, at: number, { model, tokens, price, microCredits, fails }: Asked): LedgerRow => ({
  request_id: `req_${id}`,
  started_at: at,
  workspace: "team",
  key_id: null,
  model,
  provider: "p",
  inputs: 1,
  cache_hits: 0,
  tokens: fails ? 0 : tokens,
  tokens_upstream: tokens,
  tokens_abandoned: 0,
  tokens_billed: fails ? 0 : tokens,
  tokens_source: "provider",
  status: fails ? 503 : 200,
  error: fails ? "upstream_unavailable" : null,
  latency_ms: 1,
  cost_pico_usd: fails ? 0n : BigInt(tokens) * BigInt(price),
  // Hardly ever a whole number of micro-credits.
  cost_femto_credits: fails
    ? 0n
    : BigInt(microCredits) * FEMTO_CREDITS_PER_MICRO_CREDIT + BigInt(tokens) * 7_000_000n,
  user: null,
  metadata: null,
});

/** Requests overlap with each other and with everything else: each settles at a random later step, or at the end. */
async function happen(database: TestDatabase, steps: readonly Step[]): Promise<Statements> {
  let now = START;
  const stores = await database.open({ now: () => now });
  const ledger = stores.openLedger();
  const workspaces = stores.openWorkspaces(() => ({ credits: 0.02 }));
  await workspaces.ensure("team");
  const underWay: LedgerRow[] = [];
  const settleOne = async () => {
    const row = underWay.shift();
    if (row) await ledger.settle(row);
  };

  async function begin(row: LedgerRow, { microCredits, heldBeyond }: Asked): Promise<void> {
    const nothing = { femtoCredits: 0n, picoUsd: 0n };
    const held = BigInt(Math.max(0, microCredits + heldBeyond));
    const most = { femtoCredits: held * FEMTO_CREDITS_PER_MICRO_CREDIT, picoUsd: 0n };
    const terms = { startingMicroCredits: null, caps: { day: undefined, month: undefined } };
    const begun = {
      ...row,
      status: 0,
      error: null,
      cost_pico_usd: 0n,
      cost_femto_credits: 0n,
      tokens_billed: 0,
    };
    if (await ledger.begin(begun, { estimate: { least: nothing, most }, terms })) underWay.push(row);
  }

  for (const [id, one] of steps.entries()) {
    if (one.kind === "later") now += one.hours * 3_600_000;
    else if (one.kind === "settle") await settleOne();
    else if (one.kind === "grant") await orRefused(workspaces.grant("team", BigInt(one.amount), "some"));
    else if (one.kind === "set") {
      const balance = one.balance === null ? null : BigInt(one.balance);
      await orRefused(workspaces.setCredits("team", balance, "set"));
    } else await orRefused(begin(rowOf(id, now, one), one));
  }
  while (underWay.length > 0) await settleOne();
  return stores.openStatements();
}

async function ledgerSums({ ask }: TestDatabase, from: number, to: number) {
  const sums = ["tokens_billed", "cost_pico_usd", "micro_credits"].map(
    (column) => `coalesce(sum(${column}), 0) AS ${column}`,
  );
  const [row] = await ask<Invoice["total"]>(
    `SELECT coalesce(sum(CASE WHEN status = 200 THEN 1 ELSE 0 END), 0) AS requests, ${sums.join()}
     FROM @ledger WHERE started_at >= ${from} AND started_at < ${to}`,
  );
  // A server's sums are decimal numbers.
  return Object.fromEntries(Object.entries(row ?? {}).map(([name, sum]) => [name, BigInt(sum)]));
}

test("whatever happens, the history ends at the balance and each month's invoice is the ledger's sums", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 60 }), async (steps) => {
      await using database = testDatabase();
      const statements = await happen(database, steps);
      const [account] = await database.ask<{ micro_credits: bigint | null; held: bigint }>(
        "SELECT micro_credits, micro_credits_held + pico_usd_held AS held FROM @workspaces",
      );
      expect(account?.held).toBe(0n);
      expect((await statements.history("team")).at(-1)?.balance ?? 0n).toBe(account?.micro_credits ?? 0n);
      for (const [month, from, to] of MONTHS) {
        for (const by of [["day", "model"], ["model"], ["day"]] as const) {
          const { lines, total } = await statements.invoice("team", month, by);
          expect(await ledgerSums(database, from, to)).toEqual({ ...total });
          // Adding up as someone who has only the CSV.
          const column = csv(
            ["micro_credits"],
            lines.map((line) => ({ micro_credits: String(line.micro_credits) })),
          );
          const sum = column
            .split("\n")
            .slice(1)
            .reduce((all, cell) => all + BigInt(cell), 0n);
          expect(sum).toBe(total.micro_credits);
        }
      }
    }),
    { numRuns: ON_POSTGRES ? 30 : 300 },
  );
}, 60_000);

const MONTHS = [
  ["2026-10", Date.UTC(2026, 9), Date.UTC(2026, 10)],
  ["2026-11", Date.UTC(2026, 10), Date.UTC(2026, 11)],
  ["2026-12", Date.UTC(2026, 11), Date.UTC(2027, 0)],
  ["2027-01", Date.UTC(2027, 0), Date.UTC(2027, 1)],
] as const;

test("a history is in order of time: a day's requests are split at its grants, and each balance is right at its line", async () => {
  await using database = testDatabase();
  let now = START;
  const hour = 3_600_000;
  const stores = await database.open({ now: () => now });
  const ledger = stores.openLedger();
  const workspaces = stores.openWorkspaces(() => ({ credits: 0 }));
  await workspaces.ensure("team");
  await workspaces.grant("team", 100n, "first");
  const usual = { kind: "request", model: "m", tokens: 0, price: 0, heldBeyond: 0, fails: false } as const;
  const nothing = { femtoCredits: 0n, picoUsd: 0n };
  const terms = { startingMicroCredits: null, caps: { day: undefined, month: undefined } };
  const charge = async (id: number, microCredits: number) => {
    const row = rowOf(id, now, { ...usual, microCredits });
    const most = { femtoCredits: row.cost_femto_credits, picoUsd: 0n };
    await ledger.begin(
      { ...row, status: 0, cost_femto_credits: 0n },
      { estimate: { least: nothing, most }, terms },
    );
    await ledger.settle(row);
  };
  now += hour;
  await charge(1, 30);
  now += hour;
  await charge(2, 30);
  now += hour;
  await workspaces.grant("team", 200n, "second");
  await charge(3, 50);
  now += 24 * hour;
  await charge(4, 7);
  const told = (await stores.openStatements().history("team")).map(
    ({ at, kind, requests, change, balance }) => [(at - START) / hour, kind, requests, change, balance],
  );
  expect(told).toEqual([
    [0, "grant", 0n, 100n, 100n],
    [1, "requests", 2n, -60n, 40n],
    [3, "grant", 0n, 200n, 240n],
    [3, "requests", 1n, -50n, 190n],
    [27, "requests", 1n, -7n, 183n],
  ]);
});

describe("an invoice", () => {
  async function invoiceOf(asked: readonly (readonly [number, Partial<Asked>])[], by: "day" | "model") {
    await using database = testDatabase();
    const stores = await database.open({ now: () => START });
    const ledger = stores.openLedger();
    await stores.openWorkspaces(() => ({ credits: "unlimited" })).ensure("team");
    const usual = {
      kind: "request",
      model: "m",
      tokens: 10,
      price: 20_000,
      microCredits: 1,
      heldBeyond: 0,
      fails: false,
    } as const;
    for (const [id, [at, own]] of asked.entries()) await ledger.settle(rowOf(id, at, { ...usual, ...own }));
    const { lines } = await stores.openStatements().invoice("team", "2026-11", [by]);
    return lines;
  }

  test("has the month's requests from its first millisecond to its last, in UTC, and no others", async () => {
    const from = Date.UTC(2026, 10);
    const to = Date.UTC(2026, 11);
    const lines = await invoiceOf(
      [
        [from - 1, {}],
        [from, {}],
        [to - 1, {}],
        [to, {}],
      ],
      "day",
    );
    expect(lines.map(({ day, requests }) => [day, requests])).toEqual([
      ["2026-11-01", 1n],
      ["2026-11-30", 1n],
    ]);
  });

  test("has a price if all of a line has the same, otherwise none", async () => {
    const at = Date.UTC(2026, 10, 3);
    const same = await invoiceOf(
      [
        [at, {}],
        [at + DAY_MS, { tokens: 7 }],
        [at, { tokens: 0 }],
      ],
      "model",
    );
    expect(same).toMatchObject([{ model: "m", requests: 3n, price: 20_000n }]);
    const changed = await invoiceOf(
      [
        [at, {}],
        [at, { price: 130_000 }],
      ],
      "model",
    );
    expect(changed).toMatchObject([{ price: null, tokens_billed: 20n, cost_pico_usd: 1_500_000n }]);
  });

  test("has no line below 0, even if an earlier charge or a used up balance paid for some of it", async () => {
    // 71 tokens are 0.497 micro-credits more: the micro-credit that October was charged too much pays for all of November.
    const lines = await invoiceOf(
      [
        [Date.UTC(2026, 9, 30), { microCredits: 0, tokens: 71 }],
        [Date.UTC(2026, 10, 3), { microCredits: 0, tokens: 71, model: "a" }],
        [Date.UTC(2026, 10, 4), { microCredits: 0, tokens: 0, model: "b" }],
      ],
      "model",
    );
    expect(lines.map(({ model, micro_credits }) => [model, micro_credits])).toEqual([
      ["a", 0n],
      ["b", 0n],
    ]);
  });

  test("leaves out failed requests without cost", async () => {
    expect(await invoiceOf([[Date.UTC(2026, 10, 3), { fails: true }]], "model")).toEqual([]);
  });
});

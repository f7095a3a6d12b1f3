/** Lines of batches in the ledger: held as a whole, charged once, whatever ended the process in between. */
import { afterEach, describe, expect, test } from "bun:test";
import { type Ledger, openLedger, UNDER_WAY } from "../../src/books/ledger";
import type { LedgerRow } from "../../src/books/ledger-row";
import { openStore, type Store } from "../../src/db/open";
import { fakeOutside, STARTED_AT } from "../fake-outside";

const stores: Store[] = [];
afterEach(() => {
  for (const store of stores.splice(0)) store.close();
});

const TERMS = { startingMicroCredits: 100n, caps: { day: undefined, month: undefined } };
const amount = (microCredits: bigint) => ({
  femtoCredits: microCredits * 1_000_000_000n,
  picoUsd: microCredits,
});
const holding = (microCredits: bigint) => ({
  estimate: { least: amount(microCredits), most: amount(microCredits) },
  terms: TERMS,
  reserve: "batch_1",
});

const row = (id: string, more: Partial<LedgerRow> = {}): LedgerRow => ({
  request_id: id,
  started_at: STARTED_AT,
  workspace: "w",
  key_id: null,
  model: "m",
  provider: "p",
  inputs: 1,
  cache_hits: 0,
  tokens: 1,
  tokens_upstream: 1,
  tokens_abandoned: 0,
  tokens_billed: 1,
  tokens_source: "provider",
  status: 200,
  error: null,
  latency_ms: 1,
  cost_pico_usd: 7n,
  cost_femto_credits: 7_000_000_000n,
  user: null,
  metadata: null,
  batch: "batch_1",
  ...more,
});

async function opened(): Promise<{
  readonly store: Store;
  readonly ledger: Ledger;
  readonly account: () => unknown;
}> {
  const store = await openStore(":memory:", fakeOutside().outside);
  stores.push(store);
  const account = () =>
    store.database
      .query(
        "SELECT micro_credits, micro_credits_held, pico_usd_held, (SELECT micro_credits FROM reserves) AS reserved FROM workspaces",
      )
      .get();
  return { store, ledger: openLedger(store), account };
}

const reserve = (ledger: Ledger, microCredits: bigint) =>
  ledger.lines.reserve({
    batch: "batch_1",
    workspace: "w",
    most: amount(microCredits),
    terms: TERMS,
    at: STARTED_AT,
  });

describe("a batch's reserve", () => {
  test("is what its lines are held of, and what is left goes back", async () => {
    const { ledger, account } = await opened();
    expect(await reserve(ledger, 60n)).toBe(true);
    expect(account()).toEqual({
      micro_credits: 100n,
      micro_credits_held: 60n,
      pico_usd_held: 60n,
      reserved: 60n,
    });
    await ledger.begin(row("a", { status: UNDER_WAY }), holding(20n));
    expect(account()).toEqual({
      micro_credits: 100n,
      micro_credits_held: 60n,
      pico_usd_held: 60n,
      reserved: 40n,
    });
    await ledger.settle(row("a"));
    expect(account()).toEqual({
      micro_credits: 93n,
      micro_credits_held: 40n,
      pico_usd_held: 40n,
      reserved: 40n,
    });
    await ledger.lines.release("batch_1", STARTED_AT);
    expect(account()).toEqual({
      micro_credits: 93n,
      micro_credits_held: 0n,
      pico_usd_held: 0n,
      reserved: null,
    });
    // Twice is once.
    await ledger.lines.release("batch_1", STARTED_AT);
    expect(account()).toEqual({
      micro_credits: 93n,
      micro_credits_held: 0n,
      pico_usd_held: 0n,
      reserved: null,
    });
  });

  test("is not made where it does not fit", async () => {
    const { ledger, account } = await opened();
    await expect(reserve(ledger, 101n)).rejects.toMatchObject({ kind: "insufficient_credit" });
    expect(account()).toBeNull();
    await reserve(ledger, 60n);
    const other = { batch: "batch_2", workspace: "w", most: amount(50n), terms: TERMS, at: STARTED_AT };
    expect(await ledger.lines.reserve(other)).toBe(false);
    expect(account()).toEqual({
      micro_credits: 100n,
      micro_credits_held: 60n,
      pico_usd_held: 60n,
      reserved: 60n,
    });
  });

  test("that no batch has is given back", async () => {
    const { ledger, account } = await opened();
    await reserve(ledger, 60n);
    await ledger.lines.releaseLost(STARTED_AT);
    expect(account()).toEqual({
      micro_credits: 100n,
      micro_credits_held: 0n,
      pico_usd_held: 0n,
      reserved: null,
    });
  });

  test.each(["of all", "of the batch"])("gets back what a crash left held, interrupted %s", async (which) => {
    const { ledger, account, store } = await opened();
    await reserve(ledger, 60n);
    await ledger.begin(row("a", { status: UNDER_WAY }), holding(20n));
    await ledger.begin(row("b", { status: UNDER_WAY, batch: null }), { ...holding(10n), reserve: undefined });
    if (which === "of all") {
      expect(await ledger.settleInterrupted()).toBe(2);
      expect(account()).toEqual({
        micro_credits: 100n,
        micro_credits_held: 60n,
        pico_usd_held: 60n,
        reserved: 60n,
      });
    } else {
      await ledger.lines.interrupt("batch_1");
      expect(account()).toEqual({
        micro_credits: 100n,
        micro_credits_held: 70n,
        pico_usd_held: 70n,
        reserved: 60n,
      });
    }
    expect(store.database.query("SELECT error FROM ledger WHERE request_id = 'a'").get()).toEqual({
      error: "interrupted",
    });
  });
});

describe("a line that a crash ended", () => {
  test("is settled once, however often it is said", async () => {
    const { ledger, account, store } = await opened();
    await reserve(ledger, 60n);
    await ledger.begin(row("a", { status: UNDER_WAY }), holding(20n));
    await ledger.lines.interrupt("batch_1");
    await ledger.lines.settleOnce(row("a"), TERMS);
    await ledger.lines.settleOnce(row("a"), TERMS);
    expect(account()).toEqual({
      micro_credits: 93n,
      micro_credits_held: 53n,
      pico_usd_held: 53n,
      reserved: 53n,
    });
    expect(store.database.query("SELECT status, tokens_billed FROM ledger").all()).toEqual([
      { status: 200n, tokens_billed: 1n },
    ]);
    expect([...(await ledger.lines.answered("batch_1"))]).toEqual(["a"]);
  });

  test("is run again under its own id, and what was sent before still counts", async () => {
    const { ledger, store } = await opened();
    await reserve(ledger, 60n);
    for (let attempt = 0; attempt < 2; attempt++) {
      await ledger.begin(row("a", { status: UNDER_WAY }), holding(20n));
      await ledger.lines.interrupt("batch_1");
      await ledger.lines.setAside("a");
    }
    await ledger.begin(row("a", { status: UNDER_WAY }), holding(20n));
    await ledger.settle(row("a"));
    // What was answered stays as it is.
    await ledger.lines.setAside("a");
    expect(
      store.database.query("SELECT request_id, status, tokens_upstream FROM ledger ORDER BY 1").all(),
    ).toEqual([
      { request_id: "a", status: 200n, tokens_upstream: 1n },
      { request_id: "a.1", status: 0n, tokens_upstream: 1n },
      { request_id: "a.2", status: 0n, tokens_upstream: 1n },
    ]);
  });
});

test("a process that has lost its batch to another leaves the other's row as it is", async () => {
  const { ledger, account, store } = await opened();
  const other = openLedger(store);
  await reserve(ledger, 60n);
  await ledger.begin(row("a", { status: UNDER_WAY }), holding(20n));
  await other.lines.interrupt("batch_1");
  await other.lines.setAside("a");
  await other.begin(row("a", { status: UNDER_WAY }), holding(20n));
  await ledger.settle(
    row("a", { status: 503, error: "x", tokens_billed: 0, cost_pico_usd: 0n, cost_femto_credits: 0n }),
  );
  await other.settle(row("a"));
  expect(account()).toEqual({
    micro_credits: 93n,
    micro_credits_held: 40n,
    pico_usd_held: 40n,
    reserved: 40n,
  });
  expect(store.database.query("SELECT request_id, status FROM ledger ORDER BY 1").all()).toEqual([
    { request_id: "a", status: 200n },
    { request_id: "a.1", status: 0n },
  ]);
});

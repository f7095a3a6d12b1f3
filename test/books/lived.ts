/** A workspace's life, played from random steps: answers, failures, refusals, crashes, settlings that come after them, and grants. */
import fc from "fast-check";
import { OWN_WORKSPACE, openLedger } from "../../src/books/ledger";
import type { LedgerRow } from "../../src/books/ledger-row";
import { openWorkspaces } from "../../src/callers/workspaces";
import { openStore, type Store } from "../../src/db/open";
import { fakeOutside } from "../fake-outside";

export const START = Date.UTC(2026, 9, 27, 22);

export interface Request {
  readonly kind: "request";
  readonly workspace: string;
  readonly model: string;
  readonly end: "answer" | "hit" | "failure" | "refusal" | "crash" | "late";
  readonly tokens: number;
  readonly others: number;
  readonly latency: number;
  readonly code: string;
  readonly metadata: string | null;
  readonly estimated: boolean;
}
export type Step =
  | Request
  | { readonly kind: "later"; readonly minutes: number }
  | { readonly kind: "grant"; readonly amount: number };

export const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.record({
      kind: fc.constant("request" as const),
      workspace: fc.constantFrom("acme", "beta", OWN_WORKSPACE),
      model: fc.constantFrom("small", "large"),
      end: fc.constantFrom(
        "answer" as const,
        "hit" as const,
        "failure" as const,
        "refusal" as const,
        "crash" as const,
        "late" as const,
      ),
      tokens: fc.nat(5_000),
      others: fc.nat(300),
      latency: fc.nat(90_000),
      code: fc.constantFrom("upstream_timeout", "rate_limit_exceeded"),
      metadata: fc.constantFrom(null, '{"team":"search"}', '{"team":"chat","run":7}'),
      estimated: fc.boolean(),
    }),
  },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant("later" as const), minutes: fc.nat(2_000) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("grant" as const), amount: fc.nat(4_000) }) },
);

const PRICES: Readonly<Record<string, bigint>> = { small: 20_000n, large: 130_001n };

export function rowOf(request: Request, id: string, startedAt: number): LedgerRow {
  const { workspace, model, end, tokens, others, latency, code, metadata, estimated } = request;
  const isAnswer = end === "answer" || end === "hit" || end === "late";
  const upstream = end === "hit" || end === "refusal" ? 0 : tokens + others;
  const price = PRICES[model] ?? 0n;
  const billed = isAnswer && end !== "hit" ? tokens : 0;
  return {
    request_id: id,
    started_at: startedAt,
    workspace,
    key_id: workspace === "acme" ? "key_1" : null,
    model,
    provider: end === "refusal" ? null : others > 0 && upstream > 0 ? "one, other" : "one",
    inputs: 2,
    cache_hits: end === "hit" ? 2 : 0,
    tokens: isAnswer ? tokens : 0,
    tokens_upstream: upstream,
    tokens_abandoned: 0,
    tokens_cached: end === "hit" ? tokens : 0,
    tokens_billed: billed,
    tokens_source: isAnswer ? (estimated ? "estimated" : "provider") : null,
    status: isAnswer ? 200 : 429,
    error: isAnswer ? null : end === "refusal" ? "refused" : code,
    kind: isAnswer ? null : "rate_limited",
    latency_ms: latency,
    cost_pico_usd: BigInt(billed) * price,
    cost_femto_credits: BigInt(billed) * price * 1_000n,
    upstream_pico_usd: BigInt(upstream) * price,
    saved_pico_usd: end === "hit" ? BigInt(tokens) * price : 0n,
    by_provider:
      others > 0 && upstream > 0
        ? `[["one",${tokens},${BigInt(tokens) * price}],["other",${others},${BigInt(others) * price}]]`
        : null,
    user: null,
    metadata: end === "refusal" ? null : metadata,
  };
}

export interface Books {
  readonly store: Store;
  readonly now: () => number;
  readonly turn: (ms: number) => void;
}

const amount = { femtoCredits: 10n ** 15n, picoUsd: 10n ** 12n };
export const HOLDING = {
  estimate: { least: { femtoCredits: 0n, picoUsd: 0n }, most: amount },
  terms: { startingMicroCredits: null, caps: { day: undefined, month: undefined } },
};

export async function liveIn(steps: readonly Step[], books: Books): Promise<void> {
  const { store, now, turn } = books;
  const ledger = openLedger(store, null, (model) => model);
  const workspaces = openWorkspaces(store, () => ({}), { now });
  await workspaces.create("acme", {}, 10n ** 12n);
  let count = 0;
  for (const one of steps) {
    if (one.kind === "later") turn(one.minutes * 60_000);
    else if (one.kind === "grant") await workspaces.grant("acme", BigInt(one.amount), "");
    else {
      const row = rowOf(one, `req_${count++}`, now());
      if (one.end !== "hit" && one.end !== "refusal") await ledger.begin({ ...row, status: 0 }, HOLDING);
      if (one.end === "crash" || one.end === "late") await ledger.settleInterrupted();
      if (one.end !== "crash") await ledger.settle(row);
    }
    turn(1);
  }
}

export async function opened(path = ":memory:"): Promise<Books> {
  let now = START;
  const { outside } = fakeOutside();
  return {
    store: await openStore(path, outside),
    now: () => now,
    turn(ms) {
      now += ms;
    },
  };
}

export interface Lived extends Books, AsyncDisposable {
  /** An answer of `acme`. */
  rowOf(id: string, metadata: string | null, startedAt: number): LedgerRow;
}

export async function lived(steps: readonly Step[]): Promise<Lived> {
  const books = await opened();
  await liveIn(steps, books);
  const answer = { kind: "request", workspace: "acme", model: "small", end: "answer", tokens: 9 } as const;
  return {
    ...books,
    rowOf: (id, metadata, startedAt) =>
      rowOf({ ...answer, others: 0, latency: 9, code: "", estimated: false, metadata }, id, startedAt),
    async [Symbol.asyncDispose]() {
      books.store.close();
    },
  };
}

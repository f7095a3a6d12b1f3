/**
 * Random lives of a ledger: answers, failures, refusals, answers of several providers, crashes and settlings that come after them, grants, and time
 * that passes. What must hold after any of them is judged by who draws them.
 */
import fc from "fast-check";
import type { Ledger } from "../../src/books/ledger";
import { OWN_WORKSPACE } from "../../src/books/ledger";
import type { LedgerRow } from "../../src/books/ledger-row";
import type { Statements } from "../../src/books/statements";
import { USAGE_GROUPS, type UsageLine } from "../../src/books/usage";
import type { Workspaces } from "../../src/callers/workspaces";

export const DAY_MS = 86_400_000;
/** Long ago by any clock. */
export const START = Date.UTC(2024, 9, 27, 22);

/** Begins with the lives, and is turned by their steps. */
export function clock() {
  let at = START;
  return {
    now: () => at,
    turn(ms: number) {
      at += ms;
    },
  };
}
export const MONTHS = ["2024-10", "2024-11", "2024-12"];

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

const amount = { femtoCredits: 10n ** 15n, picoUsd: 10n ** 12n };
export const HOLDING = {
  estimate: { least: { femtoCredits: 0n, picoUsd: 0n }, most: amount },
  terms: { startingMicroCredits: null, caps: { day: undefined, month: undefined } },
};

export interface Life {
  readonly ledger: Ledger;
  readonly workspaces: Pick<Workspaces, "create" | "grant">;
  readonly now: () => number;
  readonly turn: (ms: number) => void;
  /** The rows under way are marked as a crash leaves them. */
  readonly interrupt: () => Promise<unknown>;
  /** Of a row that was interrupted. */
  readonly settleLate: (row: LedgerRow) => Promise<unknown>;
  /** After each step. */
  readonly after?: (place: number) => Promise<void>;
}

export async function lived(steps: readonly Step[], life: Life): Promise<void> {
  const { ledger, workspaces, now, turn, interrupt, settleLate, after } = life;
  await workspaces.create("acme", {}, 10n ** 12n);
  let count = 0;
  for (const [place, one] of steps.entries()) {
    if (one.kind === "later") turn(one.minutes * 60_000);
    else if (one.kind === "grant") await workspaces.grant("acme", BigInt(one.amount), "");
    else {
      const row = rowOf(one, `req_${count++}`, now());
      if (one.end !== "hit" && one.end !== "refusal") await ledger.begin({ ...row, status: 0 }, HOLDING);
      if (one.end === "crash" || one.end === "late") await interrupt();
      if (one.end === "late") await settleLate(row);
      else if (one.end !== "crash") await ledger.settle(row);
    }
    turn(1);
    await after?.(place);
  }
}

export const GROUPS = [
  ...USAGE_GROUPS.map((group) => [group] as const),
  ["workspace", "model", "day", "provider"] as const,
];
export const counts = (line: UsageLine) =>
  line.requests > 0n || line.tokens_upstream > 0n || line.tokens > 0n;

/** Everything that is reported about usage and money, for whole days. */
export function toldOf(
  ledger: Pick<Ledger, "usage">,
  statements: Pick<Statements, "invoice" | "history">,
): Promise<unknown> {
  const pair = new Map([["team", "search"]]);
  const workspaces = ["acme", "beta"];
  return Promise.all([
    ...GROUPS.flatMap((by) => [
      ledger.usage(0, by),
      ledger.usage(0, by, { workspace: "acme" }),
      ledger.usage(0, by, { metadata: pair }),
    ]),
    ...workspaces.flatMap((workspace) =>
      MONTHS.flatMap((month) =>
        ([["day", "model"], ["model"], ["day"]] as const).map((by) =>
          statements.invoice(workspace, month, by),
        ),
      ),
    ),
    ...workspaces.map((workspace) => statements.history(workspace)),
  ]);
}

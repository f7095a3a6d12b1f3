/**
 * Credits: never below zero, and adding up. Nothing stays held, and nobody is refused who could have paid.
 * A further limit that can be used up is a further function here.
 */
import type { Database } from "bun:sqlite";
import type { Ask } from "./asks";
import { Breach } from "./calls";
import type { Scenario } from "./scenario";
import { bytesOf, sum } from "./truth";

/** A credit is a USD, and a token's price is in whole pico-USD: this many are a micro-credit. */
const PICO_USD_PER_MICRO_CREDIT = 1_000_000n;

const wrong = (what: string) => new Breach("credits add up", what);

/** Rounded up, like all charges. */
export const microCreditsOf = (picoUsd: bigint) =>
  (picoUsd + PICO_USD_PER_MICRO_CREDIT - 1n) / PICO_USD_PER_MICRO_CREDIT;

/** The workspace of requests if no key is needed. */
export const NO_KEYS_WORKSPACE = "default";

/** The credits of an ask's workspace; undefined: no limit. A workspace that could never pay was never created. */
export function microCreditsLeft(ask: Ask, scenario: Scenario, database: Database): bigint | undefined {
  if (scenario.microCredits === undefined) return undefined;
  const row = database
    .query<{ micro_credits: bigint | null }, [string]>("SELECT micro_credits FROM workspaces WHERE name = ?")
    .get(ask.workspace ?? NO_KEYS_WORKSPACE);
  return row?.micro_credits ?? BigInt(scenario.microCredits);
}

/** Whether an ask may cost more than is left, for someone who has not counted its tokens. */
export function mayCostMore(ask: Ask, left: bigint): boolean {
  const tokensMax = sum(
    ask.inputs.map((input) => (typeof input === "string" ? bytesOf(input) : input.length) + 8),
  );
  return microCreditsOf(BigInt(tokensMax) * BigInt(ask.model?.price ?? 0)) > left;
}

interface Account {
  readonly name: string;
  readonly micro_credits: bigint | null;
  readonly micro_credits_held: bigint;
  readonly pico_usd_held: bigint;
  readonly granted: bigint;
  readonly charged: bigint;
  readonly spent: bigint;
  readonly cost: bigint;
  readonly femto_credits_prepaid: bigint;
  readonly rounded: bigint;
}

/** Once everything is quiet. @throws Breach */
export function judgeCredits(database: Database): void {
  const accounts = database
    .query<Account, []>(
      `SELECT name, micro_credits, micro_credits_held, pico_usd_held, femto_credits_prepaid,
         (SELECT coalesce(sum(femto_credits_rounded), 0) FROM ledger WHERE workspace = name) AS rounded,
         (SELECT coalesce(sum(micro_credits), 0) FROM credit_grants WHERE workspace = name) AS granted,
         (SELECT coalesce(sum(micro_credits), 0) FROM ledger WHERE workspace = name) AS charged,
         (SELECT coalesce(sum(cost_pico_usd), 0) FROM spending WHERE workspace = name) AS spent,
         (SELECT coalesce(sum(cost_pico_usd), 0) FROM ledger WHERE workspace = name) AS cost
       FROM workspaces`,
    )
    .all();
  for (const { name, micro_credits, granted, charged, spent, cost, ...held } of accounts) {
    const { femto_credits_prepaid: prepaid, rounded } = held;
    if (prepaid !== rounded || prepaid < 0n || prepaid >= 1_000_000_000n)
      throw wrong(
        `${name}'s charges are ${prepaid} femto-credits from their exact sum, and its rows say ${rounded}`,
      );
    if (held.micro_credits_held !== 0n || held.pico_usd_held !== 0n)
      throw wrong(
        `${name} still holds ${held.micro_credits_held} micro-credits, ${held.pico_usd_held} pico-USD`,
      );
    if (micro_credits !== null && (micro_credits < 0n || micro_credits !== granted - charged))
      throw wrong(`${name} has ${micro_credits} micro-credits, of ${granted} and with ${charged} charged`);
    if (spent !== cost) throw wrong(`${name} spent ${spent} pico-USD, and its rows say ${cost}`);
  }
}

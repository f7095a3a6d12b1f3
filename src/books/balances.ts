/**
 * Credits and caps inside the ledger's transactions: what a request may come to is held before its first call, and its hold is
 * replaced by what it did cost in the transaction of its row. A balance never goes below zero.
 * A further thing that can run out is a further `room` in `hold`.
 */
import type { Database } from "bun:sqlite";
import type { Store } from "../db/open";
import type { Gathering } from "../db/writer";
import { GatewayError } from "../domain/errors";
import { creditsOf, usdOf } from "./money";

export interface Amount {
  readonly microCredits: bigint;
  readonly picoUsd: bigint;
}

/** What a request may cost, before anybody has counted: from the least that is thinkable to the most. */
export interface Estimate {
  readonly least: Amount;
  readonly most: Amount;
}

/** In pico-USD; undefined: none. */
export interface Caps {
  readonly day: bigint | undefined;
  readonly month: bigint | undefined;
}

/** What a workspace is given when it is first seen, and what it may spend. */
export interface Terms {
  readonly startingMicroCredits: bigint | null;
  readonly caps: Caps;
}

export interface Charge {
  readonly microCredits: bigint;
  /** What of it was taken from a balance: nothing without a limit. */
  readonly taken: bigint;
  /** What the hold did not cover: recorded, and never taken. */
  readonly short: bigint;
  /** The balance afterwards; null without a limit. */
  readonly remaining: bigint | null;
}

export interface Hold {
  readonly microCredits: bigint;
  readonly picoUsd: bigint;
}

/**
 * Every method runs inside a transaction of the caller's, and those of one transaction see what those before them did. What they change
 * is in the database once `flush` has run: a workspace is read and written once for all requests of a transaction.
 */
export interface Balances extends Gathering {
  /**
   * @returns undefined where it would fit once other requests of the workspace have settled: to be asked again then
   * @throws GatewayError insufficient_credit | cap_exceeded
   */
  hold(workspace: string, estimate: Estimate, terms: Terms, at: number): Hold | undefined;
  /** What a request would be charged now. @param held for it, which ends with its charge */
  due(workspace: string, cost: Amount, held: Hold): Charge;
  /** Takes it. */
  take(workspace: string, cost: Amount, held: Hold, charge: Charge, at: number): void;
}

export const NOTHING: Hold = { microCredits: 0n, picoUsd: 0n };

/** UTC. */
export function dayOf(at: number): string {
  const day = Math.floor(at / DAY_MS);
  if (day !== lastDay.day) lastDay = { day, name: new Date(at).toISOString().slice(0, 10) };
  return lastDay.name;
}

const DAY_MS = 86_400_000;
/** It is the same one for very long. */
let lastDay = { day: Number.NaN, name: "" };

/** Makes a workspace on first sight, with what it has to begin with. @returns whether it was made */
export type Ensure = (workspace: string, startingMicroCredits: bigint | null, at: number) => boolean;

/** For inside a transaction of the caller's. */
export function openEnsure(database: Database): Ensure {
  const insert = database.query<unknown, [string, number, bigint | null]>(
    "INSERT OR IGNORE INTO workspaces (name, created_at, micro_credits) VALUES (?1, ?2, ?3)",
  );
  const grant = database.query<unknown, [string, number, bigint]>(
    "INSERT INTO credit_grants (workspace, granted_at, micro_credits, balance, note) VALUES (?1, ?2, ?3, ?3, 'to begin with')",
  );
  return (workspace, starting, at) => {
    if (insert.run(workspace, at, starting).changes === 0) return false;
    if (starting !== null && starting > 0n) grant.run(workspace, at, starting);
    return true;
  };
}

/** Of one workspace, as the transaction has it so far. */
interface Account {
  credits: bigint | null;
  microCreditsHeld: bigint;
  picoUsdHeld: bigint;
  isChanged: boolean;
}

/** What a workspace has spent. */
interface Spent {
  /** In this transaction, by the day. */
  readonly added: Map<string, bigint>;
  /** Sums that the database has, by the day they begin with. */
  readonly before: Map<string, bigint>;
}

interface AccountRow {
  readonly micro_credits: bigint | null;
  readonly micro_credits_held: bigint;
  readonly pico_usd_held: bigint;
}

export function openBalances({ database }: Pick<Store, "database">): Balances {
  const select = database.query<AccountRow, [string]>(
    "SELECT micro_credits, micro_credits_held, pico_usd_held FROM workspaces WHERE name = ?1",
  );
  const sumSince = database.query<{ readonly sum: bigint }, [string, string]>(
    "SELECT coalesce(sum(cost_pico_usd), 0) AS sum FROM spending WHERE workspace = ?1 AND day >= ?2",
  );
  const update = database.query<unknown, [string, bigint | null, bigint, bigint]>(
    "UPDATE workspaces SET micro_credits = ?2, micro_credits_held = ?3, pico_usd_held = ?4 WHERE name = ?1",
  );
  const spend = database.query<unknown, [string, string, bigint]>(
    `INSERT INTO spending (workspace, day, cost_pico_usd) VALUES (?1, ?2, ?3)
     ON CONFLICT (workspace, day) DO UPDATE SET cost_pico_usd = cost_pico_usd + excluded.cost_pico_usd`,
  );
  const ensure = openEnsure(database);
  const accounts = new Map<string, Account>();
  const spending = new Map<string, Spent>();

  function accountOf(workspace: string): Account | undefined {
    const known = accounts.get(workspace);
    if (known) return known;
    const row = select.get(workspace);
    if (!row) return undefined;
    const account: Account = {
      credits: row.micro_credits,
      microCreditsHeld: row.micro_credits_held,
      picoUsdHeld: row.pico_usd_held,
      isChanged: false,
    };
    accounts.set(workspace, account);
    return account;
  }

  function accountMade(workspace: string, startingMicroCredits: bigint | null, at: number): Account {
    const known = accountOf(workspace);
    if (known) return known;
    ensure(workspace, startingMicroCredits, at);
    const made = accountOf(workspace);
    if (made) return made;
    throw new GatewayError("internal", "A workspace that was just made is not there.");
  }

  function spentBy(workspace: string): Spent {
    let spent = spending.get(workspace);
    if (!spent) {
      spent = { added: new Map(), before: new Map() };
      spending.set(workspace, spent);
    }
    return spent;
  }

  /** From a day on. */
  function spentSince(workspace: string, day: string): bigint {
    const { added, before } = spentBy(workspace);
    let sum = before.get(day);
    if (sum === undefined) {
      sum = sumSince.get(workspace, day)?.sum ?? 0n;
      before.set(day, sum);
    }
    for (const [spentOn, amount] of added) if (spentOn >= day) sum += amount;
    return sum;
  }

  /** Day and month, each with what is left of its cap before other requests under way are counted. */
  function capRooms(workspace: string, caps: Caps, at: number): CapRoom[] {
    const rooms: CapRoom[] = [];
    if (caps.day === undefined && caps.month === undefined) return rooms;
    const day = dayOf(at);
    if (caps.day !== undefined)
      rooms.push({ period: "day", limit: caps.day, left: caps.day - spentSince(workspace, day) });
    if (caps.month !== undefined) {
      const sum = spentSince(workspace, `${day.slice(0, 8)}01`);
      rooms.push({ period: "month", limit: caps.month, left: caps.month - sum });
    }
    return rooms;
  }

  function forget(): void {
    accounts.clear();
    spending.clear();
  }

  return {
    hold(workspace, { least, most }, { startingMicroCredits, caps }, at) {
      const account = accountMade(workspace, startingMicroCredits, at);
      const { credits } = account;
      let microCredits = most.microCredits;
      if (credits !== null) {
        const fitting = fit(credits, account.microCreditsHeld, least.microCredits, most.microCredits);
        if (fitting === "wait") return undefined;
        if (fitting === "none") throw insufficient(credits, account.microCreditsHeld, least.microCredits);
        microCredits = fitting;
      }
      for (const room of capRooms(workspace, caps, at)) {
        const fitting = fit(room.left, account.picoUsdHeld, least.picoUsd, most.picoUsd);
        if (fitting === "wait") return undefined;
        if (fitting === "none") throw capExceeded(room, least.picoUsd, at);
      }
      if (microCredits === 0n && most.picoUsd === 0n) return NOTHING;
      account.microCreditsHeld += microCredits;
      account.picoUsdHeld += most.picoUsd;
      account.isChanged = true;
      return { microCredits, picoUsd: most.picoUsd };
    },
    due(workspace, cost, held) {
      const credits = accountOf(workspace)?.credits ?? null;
      let taken = cost.microCredits;
      // Less than is held may be left where a workspace without a limit was given one meanwhile.
      if (credits !== null && taken > held.microCredits) taken = held.microCredits;
      if (credits !== null && taken > credits) taken = credits;
      return {
        microCredits: taken,
        taken: credits === null ? 0n : taken,
        short: cost.microCredits - taken,
        remaining: credits === null ? null : credits - taken,
      };
    },
    take(workspace, cost, held, charge, at) {
      if (cost.picoUsd > 0n) {
        const { added } = spentBy(workspace);
        const day = dayOf(at);
        added.set(day, (added.get(day) ?? 0n) + cost.picoUsd);
      }
      const account = accountOf(workspace);
      if (!account || (held === NOTHING && charge.taken === 0n)) return;
      account.microCreditsHeld -= held.microCredits;
      account.picoUsdHeld -= held.picoUsd;
      if (account.credits !== null) account.credits -= charge.taken;
      account.isChanged = true;
    },
    flush() {
      for (const [workspace, account] of accounts) {
        if (account.isChanged)
          update.run(workspace, account.credits, account.microCreditsHeld, account.picoUsdHeld);
      }
      for (const [workspace, { added }] of spending) {
        for (const [day, amount] of added) spend.run(workspace, day, amount);
      }
      forget();
    },
    ended: forget,
  };
}

/**
 * How much of `left` a request may hold. Near the end, where the most does not fit, it waits for those under way, who may yet cost
 * less than is held for them; alone, it holds all that is left, as long as that covers the least.
 */
function fit(left: bigint, others: bigint, least: bigint, most: bigint): bigint | "wait" | "none" {
  if (most === 0n || left - others >= most) return most;
  if (left < least || left <= 0n) return "none";
  return others > 0n ? "wait" : left;
}

interface CapRoom {
  readonly period: "day" | "month";
  /** In pico-USD, both. */
  readonly limit: bigint;
  readonly left: bigint;
}

function insufficient(credits: bigint, held: bigint, least: bigint): GatewayError {
  const others = held === 0n ? "" : ` (${creditsOf(held)} of them held by requests under way)`;
  return new GatewayError(
    "insufficient_credit",
    `The workspace has ${creditsOf(credits)} credits left${others}, and this request costs ${atLeast(least, creditsOf)} credits or more. Whoever runs the gateway can grant more.`,
  );
}

function capExceeded({ period, limit, left }: CapRoom, least: bigint, at: number): GatewayError {
  const until = `The next ${period} begins at ${beginOfNext(period, at)}.`;
  return new GatewayError(
    "cap_exceeded",
    `The workspace may spend ${usdOf(limit)} USD a ${period} (cap_usd_per_${period}) and has spent ${usdOf(limit - left)}; this request costs ${atLeast(least, usdOf)} USD or more. ${until}`,
    { withoutCost: `The workspace's spending cap of this ${period} is reached. ${until}` },
  );
}

/** Even what may be free is not, where nothing is left. */
const atLeast = (least: bigint, asText: (amount: bigint) => string) => asText(least > 0n ? least : 1n);

/** UTC, such as 2026-11-29T00:00:00Z. */
function beginOfNext(period: CapRoom["period"], at: number): string {
  const now = new Date(at);
  const [year, month] = [now.getUTCFullYear(), now.getUTCMonth()];
  const next = period === "day" ? Date.UTC(year, month, now.getUTCDate() + 1) : Date.UTC(year, month + 1);
  return new Date(next).toISOString().replace(".000", "");
}

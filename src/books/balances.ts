/**
 * Credits and spending caps inside the ledger's transactions: the most that a request may cost is held before its first call, and the
 * transaction of its row replaces the hold by the actual cost. A balance never goes below zero.
 * A new limit that can be used up is a further `room` in `hold`.
 */
import type { Database } from "bun:sqlite";
import type { Store } from "../db/open";
import type { Gathering } from "../db/writer";
import { GatewayError } from "../domain/errors";
import {
  type Amount,
  type CapRoom,
  capExceeded,
  due,
  type Estimate,
  fit,
  fitCredits,
  insufficient,
} from "./fitting";
import { FEMTO_CREDITS_PER_MICRO_CREDIT } from "./money";
import { dayOf, periodAt } from "./periods";

/** In pico-USD; undefined: no cap. */
export interface Caps {
  readonly day: bigint | undefined;
  readonly month: bigint | undefined;
  /** The time zone of the caps' days and months. Left out: UTC. */
  readonly timeZone?: string | undefined;
}

/** A workspace's credits when it is first seen, and its caps. */
export interface Terms {
  readonly startingMicroCredits: bigint | null;
  readonly caps: Caps;
}

/** What a row holds of its workspace's credits and caps until it is settled. */
export interface Holding {
  readonly estimate: Estimate;
  readonly terms: Terms;
  /** The batch from whose reserve the hold is taken. Left out: a new hold is made. */
  readonly reserve?: string | undefined;
}

export interface Charge {
  readonly microCredits: bigint;
  /** The part that was taken from a balance: nothing if the workspace has no limit. */
  readonly taken: bigint;
  /** The part that neither the hold nor free credits covered: recorded, and never taken. */
  readonly short: bigint;
  /** The balance afterwards; null without a limit. */
  readonly remaining: bigint | null;
  /** The charge minus the exact cost; negative if an earlier charge was rounded up by more. */
  readonly femtoCreditsRounded: bigint;
}

export interface Hold {
  readonly microCredits: bigint;
  readonly picoUsd: bigint;
  /** The day that the spending counts towards, in the time zone of the workspace's caps. */
  readonly day?: string;
}

/**
 * Every method must run inside a transaction, and sees the changes of earlier calls in the same transaction. The changes are in the
 * database once `flush` has run: each workspace is read and written once for all requests of a transaction.
 */
export interface Balances extends Gathering {
  /**
   * @returns undefined if it would fit after other requests of the workspace have settled: ask again then
   * @throws GatewayError insufficient_credit | cap_exceeded
   */
  hold(workspace: string, estimate: Estimate, terms: Terms, at: number): Hold | undefined;
  /** What a request would be charged now. @param held its hold, which ends with the charge */
  due(workspace: string, cost: Amount, held: Hold): Charge;
  /** Makes the charge. */
  take(workspace: string, cost: Amount, held: Hold, charge: Charge, at: number): void;
}

export const NOTHING: Hold = { microCredits: 0n, picoUsd: 0n };

/** Creates a workspace when it is first seen, with its initial credits. @returns whether it was created */
export type Ensure = (workspace: string, startingMicroCredits: bigint | null, at: number) => boolean;

/** Must be called inside a transaction. */
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

/** One workspace, including the changes of the current transaction. */
interface Account {
  credits: bigint | null;
  /** How far its charges, in whole micro-credits, exceed the exact sum of its costs: less than one micro-credit. */
  femtoCreditsPrepaid: bigint;
  microCreditsHeld: bigint;
  picoUsdHeld: bigint;
  isChanged: boolean;
}

/** What a workspace has spent. */
interface Spent {
  /** In this transaction, by day. */
  readonly added: Map<string, bigint>;
  /** Sums from the database, by the day on which they start. */
  readonly before: Map<string, bigint>;
}

interface AccountRow {
  readonly micro_credits: bigint | null;
  readonly femto_credits_prepaid: bigint;
  readonly micro_credits_held: bigint;
  readonly pico_usd_held: bigint;
}

export function openBalances({ database }: Pick<Store, "database">): Balances {
  const select = database.query<AccountRow, [string]>(
    "SELECT micro_credits, femto_credits_prepaid, micro_credits_held, pico_usd_held FROM workspaces WHERE name = ?1",
  );
  const sumSince = database.query<{ readonly sum: bigint }, [string, string]>(
    "SELECT coalesce(sum(cost_pico_usd), 0) AS sum FROM spending WHERE workspace = ?1 AND day >= ?2",
  );
  const update = database.query<unknown, [string, bigint | null, bigint, bigint, bigint]>(
    "UPDATE workspaces SET micro_credits = ?2, micro_credits_held = ?3, pico_usd_held = ?4, femto_credits_prepaid = ?5 WHERE name = ?1",
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
      femtoCreditsPrepaid: row.femto_credits_prepaid,
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
    throw new GatewayError("internal", "A workspace that was just created cannot be found.");
  }

  function spentBy(workspace: string): Spent {
    let spent = spending.get(workspace);
    if (!spent) {
      spent = { added: new Map(), before: new Map() };
      spending.set(workspace, spent);
    }
    return spent;
  }

  /** The spending since the start of a day. */
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

  /** Day and month, each with what is left of its cap before other requests in flight are counted. */
  function capRooms(workspace: string, caps: Caps, at: number): CapRoom[] {
    const rooms: CapRoom[] = [];
    if (caps.day === undefined && caps.month === undefined) return rooms;
    const { day, dayEndsAt, monthBegins, monthEndsAt } = periodAt(at, caps.timeZone);
    if (caps.day !== undefined)
      rooms.push({
        period: "day",
        limit: caps.day,
        left: caps.day - spentSince(workspace, day),
        endsAt: () => dayEndsAt,
      });
    if (caps.month !== undefined)
      rooms.push({
        period: "month",
        limit: caps.month,
        left: caps.month - spentSince(workspace, monthBegins),
        endsAt: monthEndsAt,
      });
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
      let microCredits = due(most, account);
      if (credits !== null) {
        const fitting = fitCredits(credits, account, least, most);
        if (fitting === "wait") return undefined;
        if (fitting === "none") throw insufficient(credits, account.microCreditsHeld, least.femtoCredits);
        microCredits = fitting;
      }
      const rooms = capRooms(workspace, caps, at);
      const fits = rooms.map(({ left }) => fit(left, account.picoUsdHeld, least.picoUsd, most.picoUsd));
      // If both caps are reached, the request fits again only at the later end: the month's.
      const reached = rooms.findLast((_, i) => fits[i] === "none");
      if (reached) throw capExceeded(reached, least.picoUsd, at);
      if (fits.includes("wait")) return undefined;
      if (microCredits === 0n && most.picoUsd === 0n) return NOTHING;
      account.microCreditsHeld += microCredits;
      account.picoUsdHeld += most.picoUsd;
      account.isChanged = true;
      return { microCredits, picoUsd: most.picoUsd, day: periodAt(at, caps.timeZone).day };
    },
    due(workspace, cost, held) {
      const account = accountOf(workspace);
      const credits = account?.credits ?? null;
      const owed = due(cost, account);
      let taken = owed;
      if (account && credits !== null) {
        // A request's hold does not include the cost of retries: credits that nobody holds may pay for it.
        const free = credits - account.microCreditsHeld;
        const most = held.microCredits + (free > 0n ? free : 0n);
        if (taken > most) taken = most;
        // Less than the hold may be left if a workspace without a limit was given one meanwhile.
        if (taken > credits) taken = credits;
      }
      return {
        microCredits: taken,
        taken: credits === null ? 0n : taken,
        short: owed - taken,
        remaining: credits === null ? null : credits - taken,
        femtoCreditsRounded: owed * FEMTO_CREDITS_PER_MICRO_CREDIT - cost.femtoCredits,
      };
    },
    take(workspace, cost, held, charge, at) {
      if (cost.picoUsd > 0n) {
        const { added } = spentBy(workspace);
        const day = held.day ?? dayOf(at);
        added.set(day, (added.get(day) ?? 0n) + cost.picoUsd);
      }
      const account = accountOf(workspace);
      if (!account || (held === NOTHING && charge.taken === 0n && charge.femtoCreditsRounded === 0n)) return;
      account.femtoCreditsPrepaid += charge.femtoCreditsRounded;
      account.microCreditsHeld -= held.microCredits;
      account.picoUsdHeld -= held.picoUsd;
      if (account.credits !== null) account.credits -= charge.taken;
      account.isChanged = true;
    },
    flush() {
      for (const [workspace, account] of accounts) {
        if (account.isChanged)
          update.run(
            workspace,
            account.credits,
            account.microCreditsHeld,
            account.picoUsdHeld,
            account.femtoCreditsPrepaid,
          );
      }
      for (const [workspace, { added }] of spending) {
        for (const [day, amount] of added) spend.run(workspace, day, amount);
      }
      forget();
    },
    ended: forget,
  };
}

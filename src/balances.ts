/**
 * Credits and caps inside the ledger's transactions: what a request may come to is held before its first call, and its hold is
 * replaced by what it did cost in the transaction of its row. A balance never goes below zero.
 * A further thing that can run out is a further `room` in `hold`.
 */
import type { Store } from "./db/open";
import { GatewayError } from "./errors";

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

/** Every method runs inside a transaction of the caller's. */
export interface Balances {
  /**
   * Replaces what is held for the request, if anything is.
   * @returns undefined where it would fit once other requests of the workspace have settled: to be asked again then
   * @throws GatewayError insufficient_credit | cap_exceeded
   */
  hold(workspace: string, requestId: string, estimate: Estimate, terms: Terms, at: number): Hold | undefined;
  /** Takes what a request did cost and ends its hold. */
  charge(workspace: string, requestId: string, due: Amount, at: number): Charge;
  /** Ends the holds of rows that are about to be marked as interrupted. */
  releaseUnderWay(): void;
  /** Makes the workspace on first sight, with what it has to begin with. @returns whether it was made */
  ensure(workspace: string, startingMicroCredits: bigint | null, at: number): boolean;
}

interface Held {
  readonly micro_credits_held: bigint;
  readonly pico_usd_held: bigint;
}

const NOTHING: Held = { micro_credits_held: 0n, pico_usd_held: 0n };

/** UTC. */
export const dayOf = (at: number): string => new Date(at).toISOString().slice(0, 10);

export function openBalances({ database }: Pick<Store, "database">): Balances {
  const insert = database.query<unknown, [string, number, bigint | null]>(
    "INSERT OR IGNORE INTO workspaces (name, created_at, micro_credits) VALUES (?1, ?2, ?3)",
  );
  const grant = database.query<unknown, [string, number, bigint]>(
    "INSERT INTO credit_grants (workspace, granted_at, micro_credits, balance, note) VALUES (?1, ?2, ?3, ?3, 'to begin with')",
  );
  const heldBy = database.query<Held, [string]>(
    "SELECT micro_credits_held, pico_usd_held FROM ledger WHERE request_id = ?1",
  );
  const account = database.query<Held & { readonly micro_credits: bigint | null }, [string]>(
    "SELECT micro_credits, micro_credits_held, pico_usd_held FROM workspaces WHERE name = ?1",
  );
  const spent = database.query<{ readonly sum: bigint }, [string, string]>(
    "SELECT coalesce(sum(cost_pico_usd), 0) AS sum FROM spending WHERE workspace = ?1 AND day >= ?2",
  );
  const changeHold = database.query<unknown, [string, bigint, bigint]>(
    `UPDATE workspaces SET micro_credits_held = micro_credits_held + ?2, pico_usd_held = pico_usd_held + ?3
     WHERE name = ?1`,
  );
  const take = database.query<unknown, [string, bigint]>(
    "UPDATE workspaces SET micro_credits = micro_credits - ?2 WHERE name = ?1 AND micro_credits IS NOT NULL",
  );
  const spend = database.query<unknown, [string, string, bigint]>(
    `INSERT INTO spending (workspace, day, cost_pico_usd) VALUES (?1, ?2, ?3)
     ON CONFLICT (workspace, day) DO UPDATE SET cost_pico_usd = cost_pico_usd + excluded.cost_pico_usd`,
  );
  const underWay = "FROM ledger WHERE status = 0 AND error IS NULL";
  const releaseAll = database.query(
    `UPDATE workspaces SET
       micro_credits_held = micro_credits_held - (SELECT coalesce(sum(micro_credits_held), 0) ${underWay} AND workspace = name),
       pico_usd_held = pico_usd_held - (SELECT coalesce(sum(pico_usd_held), 0) ${underWay} AND workspace = name)
     WHERE name IN (SELECT workspace ${underWay})`,
  );
  const forgetHolds = database.query(
    "UPDATE ledger SET micro_credits_held = 0, pico_usd_held = 0 WHERE status = 0 AND error IS NULL",
  );

  const accountOf = (workspace: string) => account.get(workspace) ?? { ...NOTHING, micro_credits: null };

  /** Day and month, each with what is left of its cap before other requests under way are counted. */
  function capRooms(workspace: string, caps: Caps, at: number): { name: string; left: bigint }[] {
    const rooms: { name: string; left: bigint }[] = [];
    const day = dayOf(at);
    if (caps.day !== undefined)
      rooms.push({ name: "cap_usd_per_day", left: caps.day - (spent.get(workspace, day)?.sum ?? 0n) });
    if (caps.month !== undefined) {
      const sum = spent.get(workspace, `${day.slice(0, 8)}01`)?.sum ?? 0n;
      rooms.push({ name: "cap_usd_per_month", left: caps.month - sum });
    }
    return rooms;
  }

  function ensure(workspace: string, starting: bigint | null, at: number): boolean {
    if (insert.run(workspace, at, starting).changes === 0) return false;
    if (starting !== null && starting > 0n) grant.run(workspace, at, starting);
    return true;
  }

  return {
    ensure,
    hold(workspace, requestId, { least, most }, { startingMicroCredits, caps }, at) {
      ensure(workspace, startingMicroCredits, at);
      const own = heldBy.get(requestId) ?? NOTHING;
      const { micro_credits: credits, ...held } = accountOf(workspace);
      const others = {
        microCredits: held.micro_credits_held - own.micro_credits_held,
        picoUsd: held.pico_usd_held - own.pico_usd_held,
      };
      let microCredits = most.microCredits;
      if (credits !== null) {
        const fitting = fit(credits, others.microCredits, least.microCredits, most.microCredits);
        if (fitting === "wait") return undefined;
        if (fitting === "none") throw insufficient(credits);
        microCredits = fitting;
      }
      for (const { name, left } of capRooms(workspace, caps, at)) {
        const fitting = fit(left, others.picoUsd, least.picoUsd, most.picoUsd);
        if (fitting === "wait") return undefined;
        if (fitting === "none") throw capExceeded(name);
      }
      changeHold.run(workspace, microCredits - own.micro_credits_held, most.picoUsd - own.pico_usd_held);
      return { microCredits, picoUsd: most.picoUsd };
    },
    charge(workspace, requestId, due, at) {
      const own = heldBy.get(requestId) ?? NOTHING;
      const { micro_credits: credits } = accountOf(workspace);
      let taken = due.microCredits;
      // Less than is held may be left where a workspace without a limit was given one meanwhile.
      const rooms = credits === null ? [] : [own.micro_credits_held, credits];
      for (const room of rooms) if (taken > room) taken = room;
      if (own.micro_credits_held !== 0n || own.pico_usd_held !== 0n)
        changeHold.run(workspace, -own.micro_credits_held, -own.pico_usd_held);
      if (taken > 0n) take.run(workspace, taken);
      if (due.picoUsd > 0n) spend.run(workspace, dayOf(at), due.picoUsd);
      return {
        microCredits: taken,
        taken: credits === null ? 0n : taken,
        short: due.microCredits - taken,
        remaining: credits === null ? null : credits - taken,
      };
    },
    releaseUnderWay() {
      releaseAll.run();
      forgetHolds.run();
    },
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

function insufficient(credits: bigint): GatewayError {
  return new GatewayError(
    "insufficient_credit",
    `The workspace has ${credits} micro-credits left, which is less than this request costs.`,
  );
}

function capExceeded(name: string): GatewayError {
  return new GatewayError(
    "cap_exceeded",
    `The workspace's ${name} is reached: this request would cost more than is left of it.`,
  );
}

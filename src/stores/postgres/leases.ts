/**
 * Leases of credits, for a workspace that so many requests ask for that its one row is the bottleneck (postgres.credit_lease): this process
 * takes a slice of the credits for itself, and holds requests against it in memory. Their rows are still written before the first call and
 * settled before the answer, but the workspace's own row is changed only when the lease is renewed or returned.
 *
 * What is leased is part of what the workspace holds, so nobody else can spend it; the database allows no charge above it. Where little is
 * left, nothing is leased and the workspace's row is asked, so that the last credits are usable on every machine. Spending caps are not leased:
 * where there is one, the row is asked. What decides in the database is the function `lease` (migrations-leases.ts).
 */
import type { Charge } from "../../books/balances";
import type { LedgerRow } from "../../books/ledger-row";
import type { Outside } from "../../domain/outside";
import type { Connection } from "./connection";
import { type Beginning, type Held, mostOf } from "./holding";
import type { Pool } from "./pool";

export interface Leases {
  /**
   * Holds a group's requests against the lease, which is renewed first if need be. Not in a transaction: a lease counts once it is committed.
   * @param group of one `termsKey`
   * @returns whether it does; else nothing was done, and the workspace's row is to be asked
   */
  cover(connection: Connection, group: readonly Beginning[]): Promise<boolean>;
  /** Whether the request is held against a lease. It stays so until it is settled. */
  has(id: string): boolean;
  /** What is held for it. */
  heldFor(id: string): Held | undefined;
  /** The most that it may be charged: what is held for it, and what of the lease nobody holds. */
  mostFor(row: LedgerRow): bigint;
  /** It is settled: what it did not cost may be used by others. */
  settled(row: LedgerRow, charge: Charge): void;
  /** It was never begun. */
  forget(row: LedgerRow): void;
  /** Returns what of a workspace's lease no request holds. @returns whether there was something */
  giveBack(connection: Connection, workspace: string): Promise<boolean>;
  /** Returns all of them. No request is held any more. */
  close(): Promise<void>;
}

/** How often it is looked whether a lease is used. */
const LOOK_MS = 500;
const SECOND_MS = 1_000;
/** After credits were short, for so long nothing is leased. */
const REST_MS = 2_000;
/** How many times as much is leased as the requests need that ask for it, to begin with. */
const TIMES_AS_MUCH = 8n;

interface Lease {
  /** What of it is not charged yet, whoever holds it; as the database has it, or less. */
  microCredits: bigint;
  picoUsd: bigint;
  microCreditsHeld: bigint;
  picoUsdHeld: bigint;
  /** What the last renewal asked for. */
  asked: bigint;
  isUsed: boolean;
  isShort: boolean;
  isRenewing: boolean;
  /** What was charged while it was being renewed: before or after, nobody knows. */
  charged: Held;
  restsUntil: number;
  /** Requests begun since, on the monotonic clock, and those of the second before. */
  since: number;
  count: number;
  countBefore: number;
}

const LEASE =
  "SELECT asked_last, leased_credits, leased_usd FROM @lease($1::text, $2::text, $3::bigint, $4::bigint, $5::bigint, $6::bigint, $7::bigint, $8::bigint)";

interface LeasedRow {
  readonly asked_last: bigint;
  readonly leased_credits: bigint | null;
  readonly leased_usd: bigint | null;
}

const NOTHING: Held = { microCredits: 0n, picoUsd: 0n };

/** @param fromPerSecond requests of a workspace from which on it is leased */
export function createLeases(
  pool: Pool,
  process: string,
  fromPerSecond: number,
  { monotonic, alarm }: Pick<Outside, "monotonic" | "alarm">,
): Leases {
  const leases = new Map<string, Lease>();
  /** By the request's id. */
  const held = new Map<string, Held>();
  let asked = 0n;
  let stopLooking: (() => void) | undefined;
  let isClosed = false;

  function leaseOf(workspace: string): Lease {
    const known = leases.get(workspace);
    if (known) return known;
    const made: Lease = {
      microCredits: 0n,
      picoUsd: 0n,
      microCreditsHeld: 0n,
      picoUsdHeld: 0n,
      asked: 0n,
      isUsed: false,
      isShort: false,
      isRenewing: false,
      charged: NOTHING,
      restsUntil: Number.NEGATIVE_INFINITY,
      since: monotonic(),
      count: 0,
      countBefore: 0,
    };
    leases.set(workspace, made);
    return made;
  }

  function isHot(lease: Lease, more: number): boolean {
    const now = monotonic();
    if (now - lease.since >= SECOND_MS) {
      lease.countBefore = now - lease.since < 2 * SECOND_MS ? lease.count : 0;
      lease.count = 0;
      lease.since = now;
    }
    lease.count += more;
    return Math.max(lease.count, lease.countBefore) >= fromPerSecond;
  }

  const fits = (lease: Lease, need: Held) =>
    lease.microCredits - lease.microCreditsHeld >= need.microCredits &&
    lease.picoUsd - lease.picoUsdHeld >= need.picoUsd;

  /** Until the database has answered, nothing of it is free: it may have been returned. */
  async function renew(
    { query }: Connection,
    workspace: string,
    lease: Lease,
    more: Held,
    least: bigint,
  ): Promise<void> {
    asked += 1n;
    const keep = { microCredits: lease.microCreditsHeld, picoUsd: lease.picoUsdHeld };
    lease.isRenewing = true;
    lease.charged = NOTHING;
    lease.microCredits = keep.microCredits;
    lease.picoUsd = keep.picoUsd;
    try {
      const [row] = await query<LeasedRow>(LEASE, [
        workspace,
        process,
        asked,
        keep.microCredits,
        keep.picoUsd,
        more.microCredits,
        more.picoUsd,
        least,
      ]);
      if (row === undefined) return;
      if (row.asked_last > asked) asked = row.asked_last;
      if (row.leased_credits === null || row.leased_usd === null) return;
      if (more.microCredits > 0n) lease.isShort = row.leased_credits < keep.microCredits + more.microCredits;
      lease.microCredits = row.leased_credits - lease.charged.microCredits;
      lease.picoUsd = row.leased_usd - lease.charged.picoUsd;
    } finally {
      lease.isRenewing = false;
    }
  }

  function look(): void {
    if (isClosed || stopLooking !== undefined) return;
    stopLooking = alarm(LOOK_MS, () => {
      stopLooking = undefined;
      for (const [workspace, lease] of leases) {
        const isIdle = !lease.isUsed || lease.isShort;
        lease.isUsed = false;
        // What fails is tried again at the next look.
        if (isIdle && lease.microCredits > lease.microCreditsHeld && !lease.isRenewing)
          void pool.run((connection) => giveBack(connection, workspace)).catch(() => undefined);
        const isCold = monotonic() - lease.since > REST_MS && monotonic() > lease.restsUntil;
        if (isCold && lease.microCredits === 0n && lease.microCreditsHeld === 0n) leases.delete(workspace);
      }
      if (leases.size > 0) look();
    });
  }

  async function giveBack(connection: Connection, workspace: string): Promise<boolean> {
    const lease = leases.get(workspace);
    if (lease === undefined || lease.isRenewing || lease.microCredits <= lease.microCreditsHeld) return false;
    await renew(connection, workspace, lease, NOTHING, 0n);
    return true;
  }

  function release(id: string, workspace: string): Lease | undefined {
    const own = held.get(id);
    const lease = leases.get(workspace);
    if (own === undefined || lease === undefined) return undefined;
    held.delete(id);
    lease.microCreditsHeld -= own.microCredits;
    lease.picoUsdHeld -= own.picoUsd;
    return lease;
  }

  return {
    async cover(connection, group) {
      const [first] = group;
      if (first === undefined || first.reserve !== undefined) return false;
      const { caps } = first.terms;
      if (caps.day !== undefined || caps.month !== undefined) return false;
      const { workspace } = first.row;
      const lease = leaseOf(workspace);
      look();
      const holds = group.map(({ estimate }) => mostOf(estimate));
      const need = {
        microCredits: holds.reduce((sum, { microCredits }) => sum + microCredits, 0n),
        picoUsd: holds.reduce((sum, { picoUsd }) => sum + picoUsd, 0n),
      };
      const isWanted = isHot(lease, group.length) && monotonic() >= lease.restsUntil;
      if (!isWanted || need.microCredits === 0n || lease.isRenewing || isClosed) return false;
      if (!fits(lease, need)) {
        // Used up before anybody looked: twice as much.
        const times = lease.isUsed ? 2n : 1n;
        const usual = need.microCredits * TIMES_AS_MUCH;
        lease.asked = usual > lease.asked * times ? usual : lease.asked * times;
        const picoUsd = (need.picoUsd * lease.asked) / need.microCredits + need.picoUsd;
        await renew(connection, workspace, lease, { microCredits: lease.asked, picoUsd }, need.microCredits);
        if (lease.isShort) lease.restsUntil = monotonic() + REST_MS;
        if (!fits(lease, need)) return false;
      }
      lease.isUsed = true;
      lease.microCreditsHeld += need.microCredits;
      lease.picoUsdHeld += need.picoUsd;
      for (const [i, { row }] of group.entries()) held.set(row.request_id, holds[i] ?? NOTHING);
      return true;
    },
    has: (id) => held.has(id),
    heldFor: (id) => held.get(id),
    mostFor({ request_id, workspace }) {
      const own = held.get(request_id)?.microCredits ?? 0n;
      const lease = leases.get(workspace);
      const free = lease === undefined ? 0n : lease.microCredits - lease.microCreditsHeld;
      return free > 0n ? own + free : own;
    },
    settled({ request_id, workspace, cost_pico_usd }, { microCredits }) {
      const lease = release(request_id, workspace);
      if (lease === undefined) return;
      lease.microCredits -= microCredits;
      lease.picoUsd -= cost_pico_usd;
      if (lease.isRenewing)
        lease.charged = {
          microCredits: lease.charged.microCredits + microCredits,
          picoUsd: lease.charged.picoUsd + cost_pico_usd,
        };
    },
    forget: ({ request_id, workspace }) => void release(request_id, workspace),
    giveBack,
    async close() {
      isClosed = true;
      stopLooking?.();
      for (const workspace of leases.keys())
        await pool.run((connection) => giveBack(connection, workspace)).catch(() => undefined);
    },
  };
}

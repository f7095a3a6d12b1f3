/**
 * Leases of credits, for a workspace with so many requests that its one row is the bottleneck (postgres.credit_lease): this process takes a
 * part of the credits for itself, and holds requests against it in memory. Their rows are still written before the first call and settled
 * before the answer, but the workspace's own row changes only when the lease is renewed or returned.
 *
 * Leased credits are held in the workspace's row, so nobody else can spend them, and the database refuses charges above the lease. Where few
 * credits are left nothing is leased, so that every machine can use the last ones. A workspace with a spending cap is never leased. The
 * database's side is the function `lease` (migrations-leases.ts).
 */
import type { Charge } from "../../books/balances";
import type { LedgerRow } from "../../books/ledger-row";
import type { Outside } from "../../domain/outside";
import type { Connection } from "./connection";
import { type Beginning, type Held, mostOf } from "./holding";
import type { Pool } from "./pool";

export interface Leases {
  /**
   * Holds a group's requests against the lease, and renews it first where needed. Not within a transaction, as the lease must be committed.
   * @param group with the same `termsKey`
   * @returns false where nothing was held, and the hold must be made in the workspace's row
   */
  cover(connection: Connection, group: readonly Beginning[]): Promise<boolean>;
  /** Whether the request is held against a lease, until it is settled. */
  has(id: string): boolean;
  /** What is held for the request; undefined where it is not held against a lease. */
  heldFor(id: string): Held | undefined;
  /** The most that it may be charged: its own hold and the free part of the lease. */
  mostFor(row: LedgerRow): bigint;
  /** Called when it is settled: frees what it did not cost. */
  settled(row: LedgerRow, charge: Charge): void;
  /** Called when it was never begun: frees its hold. */
  forget(row: LedgerRow): void;
  /** Returns the free part of a workspace's lease to it. @returns whether there was one */
  giveBack(connection: Connection, workspace: string): Promise<boolean>;
  /** Returns all leases. No request may be held any more. */
  close(): Promise<void>;
}

/** How often unused leases are looked for. */
export const LOOK_MS = 500;
const SECOND_MS = 1_000;
/** How long nothing is leased after credits were short. */
const REST_MS = 2_000;
/** The first lease is this many times what the waiting requests need. */
const TIMES_AS_MUCH = 8n;

interface Lease {
  /** What is not charged yet, held or free; never more than the database has. */
  microCredits: bigint;
  picoUsd: bigint;
  microCreditsHeld: bigint;
  picoUsdHeld: bigint;
  /** What the last renewal asked for, and when, on the monotonic clock. */
  asked: bigint;
  askedAt: number;
  isUsed: boolean;
  isShort: boolean;
  isRenewing: boolean;
  /** The database may have more than is known here. */
  isUnsure: boolean;
  /** What was charged during a renewal: it is not known whether the database counted it before or after. */
  charged: Held;
  restsUntil: number;
  /** `count` requests began since `since` (monotonic clock), `countBefore` in the second before. */
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

/** @param fromPerSecond at how many requests a second a workspace is leased */
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
      askedAt: monotonic(),
      isUsed: false,
      isShort: false,
      isRenewing: false,
      isUnsure: false,
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

  /** As much as lasts for a second, judged by how long the last lease lasted; at most twice the last one. */
  function enough(lease: Lease, least: bigint): bigint {
    const now = monotonic();
    const lastedMs = BigInt(Math.max(1, Math.round(now - lease.askedAt)));
    lease.askedAt = now;
    const aSecond = (lease.asked * BigInt(SECOND_MS)) / lastedMs;
    const most = aSecond < lease.asked * 2n ? aSecond : lease.asked * 2n;
    return most > least ? most : least;
  }

  /** Until the database answers, nothing is free: the free part may already be returned. */
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
    lease.isUnsure = true;
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
      lease.isUnsure = lease.charged.microCredits > 0n || lease.charged.picoUsd > 0n;
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
        // A failure is retried at the next look.
        if (isIdle && hasMore(lease))
          void pool.run((connection) => giveBack(connection, workspace)).catch(() => undefined);
        const isCold = monotonic() - lease.since > REST_MS && monotonic() > lease.restsUntil;
        if (isCold && !hasMore(lease) && !lease.isRenewing && lease.microCreditsHeld === 0n)
          leases.delete(workspace);
      }
      if (leases.size > 0) look();
    });
  }

  /** Whether there is a free part, or may be one in the database. */
  const hasMore = ({ microCredits, microCreditsHeld, isUnsure, isRenewing }: Lease) =>
    !isRenewing && (microCredits > microCreditsHeld || isUnsure);

  async function giveBack(connection: Connection, workspace: string): Promise<boolean> {
    const lease = leases.get(workspace);
    if (lease === undefined || !hasMore(lease)) return false;
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
        lease.asked = enough(lease, need.microCredits * TIMES_AS_MUCH);
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

/**
 * The ledger in PostgreSQL. src/books/ledger.ts defines what a row says and when it is written; this file decides how each row is written.
 * A row whose acknowledgement was lost is looked up by its id.
 */
import type { Charge, Holding } from "../../books/balances";
import { ANSWERED, INTERRUPTED, type Ledger, OWED_ROWS_MAX, OWN_WORKSPACE } from "../../books/ledger";
import type { LedgerRow } from "../../books/ledger-row";
import { Ending } from "../../domain/ending";
import { asGatewayError } from "../../domain/errors";
import type { Outside } from "../../domain/outside";
import type { Base } from "./base";
import { createCharging } from "./charging";
import { beginUntil, createCommitting, type Entry, type Outcome, settleUntil } from "./committing";
import { type Connection, stateOf } from "./connection";
import { type Begun, costsNothing, createGrouping, FREE, type Work } from "./grouping";
import {
  type BalanceRow,
  type Beginning,
  balanceOf,
  type Held,
  holdTogether,
  holdWhatIsLeft,
  termsKey,
  UNIQUE_VIOLATION,
  whyNot,
} from "./holding";
import { Fenced, type Instance } from "./instance";
import { createLeases } from "./leases";
import { openPostgresLines, settleLine } from "./lines";
import { createRefusing } from "./refusing";
import { insertSettled, standingOf, withoutHold } from "./settling";
import { createSpacing } from "./spacing";
import { sumPostgresUsage } from "./usage";
import { ensureWorkspace, type KnownWorkspaces } from "./workspaces";

/** A balance read for a request that did not fit: others of its group use it, as many are refused at once when credits run out. */
interface NearTheEnd {
  readonly balance: BalanceRow;
  readonly readAt: number;
}
const KNOWN_MS = 100;

const PAY_EVERY_MS = 1_000;

export function openPostgresLedger(
  { pool, clock }: Base,
  instance: Instance,
  workspaces: KnownWorkspaces,
  configuredModel: (model: string) => string | undefined,
  outside: Outside,
  leasedFromPerSecond: number | undefined,
): Ledger {
  const { monotonic } = outside;
  const { id: process } = instance;
  const leases =
    leasedFromPerSecond === undefined ? undefined : createLeases(pool, process, leasedFromPerSecond, outside);
  const charging = createCharging(leases, process, clock);
  /** By the request's id. */
  const begun = new Map<string, Begun>();
  /** How many wait to begin. */
  let beginning = 0;
  /** Workspaces known to exist, though not yet in the mirror. */
  const made = new Set<string>();
  const nearTheEndOf = new WeakMap<object, Map<string, NearTheEnd>>();
  let owed: readonly LedgerRow[] = [];
  let paying: Promise<void> | undefined;
  let isPayingInTime = false;
  const ending = new Ending();

  const refusing = createRefusing(process);
  const grouping = createGrouping({ charging, begun, refuse, process, at: clock.at });
  const spacing = createSpacing(() => begun.size + beginning, outside);
  const committing = createCommitting<Work>(pool, { together, alone }, spacing, outside);

  async function ensureAll(connection: Connection, entries: readonly Entry<Work>[]): Promise<void> {
    for (const { work, workspace } of entries) {
      if (work.kind !== "begin" || workspaces.byName.has(workspace) || made.has(workspace)) continue;
      await ensureWorkspace(connection, workspace, work.terms.startingMicroCredits, clock.at());
      made.add(workspace);
    }
  }

  function refuse(connection: Connection, row: LedgerRow): Promise<void> {
    const model = row.model === "" ? "" : (configuredModel(row.model) ?? "");
    return refusing.refuse(connection, row, model, clock.at());
  }

  async function together(
    connection: Connection,
    entries: readonly Entry<Work>[],
  ): Promise<readonly Outcome[]> {
    await ensureAll(connection, entries);
    await charging.decide(
      connection,
      entries.flatMap(({ work }) => (work.kind === "begin" ? [work] : [])),
    );
    const outcomes = new Map<Entry<Work>, Outcome>();
    const statements = grouping.statementsOf(entries, outcomes);
    // A single statement is a transaction of its own. Several share one, so that the disk is flushed once, which takes most of the time; all processes
    // order them alike, so there is no deadlock.
    const [first, ...more] = statements;
    if (more.length > 0) await connection.pipeline(statements.map(({ run }) => run));
    else await first?.run(connection);
    for (const { work } of entries) if (work.kind === "refuse") refusing.acknowledged(work.row);
    return entries.map((entry) => outcomes.get(entry) ?? "alone");
  }

  async function alone(connection: Connection, entry: Entry<Work>, group: object): Promise<unknown> {
    const { work } = entry;
    if (work.kind === "begin") {
      const nearTheEnd = nearTheEndOf.get(group) ?? new Map<string, NearTheEnd>();
      nearTheEndOf.set(group, nearTheEnd);
      return beginAlone(connection, work, entry, nearTheEnd);
    }
    if (work.kind === "refuse") {
      try {
        await refuse(connection, work.row);
        refusing.acknowledged(work.row);
        return FREE;
      } catch (thrown) {
        // The row was begun after all, and its acknowledgement lost.
        if (stateOf(thrown) !== UNIQUE_VIOLATION) throw thrown;
      }
    }
    return settleAlone(connection, work.row);
  }

  async function beginAlone(
    connection: Connection,
    beginning: Beginning,
    entry: Entry<Work>,
    nearTheEnd: Map<string, NearTheEnd>,
  ): Promise<boolean> {
    const id = beginning.row.request_id;
    const at = clock.at() === null ? clock.now() : beginning.row.started_at;
    const known = nearTheEnd.get(termsKey(beginning));
    if (known && !entry.isDoubtful && monotonic() - known.readAt < KNOWN_MS) {
      const reason = whyNot(known.balance, beginning, at);
      if (reason) throw reason;
      // All that is left is held by earlier requests, as others of this group have found.
      return false;
    }
    await ensureAll(connection, [entry]);
    try {
      const held =
        (await charging.begin(connection, [beginning]))?.[0] ?? (await holdDirectly(connection, beginning));
      if (held !== undefined) {
        begun.set(id, held);
        return true;
      }
    } catch (thrown) {
      if (stateOf(thrown) !== UNIQUE_VIOLATION) throw thrown;
      // An earlier try was committed, and its acknowledgement lost.
      begun.set(id, undefined);
      return true;
    }
    const balance = await balanceOf(connection, beginning.row.workspace);
    if (balance === undefined) return false;
    nearTheEnd.set(termsKey(beginning), { balance, readAt: monotonic() });
    const reason = whyNot(balance, beginning, at);
    if (reason) throw reason;
    return false;
  }

  /** Tries once more after returning the free part of this process's lease, which may be what is missing. */
  async function holdDirectly(connection: Connection, beginning: Beginning): Promise<Held | undefined> {
    if (charging.isLeased(beginning.row)) throw instance.fenced();
    const isMore = await leases?.giveBack(connection, beginning.row.workspace);
    return (
      (isMore ? (await holdTogether(connection, [beginning], process, clock.at()))?.[0] : undefined) ??
      (await holdWhatIsLeft(connection, beginning, process, clock.at()))
    );
  }

  async function settleAlone(connection: Connection, row: LedgerRow): Promise<Charge> {
    const { request_id } = row;
    const settled = await charging.settle(connection, [row]);
    const charge = settled.get(request_id);
    if (charge) return charge;
    const standing = await standingOf(connection, row);
    if (typeof standing === "object") return standing.charge;
    // Another process has taken over the batch, and has or will have its own row for this line.
    if (row.batch != null)
      return row.status === ANSWERED
        ? ((await settleLine(connection, row, process, clock.at())) ?? FREE)
        : FREE;
    if (standing === INTERRUPTED) throw instance.fenced();
    // The row was never begun.
    const isWhole = costsNothing(row);
    const inserted = await insertSettled(connection, [isWhole ? row : withoutHold(row)], process, clock.at());
    const late = isWhole ? inserted : await charging.settle(connection, [row]);
    if (charging.isLeased(row) && !late.has(request_id)) throw instance.fenced();
    return late.get(request_id) ?? FREE;
  }

  function write(work: Work, giveUpAt: number): Promise<unknown> {
    return new Promise((done, failed) => {
      committing.add({ work, workspace: work.row.workspace, giveUpAt, done, failed });
    });
  }

  /** A request that failed before anything was held or sent. */
  const isRefusal = ({ request_id, status, tokens_upstream }: LedgerRow) =>
    status !== ANSWERED && tokens_upstream === 0 && !begun.has(request_id);

  async function putSettled(row: LedgerRow, giveUpAt: number): Promise<Charge> {
    const kind = isRefusal(row) ? "refuse" : begun.has(row.request_id) ? "settle" : "insert";
    const written = await write({ kind, row }, giveUpAt);
    const charge = isCharge(written) ? written : FREE;
    begun.delete(row.request_id);
    leases?.settled(row, charge);
    return charge;
  }

  async function pay(until: number): Promise<void> {
    while (owed.length > 0) {
      const debts = owed;
      for (const row of debts) {
        await putSettled(row, until);
        owed = owed.filter((other) => other !== row);
      }
    }
  }

  /** Writes owed rows in the background; only the shutdown waits for them. */
  function payBeside(): void {
    if (owed.length === 0 || paying !== undefined || pool.downSince() !== undefined) return;
    paying = pay(settleUntil(monotonic(), Number.POSITIVE_INFINITY))
      .catch(() => undefined)
      .finally(() => {
        paying = undefined;
      });
  }

  /** Retries owed rows every second, as they may hold credits and no other request may come. */
  async function payInTime(): Promise<void> {
    if (isPayingInTime) return;
    isPayingInTime = true;
    do {
      await outside.sleep(PAY_EVERY_MS, ending).catch(() => undefined);
      payBeside();
      await paying;
    } while (owed.length > 0 && !ending.aborted);
    isPayingInTime = false;
  }

  return {
    async begin(row, { estimate, terms, reserve }: Holding, until = Number.POSITIVE_INFINITY) {
      instance.assertAlive();
      beginning += 1;
      try {
        const isBegun = await write(
          { kind: "begin", row, estimate, terms, reserve },
          beginUntil(monotonic(), until),
        );
        payBeside();
        return isBegun === true;
      } catch (thrown) {
        // It may have been committed nevertheless: the row is settled when the request fails.
        if (asGatewayError(thrown).kind === "ledger_unavailable" && !(thrown instanceof Fenced))
          begun.set(row.request_id, undefined);
        else leases?.forget(row);
        throw thrown;
      } finally {
        beginning -= 1;
      }
    },
    async settle(row, until = Number.POSITIVE_INFINITY) {
      const charge = await putSettled(row, settleUntil(monotonic(), until));
      payBeside();
      return charge;
    },
    owe(row) {
      if (owed.length >= OWED_ROWS_MAX) return false;
      void payInTime();
      owed = [...owed, isRefusal(row) ? { ...row, user: null, metadata: null } : row];
      return true;
    },
    async close() {
      ending.abort("closed");
      await paying;
      await pay(settleUntil(monotonic(), Number.POSITIVE_INFINITY));
      await committing.idle();
      await leases?.close();
      await instance.leave();
    },
    settleInterrupted: (ended) => instance.releaseDead(ended),
    lines: openPostgresLines({ pool, clock }, instance, outside, (id) => begun.delete(id)),
    usage: (since, by, filter) =>
      sumPostgresUsage(pool, {
        since,
        by: typeof by === "string" ? [by] : by,
        filter,
        ownWorkspace: OWN_WORKSPACE,
      }),
  };
}

const isCharge = (value: unknown): value is Charge =>
  typeof value === "object" && value !== null && "microCredits" in value;

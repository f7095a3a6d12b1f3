/**
 * One row per request: begun before its first call to a provider, settled before its answer is sent. src/books/refusals.ts keeps the outcome of
 * requests that are refused before that. src/books/usage.ts reads the ledger.
 * A row's amounts are exact: whole tokens times whole pico-USD.
 */
import type { Store } from "../db/open";
import { type Gathering, isLockedOut, LOCK_WAIT_MS } from "../db/writer";
import { asGatewayError } from "../domain/errors";
import { type Charge, type Hold, type Holding, NOTHING, openBalances } from "./balances";
import { type LedgerRow, withoutExcess } from "./ledger-row";
import { openLedgerSums } from "./ledger-sums";
import { type LedgerLines, openLines } from "./lines";
import { openRefusals } from "./refusals";
import { openReserves } from "./reserves";
import { openRowsBefore } from "./rows-before";
import { sumUsage, type UsageFilter, type UsageGroup, type UsageLine } from "./usage";

/** The workspace of the gateway's own calls (src/spaces): counted upstream, but not requests of clients. No key belongs to it. */
export const OWN_WORKSPACE = "embedgate";

export const UNDER_WAY = 0;
export const ANSWERED = 200;
export const INTERRUPTED = "interrupted";

/** ?1 is the process that began the rows, or null for all of them. */
const IS_UNDER_WAY = `status = ${UNDER_WAY} AND error IS NULL AND (?1 IS NULL OR process = ?1)`;
const ROWS_UNDER_WAY = `FROM ledger WHERE ${IS_UNDER_WAY} AND (batch IS NULL OR batch NOT IN (SELECT id FROM reserves))`;
/** Lines of batches: their holds go back to the batch. ?2 is one batch, or null for all. */
const LINES_UNDER_WAY = `FROM ledger WHERE ${IS_UNDER_WAY} AND batch IS NOT NULL AND (?2 IS NULL OR batch = ?2)`;

export interface Ledger {
  /**
   * Commits that calls to providers are about to be made, so that a crash cannot lose them, and holds the most that they may cost.
   * @param row its tokens_upstream is the most that the calls can use
   * @param until when to stop waiting for a locked database (src/db/writer.ts)
   * @returns false if nothing was done: it would fit after other requests of the workspace have settled
   * @throws GatewayError database_unavailable | insufficient_credit | cap_exceeded
   */
  begin(row: LedgerRow, holding: Holding, until?: number): Promise<boolean>;
  /**
   * Resolves once the row is committed. It replaces the row that was begun, and the actual cost replaces the hold.
   * @throws GatewayError database_unavailable
   */
  settle(row: LedgerRow, until?: number): Promise<Charge>;
  /** Accepts a row that cannot be committed now, and commits it with the next one or at shutdown. @returns whether it was accepted */
  owe(row: LedgerRow): boolean;
  /** Commits the rows accepted by `owe`. @throws GatewayError database_unavailable */
  close(): Promise<void>;
  /**
   * Marks the rows that a crash left in flight: those of the named process, or all. If another gateway on the same database is still
   * working on one, it corrects the row when it settles it.
   * @returns how many rows were marked
   */
  settleInterrupted(process?: string): Promise<number>;
  readonly lines: LedgerLines;
  /** @param by one group or several: one line for each combination */
  usage(
    since: number,
    by: UsageGroup | readonly UsageGroup[],
    filter?: UsageFilter,
  ): Promise<readonly UsageLine[]>;
}

const COLUMNS = [
  "request_id",
  "started_at",
  "workspace",
  "key_id",
  "model",
  "provider",
  "inputs",
  "cache_hits",
  "tokens",
  "tokens_upstream",
  "tokens_abandoned",
  "tokens_cached",
  "tokens_billed",
  "tokens_source",
  "status",
  "error",
  "kind",
  "upstream_status",
  "latency_ms",
  "cost_pico_usd",
  "upstream_pico_usd",
  "saved_pico_usd",
  "calls_made",
  "calls",
  "by_provider",
  "user",
  "metadata",
  "batch",
] as const satisfies readonly (keyof LedgerRow)[];

/** Columns that a row may leave out, and that are not null then. */
const NOT_SAID: Readonly<Partial<Record<keyof LedgerRow, Value>>> = {
  upstream_pico_usd: 0n,
  tokens_cached: 0,
  saved_pico_usd: 0n,
};

/** Some 20 MB: by then the database has been unavailable for so long that requests are refused before they cost anything. */
export const OWED_ROWS_MAX = 50_000;

/** How long one attempt to write owed rows waits for a lock: the most by which it delays another request. */
const PAY_WAIT_MS = 5;

/** A failed request costs nothing, so its `user` and `metadata` are dropped if they exceed this together: they could fill the disk. */
export const FAILED_BYTES_MAX = 1_024;

/** Columns that come from the process that writes the row, and from its charge: in this order. */
const OWN_COLUMNS = [
  "process",
  "micro_credits",
  "micro_credits_taken",
  "micro_credits_short",
  "femto_credits_rounded",
] as const;

/** A row in flight that this process began. */
interface Begun {
  readonly rowId: number | bigint;
  readonly held: Hold;
}

type Value = string | number | bigint | null;

/**
 * @param process the process that begins the rows, if several share one database
 * @param configuredModel returns the routing file's id or pattern that matches a model
 */
export function openLedger(
  store: Store,
  process: string | null = null,
  configuredModel: (model: string) => string | undefined = () => undefined,
): Ledger {
  const { database } = store;
  const insert = database.query<unknown, Value[]>(
    `INSERT INTO ledger (request_id, started_at, workspace, key_id, model, provider, inputs, tokens_upstream, upstream_pico_usd, user, metadata, batch,
       process, micro_credits_held, pico_usd_held, tokens, tokens_billed, status, latency_ms, cost_pico_usd)
     VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 0, 0, ${UNDER_WAY}, 0, 0)`,
  );
  // Columns that were set when the row was begun do not change, so that their indexes need not be written again.
  const finish = database.query<unknown, Value[]>(
    `UPDATE ledger SET provider = ?, cache_hits = ?, tokens = ?, tokens_upstream = ?, tokens_abandoned = ?, tokens_billed = ?,
       tokens_source = ?, status = ?, error = ?, kind = ?, upstream_status = ?, latency_ms = ?, cost_pico_usd = ?, micro_credits = ?,
       micro_credits_taken = ?, micro_credits_short = ?, femto_credits_rounded = ?, upstream_pico_usd = ?, by_provider = ?,
       tokens_cached = ?, saved_pico_usd = ?, calls_made = ?, calls = ?, micro_credits_held = 0, pico_usd_held = 0
     WHERE rowid = ? AND request_id = ? AND status = ${UNDER_WAY} AND error IS NULL`,
  );
  const shed = database.query<unknown, Value[]>(
    "UPDATE ledger SET user = NULL, metadata = NULL WHERE rowid = ?",
  );
  const columnNames = [...COLUMNS, ...OWN_COLUMNS];
  const changing = columnNames.filter(
    (column) => !["request_id", "started_at", "workspace"].includes(column),
  );
  const whole = `INSERT INTO ledger (${columnNames.join(", ")}) VALUES (${columnNames.map(() => "?").join(", ")})`;
  const putNew = database.query<unknown, Value[]>(`${whole} ON CONFLICT (request_id) DO NOTHING`);
  const put = database.query<unknown, Value[]>(
    `${whole} ON CONFLICT (request_id) DO UPDATE SET ${changing.map((column) => `${column} = excluded.${column}`).join(", ")}`,
  );
  const release = database.query<unknown, [string | null]>(
    `UPDATE workspaces SET
       micro_credits_held = micro_credits_held - (SELECT coalesce(sum(micro_credits_held), 0) ${ROWS_UNDER_WAY} AND workspace = name),
       pico_usd_held = pico_usd_held - (SELECT coalesce(sum(pico_usd_held), 0) ${ROWS_UNDER_WAY} AND workspace = name)
     WHERE name IN (SELECT workspace ${ROWS_UNDER_WAY})`,
  );
  const restore = database.query<unknown, [string | null, string | null]>(
    `UPDATE reserves SET
       micro_credits = micro_credits + (SELECT coalesce(sum(micro_credits_held), 0) ${LINES_UNDER_WAY} AND batch = id),
       pico_usd = pico_usd + (SELECT coalesce(sum(pico_usd_held), 0) ${LINES_UNDER_WAY} AND batch = id)
     WHERE id IN (SELECT batch ${LINES_UNDER_WAY})`,
  );
  const interrupt = database.query<unknown, [string | null, string | null]>(
    `UPDATE ledger SET error = '${INTERRUPTED}', tokens_source = 'estimated', micro_credits_held = 0, pico_usd_held = 0
     WHERE ${IS_UNDER_WAY} AND (?2 IS NULL OR batch = ?2)`,
  );
  const balances = openBalances(store);
  const reserves = openReserves(database);
  const refusals = openRefusals(database, configuredModel);
  const sums = openLedgerSums(database, OWN_WORKSPACE);
  const before = openRowsBefore(database, IS_UNDER_WAY);
  /** By request id. */
  const underWay = new Map<string, Begun>();
  /** Rows begun in the open transaction, and those settled in it. */
  const begunNow = new Map<string, Begun>();
  const settledNow: string[] = [];
  const gathering: Gathering = {
    flush() {
      balances.flush();
      sums.flush();
    },
    ended(isCommitted) {
      balances.ended(isCommitted);
      sums.ended(isCommitted);
      if (isCommitted) {
        for (const [id, begun] of begunNow) underWay.set(id, begun);
        for (const id of settledNow) underWay.delete(id);
      }
      begunNow.clear();
      settledNow.length = 0;
    },
  };
  let owed: readonly LedgerRow[] = [];

  function begin(row: LedgerRow, { estimate, terms, reserve }: Holding): boolean {
    const held =
      reserve === undefined
        ? balances.hold(row.workspace, estimate, terms, row.started_at)
        : reserves.take(reserve, estimate, terms, row.started_at);
    if (held === undefined) return false;
    const { lastInsertRowid: rowId } = insert.run(
      row.request_id,
      row.started_at,
      row.workspace,
      row.key_id,
      row.model,
      row.provider,
      row.inputs,
      row.tokens_upstream,
      row.upstream_pico_usd ?? 0n,
      row.user,
      row.metadata,
      row.batch ?? null,
      process,
      held.microCredits,
      held.picoUsd,
    );
    begunNow.set(row.request_id, { rowId, held });
    return true;
  }

  const begunOf = (id: string) => begunNow.get(id) ?? underWay.get(id);
  /** Nothing was held or sent for this request. */
  const isRefusal = ({ request_id, status, tokens_upstream }: LedgerRow) =>
    status !== ANSWERED && tokens_upstream === 0 && begunOf(request_id) === undefined;

  function putSettled(settled: LedgerRow): Charge {
    settledNow.push(settled.request_id);
    const row = settled.status === ANSWERED ? settled : withoutExcess(settled, FAILED_BYTES_MAX);
    const cost = { femtoCredits: row.cost_femto_credits, picoUsd: row.cost_pico_usd };
    if (isRefusal(row)) {
      sums.add(refusals.add(row, process));
      return balances.due(row.workspace, cost, NOTHING);
    }
    const begun = begunOf(row.request_id);
    if (begun !== undefined) {
      const charge = balances.due(row.workspace, cost, begun.held);
      if (finished(row, begun, charge)) {
        sums.add(row, charge);
        balances.take(row.workspace, cost, begun.held, charge, row.started_at);
        return charge;
      }
      // Another process is running the batch by now, and has its own row for the line, which may be charged already.
      if (row.batch != null) return row.status === ANSWERED ? lines.once(row) : charge;
    }
    // The row was never begun, or another gateway took it for one left by a crash and has ended its hold.
    const charge = balances.due(row.workspace, cost, NOTHING);
    const { microCredits, taken, short, femtoCreditsRounded } = charge;
    // By their places: SQLite would look each name up.
    const values: Value[] = COLUMNS.map((column) => row[column] ?? NOT_SAID[column] ?? null);
    values.push(process, microCredits, taken, short, femtoCreditsRounded);
    if (Number(putNew.run(...values).changes) === 0) {
      uncountSettled(row.request_id);
      put.run(...values);
    }
    sums.add(row, charge);
    balances.take(row.workspace, cost, NOTHING, charge, row.started_at);
    return charge;
  }

  /** @returns whether the row was still in flight */
  function finished(row: LedgerRow, { rowId }: Begun, charge: Charge): boolean {
    const { changes } = finish.run(
      row.provider,
      row.cache_hits,
      row.tokens,
      row.tokens_upstream,
      row.tokens_abandoned,
      row.tokens_billed,
      row.tokens_source,
      row.status,
      row.error,
      row.kind ?? null,
      row.upstream_status ?? null,
      row.latency_ms,
      row.cost_pico_usd,
      charge.microCredits,
      charge.taken,
      charge.short,
      charge.femtoCreditsRounded,
      row.upstream_pico_usd ?? 0n,
      row.by_provider ?? null,
      row.tokens_cached ?? 0,
      row.saved_pico_usd ?? 0n,
      row.calls_made ?? null,
      row.calls ?? null,
      rowId,
      row.request_id,
    );
    if (row.status !== ANSWERED && row.user === null && row.metadata === null) shed.run(rowId);
    return Number(changes) === 1;
  }

  function uncountSettled(requestId: string): void {
    const old = before.settled(requestId);
    if (old) sums.add(old.row, old.charge, -1);
  }

  function interrupted(ended: string | null, batch: string | null): number {
    const rows = before.underWay(ended, batch);
    restore.run(ended, batch);
    if (batch === null) release.run(ended);
    try {
      for (const row of rows) sums.add({ ...row, error: INTERRUPTED, tokens_source: "estimated" });
      sums.flush();
    } finally {
      sums.ended(false);
    }
    return Number(interrupt.run(ended, batch).changes);
  }

  /** At most one runs, so that owed rows are written once. */
  let paying: Promise<void> | undefined;

  async function pay(): Promise<void> {
    const debts = owed;
    await store.write(() => debts.map(putSettled), gathering, store.monotonic() + PAY_WAIT_MS);
    owed = owed.filter((row) => !debts.includes(row));
  }

  /** Does the work after the owed rows are written. */
  const write = <T>(work: () => T, until = Number.POSITIVE_INFINITY): Promise<T> =>
    owed.length === 0 ? store.write(work, gathering, until) : writeAfterOwed(work, until);

  async function writeAfterOwed<T>(work: () => T, until: number): Promise<T> {
    const giveUpAt = Math.min(until, store.monotonic() + LOCK_WAIT_MS);
    while (owed.length > 0) {
      paying ??= pay().finally(() => {
        paying = undefined;
      });
      try {
        await paying;
      } catch (thrown) {
        // Each waiting write has its own deadline.
        const error = asGatewayError(thrown);
        if (!isLockedOut(error) || store.monotonic() >= giveUpAt) throw error;
      }
    }
    return store.write(work, gathering, giveUpAt);
  }

  const lines = openLines({
    store,
    balances,
    reserves,
    write,
    begin,
    put: putSettled,
    settled: (id) => underWay.delete(id),
    interrupt: (batch) => void interrupted(null, batch),
    uncount: uncountSettled,
  });
  return {
    begin: (row, holding, until) => write(() => begin(row, holding), until),
    settle: (row, until) => write(() => putSettled(row), until),
    owe(row) {
      if (owed.length >= OWED_ROWS_MAX) return false;
      owed = [...owed, isRefusal(row) ? { ...row, user: null, metadata: null } : row];
      return true;
    },
    close: async () => {
      if (owed.length > 0) await write(() => undefined);
    },
    settleInterrupted: (ended) => store.write(() => interrupted(ended ?? null, null)),
    lines,
    usage: async (since, by, filter) =>
      sumUsage(store, {
        since,
        by: typeof by === "string" ? [by] : by,
        filter,
        ownWorkspace: OWN_WORKSPACE,
      }),
  };
}

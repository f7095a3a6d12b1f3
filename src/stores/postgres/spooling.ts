/**
 * A ledger that works while the database is down, for requests without a hold: those of workspaces without credits and caps, and answers that
 * cost nothing. Spooled rows are written, by their ids, once the database is back.
 */
import type { Charge, Holding } from "../../books/balances";
import { INTERRUPTED, type Ledger } from "../../books/ledger";
import type { LedgerRow } from "../../books/ledger-row";
import { ceilingOf, FEMTO_CREDITS_PER_MICRO_CREDIT } from "../../books/money";
import { Ending } from "../../domain/ending";
import { asGatewayError } from "../../domain/errors";
import type { Outside } from "../../domain/outside";
import { Fenced, type Instance } from "./instance";
import type { Pool } from "./pool";
import { insertSettled, withoutHold } from "./settling";
import { leftBehind, type Spool } from "./spool";
import type { KnownWorkspaces } from "./workspaces";

const DELIVER_EVERY_MS = 1_000;

interface Parts {
  readonly pool: Pool;
  readonly spool: Spool;
  readonly instance: Instance;
  readonly workspaces: KnownWorkspaces;
  /** The path that the names of this machine's files begin with. */
  readonly path: string;
  readonly outside: Pick<Outside, "sleep" | "log">;
}

export function spoolingLedger(ledger: Ledger, parts: Parts): Ledger {
  const { pool, spool, instance, workspaces, path, outside } = parts;
  const ending = new Ending();
  /** Rows in flight without a hold. */
  const unlimited = new Set<string>();
  const isDown = () => pool.downSince() !== undefined;

  /** A batch's line waits for the database: until then its answer is kept in the batch's own file. */
  const isUnlimited = ({ workspace, batch = null }: LedgerRow, { terms }: Holding) =>
    batch === null &&
    terms.caps.day === undefined &&
    terms.caps.month === undefined &&
    !(workspaces.byName.get(workspace)?.hasCredits ?? terms.startingMicroCredits !== null);
  const maySpool = (row: LedgerRow) =>
    unlimited.has(row.request_id) ||
    ((row.batch ?? null) === null && row.cost_femto_credits === 0n && row.cost_pico_usd === 0n);

  const isAway = (thrown: unknown) =>
    asGatewayError(thrown).kind === "ledger_unavailable" && !(thrown instanceof Fenced);

  async function spoolSettled(row: LedgerRow): Promise<Charge> {
    await spool.put({ what: "settled", row });
    const microCredits = ceilingOf(row.cost_femto_credits, FEMTO_CREDITS_PER_MICRO_CREDIT);
    return { microCredits, taken: 0n, short: 0n, remaining: null, femtoCreditsRounded: 0n };
  }

  /** Writes a row, also after this process was fenced: what was answered must be in the ledger. */
  async function deliver(row: LedgerRow): Promise<void> {
    await pool.run(({ query }) =>
      query(
        `UPDATE @ledger SET error = NULL WHERE request_id = $1 AND status = 0 AND error = '${INTERRUPTED}'`,
        [row.request_id],
      ),
    );
    await ledger.settle(row);
  }

  async function deliverAll(): Promise<void> {
    const rows = spool.waiting();
    if (rows.length === 0 || isDown()) return;
    for (const row of rows) {
      await deliver(row);
      spool.delivered(row);
    }
    outside.log("info", "ledger rows that waited for PostgreSQL are written", { rows: rows.length });
  }

  async function follow(): Promise<void> {
    await deliverLeft().catch((cause: unknown) =>
      outside.log("warn", "ledger rows that a process left behind could not be written yet", {
        cause: String(cause),
      }),
    );
    while (!ending.aborted) {
      await outside.sleep(DELIVER_EVERY_MS, ending).catch(() => undefined);
      // It is retried next time, and the pool reports a database that is down.
      await deliverAll().catch(() => undefined);
    }
  }

  async function deliverLeft(): Promise<void> {
    const alive = new Set((await instance.all()).map(({ id }) => id));
    for (const { instance: name, settled, begun, remove } of leftBehind(path)) {
      if (alive.has(name)) continue;
      for (const row of settled) await deliver(row);
      const interrupted = begun.map((row) => ({
        ...withoutHold(row),
        tokens_upstream: row.tokens_upstream,
        tokens_source: "estimated" as const,
        error: INTERRUPTED,
      }));
      if (interrupted.length > 0)
        await pool.run((connection) => insertSettled(connection, interrupted, name, null));
      remove();
      outside.log("info", "ledger rows that a process left behind are written", {
        rows: settled.length + begun.length,
      });
    }
  }

  void follow();
  return {
    ...ledger,
    async begin(row, holding, until) {
      const may = isUnlimited(row, holding);
      if (may) unlimited.add(row.request_id);
      try {
        if (!(may && isDown())) return await ledger.begin(row, holding, until);
      } catch (thrown) {
        if (!may || !isAway(thrown)) {
          unlimited.delete(row.request_id);
          throw thrown;
        }
      }
      await spool.put({ what: "begun", row });
      return true;
    },
    async settle(row, until) {
      const may = maySpool(row);
      try {
        return may && isDown() ? await spoolSettled(row) : await ledger.settle(row, until);
      } catch (thrown) {
        if (!may || !isAway(thrown)) throw thrown;
        return await spoolSettled(row);
      } finally {
        unlimited.delete(row.request_id);
      }
    },
    async close() {
      ending.abort("closed");
      await deliverAll().catch(() => undefined);
      await spool.close();
      await ledger.close();
    },
  };
}

/**
 * Lines of batches in PostgreSQL: one conditional statement holds the whole batch, each line's hold is taken from that, and each answered line
 * is charged once. src/books/lines.ts defines what each method promises. Everything here is idempotent.
 */

import type { Caps, Charge } from "../../books/balances";
import { ANSWERED, INTERRUPTED } from "../../books/ledger";
import type { LedgerRow } from "../../books/ledger-row";
import type { BatchHold, LedgerLines } from "../../books/lines";
import { UTC } from "../../books/periods";
import type { Outside } from "../../domain/outside";
import type { Base } from "./base";
import { settleUntil } from "./committing";
import { type Connection, stateOf } from "./connection";
import {
  type Beginning,
  balanceOf,
  capsFit,
  holdTogether,
  mostOf,
  UNIQUE_VIOLATION,
  whyNot,
} from "./holding";
import type { Instance } from "./instance";
import { RELEASE, RELEASE_LOST } from "./reserves";
import { settleTogether, standingOf } from "./settling";
import { ensureWorkspace } from "./workspaces";

/** Parameters as `capsFit` has them; $2 the process, $4 the batch. */
const RESERVE = `
  WITH held AS (
    UPDATE @workspaces SET micro_credits_held = micro_credits_held + $6, pico_usd_held = pico_usd_held + $7
    WHERE name = $5 AND (micro_credits IS NULL OR micro_credits - micro_credits_held >= $6)
      AND ${capsFit((left) => `${left} - pico_usd_held >= $7`)}
      AND NOT EXISTS (SELECT 1 FROM @reserves WHERE id = $4)
    RETURNING 1)
  INSERT INTO @reserves (id, workspace, micro_credits, pico_usd, process) SELECT $4, $5, $6, $7, $2 FROM held RETURNING 1`;

const INTERRUPT = `
  WITH open AS (
    SELECT request_id, workspace, micro_credits_held, pico_usd_held FROM @ledger WHERE batch = $1 AND status = 0 AND error IS NULL FOR UPDATE),
  summed AS (
    SELECT workspace, sum(micro_credits_held)::bigint AS held, sum(pico_usd_held)::bigint AS held_pico_usd FROM open GROUP BY workspace),
  restored AS (
    UPDATE @reserves r SET micro_credits = r.micro_credits + s.held, pico_usd = r.pico_usd + s.held_pico_usd
    FROM summed s WHERE r.id = $1 RETURNING 1),
  released AS (
    UPDATE @workspaces w SET micro_credits_held = w.micro_credits_held - s.held, pico_usd_held = w.pico_usd_held - s.held_pico_usd
    FROM summed s WHERE w.name = s.workspace AND NOT EXISTS (SELECT 1 FROM restored))
  UPDATE @ledger l SET error = '${INTERRUPTED}', tokens_source = 'estimated', micro_credits_held = 0, pico_usd_held = 0
  FROM open WHERE l.request_id = open.request_id`;

/** Renames rows to the next free id. LIMIT stops generate_series at the first free number. */
const asideWhere = (which: string) => `
  UPDATE @ledger SET request_id = (
    SELECT $1 || '.' || number FROM (SELECT generate_series(1, 1000000) AS number) AS numbers
    WHERE NOT EXISTS (SELECT 1 FROM @ledger taken WHERE taken.request_id = $1 || '.' || number) LIMIT 1)
  WHERE request_id = $1 AND ${which}`;
const SET_ASIDE = asideWhere(`status <> ${ANSWERED}`);
/** A charged row is renamed, so that it stays on the bill. */
const SET_CHARGED_ASIDE = asideWhere(
  `status <> ${ANSWERED} AND (cost_pico_usd > 0 OR micro_credits > 0 OR femto_credits_rounded <> 0)`,
);

/** Deletes an unfinished or failed row, so that the settled one can take its place. Its hold returns to the batch. */
const REPLACED = `
  WITH gone AS (DELETE FROM @ledger WHERE request_id = $1 AND status <> ${ANSWERED} RETURNING batch, micro_credits_held, pico_usd_held)
  UPDATE @reserves r SET micro_credits = r.micro_credits + gone.micro_credits_held, pico_usd = r.pico_usd + gone.pico_usd_held
  FROM gone WHERE r.id = gone.batch`;

/** Another process may begin a row at the same moment: the next try finds it. */
const TRIES_MAX = 3;

export function openPostgresLines(
  { pool, clock }: Base,
  instance: Instance,
  { monotonic }: Pick<Outside, "monotonic">,
  /** Called with each row that was settled here. */
  settled: (requestId: string) => void,
): LedgerLines {
  const run = (sql: string, ...values: string[]) => pool.run(({ query }) => query(sql, values));

  async function reserve(connection: Connection, hold: BatchHold): Promise<boolean> {
    const { batch, workspace, most, terms, at } = hold;
    const { microCredits, picoUsd } = mostOf({ least: most, most });
    await ensureWorkspace(connection, workspace, terms.startingMicroCredits, clock.at());
    const { day = null, month = null, timeZone = UTC } = terms.caps;
    const time = clock.at() === null ? null : at;
    const { query } = connection;
    const made = await query(RESERVE, [
      time,
      instance.id,
      timeZone,
      batch,
      workspace,
      microCredits,
      picoUsd,
      day,
      month,
    ]);
    if (made.length > 0) return true;
    // The first try's acknowledgement may have been lost.
    if ((await query("SELECT 1 FROM @reserves WHERE id = $1", [batch])).length > 0) return true;
    const balance = await balanceOf(connection, workspace);
    const reason =
      balance && whyNot(balance, { estimate: { least: most, most }, terms }, time ?? clock.now());
    if (reason) throw reason;
    return false;
  }

  return {
    async reserve(hold) {
      instance.assertAlive();
      return pool.run((connection) => reserve(connection, hold));
    },
    async release(batch) {
      await run(RELEASE, batch);
    },
    async releaseLost() {
      await run(RELEASE_LOST);
    },
    async interrupt(batch) {
      await run(INTERRUPT, batch);
    },
    async setAside(id) {
      await run(SET_ASIDE, id);
    },
    async answered(batch) {
      const rows = await pool.run(({ query }) =>
        query<{ readonly request_id: string }>(
          `SELECT request_id FROM @ledger WHERE batch = $1 AND status = ${ANSWERED}`,
          [batch],
        ),
      );
      return new Set(rows.map(({ request_id }) => request_id));
    },
    async settleOnce(row, terms) {
      const until = settleUntil(monotonic(), Number.POSITIVE_INFINITY);
      await pool.run(async (connection) => {
        await ensureWorkspace(connection, row.workspace, terms.startingMicroCredits, clock.at());
        await settleLine(connection, row, instance.id, clock.at(), terms.caps);
      }, until);
      settled(row.request_id);
    },
  };
}

/**
 * Settles a line that was answered, whatever happened to the row that it was begun with.
 * @param caps their time zone decides on which day it counts as spent
 * @returns what the line was charged, by this or another process
 */
export async function settleLine(
  connection: Connection,
  row: LedgerRow,
  process: string,
  at: number | null,
  caps: Caps = { day: undefined, month: undefined },
): Promise<Charge | undefined> {
  const amount = { femtoCredits: row.cost_femto_credits, picoUsd: row.cost_pico_usd };
  const beginning: Beginning = {
    row: { ...row, status: 0 },
    estimate: { least: amount, most: amount },
    terms: { startingMicroCredits: null, caps },
    reserve: row.batch ?? undefined,
  };
  for (let tries = 1; ; tries++) {
    try {
      return await connection.transaction(async () => {
        const standing = await standingOf(connection, row);
        if (typeof standing === "object" && standing.status === ANSWERED) return standing.charge;
        await connection.query(SET_CHARGED_ASIDE, [row.request_id]);
        await connection.query(REPLACED, [row.request_id]);
        await holdTogether(connection, [beginning], process, at);
        const charges = await settleTogether(connection, row.workspace, [row], false, process);
        return charges.get(row.request_id);
      });
    } catch (thrown) {
      if (stateOf(thrown) !== UNIQUE_VIOLATION || tries >= TRIES_MAX) throw thrown;
    }
  }
}

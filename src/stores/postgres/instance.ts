/**
 * This process as one of several on a database: it sends a heartbeat every five seconds. The rows and holds of a process that was silent for
 * 30 s are released once, by the first that sees it; if that process comes back, it finds itself fenced and exits.
 */
import { Ending } from "../../domain/ending";
import { GatewayError } from "../../domain/errors";
import type { Outside } from "../../domain/outside";
import type { Connection } from "./connection";
import { type Pool, RETRY_AFTER_MS } from "./pool";
import { FORGET_OF_DEAD } from "./refusing";
import { RELEASE_LOST } from "./reserves";

export interface Described {
  readonly machine: string;
  readonly version: string;
  /** How many connections the process may open. */
  readonly connections: number;
}

export interface Instance {
  readonly id: string;
  /** Registers this process and starts its heartbeat. @throws GatewayError ledger_unavailable */
  join(): Promise<void>;
  /** @param hash of the configuration that this process uses now */
  serving(hash: string): void;
  /** The live gateways as of the last heartbeat. */
  seen(): readonly InstanceRow[];
  /** The live gateways, read now. @throws GatewayError ledger_unavailable */
  all(): Promise<readonly InstanceRow[]>;
  /** @throws GatewayError ledger_unavailable where others may take this process for dead */
  assertAlive(): void;
  /** Called where this process was fenced. @returns the error for its callers */
  fenced(): GatewayError;
  /**
   * Marks the rows of dead processes as interrupted and releases what they held.
   * @param ended the id of a process that is known to have ended
   * @returns the number of rows
   */
  releaseDead(ended?: string): Promise<number>;
  /** Unregisters this process, which must have no row in flight. */
  leave(): Promise<void>;
}

export interface InstanceRow {
  readonly id: string;
  readonly machine: string;
  readonly version: string;
  readonly connections: number;
  readonly serves: string;
}

/** The error of a fenced process: others have released what it held. */
export class Fenced extends GatewayError {
  constructor() {
    super(
      "ledger_unavailable",
      "Other gateways took this one for dead, so it is shutting down. Retry after a second.",
      {
        retryAfterMs: RETRY_AFTER_MS,
      },
    );
  }
}

const BEAT_MS = 5_000;
const BEAT_AGAIN_MS = 1_000;
export const SILENT_SECONDS = 30;
const SILENT_MS = SILENT_SECONDS * 1_000;
/** After a longer gap between heartbeats the database or this process was down, so the others' silence proves nothing. */
const GAP_MS_MAX = 3 * BEAT_MS;
const CHANGES_KEPT = "1 hour";

/**
 * $1: a process that is known to have ended, or null. Locked rows are skipped, as somebody is settling or releasing them. The hold of a
 * batch's line returns to the batch.
 */
const RELEASE = `
  WITH dead AS (
    SELECT request_id, workspace, batch, micro_credits_held AS held, pico_usd_held AS held_pico_usd FROM @ledger l
    WHERE l.status = 0 AND l.error IS NULL AND ($1::text IS NULL OR l.process = $1)
      AND NOT EXISTS (SELECT 1 FROM @instances i WHERE i.id = l.process)
    FOR UPDATE OF l SKIP LOCKED),
  restored AS (
    UPDATE @reserves r SET micro_credits = r.micro_credits + s.held, pico_usd = r.pico_usd + s.held_pico_usd
    FROM (SELECT batch, sum(held) AS held, sum(held_pico_usd) AS held_pico_usd FROM dead GROUP BY batch) s WHERE r.id = s.batch RETURNING r.id),
  released AS (
    UPDATE @workspaces w SET micro_credits_held = w.micro_credits_held - s.held, pico_usd_held = w.pico_usd_held - s.held_pico_usd
    FROM (SELECT workspace, sum(held) AS held, sum(held_pico_usd) AS held_pico_usd FROM dead
      WHERE batch IS NULL OR batch NOT IN (SELECT id FROM restored) GROUP BY workspace) s
    WHERE w.name = s.workspace AND (s.held > 0 OR s.held_pico_usd > 0)),
  marked AS (
    UPDATE @ledger l SET error = 'interrupted', tokens_source = 'estimated', micro_credits_held = 0, pico_usd_held = 0
    FROM dead WHERE l.request_id = dead.request_id RETURNING 1)
  SELECT count(*) AS released FROM marked`;

type World = Pick<Outside, "monotonic" | "sleep" | "log">;

/** A message where gateways use different routing files. A gateway that has just started has not reported its file yet. */
export function routingFilesDiffer(all: readonly InstanceRow[]): readonly string[] {
  const byFile = Map.groupBy(
    all.filter(({ serves }) => serves !== ""),
    ({ serves }) => serves,
  );
  if (byFile.size < 2) return [];
  const groups = [...byFile].map(
    ([hash, those]) =>
      `${[...new Set(those.map(({ machine }) => machine))].join(", ")} (${hash.slice(0, 8)})`,
  );
  return [
    `The gateways on this database use different routing files: ${groups.join("; ")}. Give all of them the same file, and reload.`,
  ];
}

/** @param fencedNow is called once, when this process finds itself fenced */
export function createInstance(
  id: string,
  described: Described,
  pool: Pool,
  { monotonic, sleep, log }: World,
  fencedNow: () => void,
): Instance {
  const ending = new Ending();
  let serves = "";
  let seen: readonly InstanceRow[] = [];
  let isFenced = false;
  let hasJoined = false;
  let beatAt = Number.NEGATIVE_INFINITY;
  /** Since when heartbeats have come without a gap. */
  let steadySince = Number.POSITIVE_INFINITY;

  function fenced(): GatewayError {
    if (!isFenced && hasJoined) {
      isFenced = true;
      log("error", "this process was silent for 30 s, so others have released its rows: it shuts down", {
        instance: id,
      });
      fencedNow();
    }
    return new Fenced();
  }

  async function beat(): Promise<void> {
    const asked = monotonic();
    const rows = await pool.run(({ query }) =>
      query("UPDATE @instances SET beat_at = now(), serves = $2 WHERE id = $1 RETURNING 1", [id, serves]),
    );
    if (rows.length === 0) {
      fenced();
      return;
    }
    seen = await all();
    if (asked - beatAt > GAP_MS_MAX) steadySince = asked;
    beatAt = asked;
    // After an outage no heartbeat is recent, so the others get time to send one.
    if (asked - steadySince < SILENT_MS) return;
    const count = await releaseDead();
    if (count > 0) log("warn", "requests of a dead gateway were released", { count });
  }

  const all = () =>
    pool.run(({ query }) =>
      query<InstanceRow>(
        `SELECT id, machine, version, connections, serves FROM @instances
         WHERE beat_at >= now() - interval '${SILENT_SECONDS} seconds' ORDER BY machine, id`,
      ),
    );

  async function releaseDead(ended?: string): Promise<number> {
    return pool.run(async ({ query }) => {
      if (ended !== undefined) await query("DELETE FROM @instances WHERE id = $1", [ended]);
      else if (monotonic() - steadySince >= SILENT_MS) {
        await query(
          `DELETE FROM @instances WHERE beat_at < now() - interval '${SILENT_SECONDS} seconds' AND id <> $1`,
          [id],
        );
        await query(`DELETE FROM @changes WHERE at < now() - interval '${CHANGES_KEPT}'`);
      }
      const [row] = await query<{ readonly released: bigint }>(RELEASE, [ended ?? null]);
      await query(RELEASE_LOST);
      await query(FORGET_OF_DEAD);
      return Number(row?.released ?? 0n);
    });
  }

  async function live(): Promise<void> {
    while (!ending.aborted && !isFenced) {
      let pause = BEAT_MS;
      try {
        await beat();
      } catch (thrown) {
        pause = BEAT_AGAIN_MS;
        steadySince = Number.POSITIVE_INFINITY;
        beatAt = Math.min(beatAt, monotonic() - GAP_MS_MAX);
        if (pool.downSince() === undefined)
          log("warn", "the heartbeat to the database failed", { cause: String(thrown) });
      }
      await sleep(pause, ending).catch(() => undefined);
    }
  }

  return {
    id,
    async join() {
      await pool.run(({ query }) =>
        query(
          "INSERT INTO @instances (id, machine, version, connections, serves, trims) VALUES ($1, $2, $3, $4, $5, true) ON CONFLICT (id) DO NOTHING",
          [id, described.machine, described.version, described.connections, serves],
        ),
      );
      hasJoined = true;
      await tellConnections(pool, described.connections, log);
      beatAt = monotonic();
      steadySince = beatAt;
      void live();
    },
    serving(hash) {
      serves = hash;
      if (hasJoined) beat().catch(() => undefined);
    },
    all,
    seen: () => seen,
    assertAlive() {
      if (isFenced) throw fenced();
    },
    fenced,
    releaseDead,
    async leave() {
      ending.abort("left");
      if (!hasJoined || isFenced) return;
      hasJoined = false;
      await pool.run(async ({ query }) => {
        await query("DELETE FROM @refusals_counted WHERE process = $1", [id]);
        await query("DELETE FROM @instances WHERE id = $1", [id]);
      });
    },
  };
}

/** Warns the operator where the gateways may open more connections than the server has. */
async function tellConnections(pool: Pool, own: number, log: World["log"]): Promise<void> {
  const count = async ({ query }: Connection) =>
    query<{ readonly most: number; readonly asked: bigint }>(
      `SELECT current_setting('max_connections')::integer - current_setting('superuser_reserved_connections')::integer AS most,
         (SELECT coalesce(sum(connections), 0) FROM @instances WHERE beat_at >= now() - interval '${SILENT_SECONDS} seconds') AS asked`,
    );
  const [row] = await pool.run(count);
  if (row === undefined) return;
  const about = { own, all_gateways: Number(row.asked), max_connections: row.most };
  if (Number(row.asked) <= row.most) log("info", "maximum number of connections to PostgreSQL", about);
  else
    log(
      "warn",
      "the gateways may need more connections than PostgreSQL has: raise its max_connections, lower postgres.max_connections, or use PgBouncer",
      about,
    );
}

/**
 * Keeps the sums of finished hours and days by fewer names (groupings.ts), from the sums by hour and day of all names, and the lines of finished days
 * for invoices. It runs in the background, the newest first, in bites of a few milliseconds. Who changes the sums of a
 * finished hour says so (ungrouping.ts), and it is grouped again; until then it is read from the sums of all names.
 */
import type { Store } from "../db/open";
import type { Gathering } from "../db/writer";
import type { Outside } from "../domain/outside";
import {
  FINISHED_AFTER_MS,
  GROUP_AMOUNTS,
  GROUPINGS,
  type Grouping,
  HOURS_KEPT_MS,
  namesIn,
} from "./groupings";
import { openInvoiceDays } from "./invoice-days";
import { LATENCY_COLUMNS } from "./latency-bounds";
import { openMetadataRegrouping } from "./metadata-regrouping";
import { DIMENSIONS, SUMS } from "./rollups";
import { UNIT_MS } from "./times";
import { STATE } from "./ungrouping";

export interface Regrouping {
  /** Does one step. @returns whether there was anything to do: there may be more @throws GatewayError database_unavailable */
  bite(): Promise<boolean>;
}

/** Of rollups, per step. */
const BITE_ROWS = 300;
/** Nothing of this is cached. */
const NOTHING_GATHERED: Gathering = { flush() {}, ended() {} };

type At = { readonly at: bigint };
interface Under {
  readonly unit_ms: bigint;
  readonly started_at: bigint;
  readonly next_at: bigint;
  readonly rows_done: bigint;
}

const added = (table: string, names: readonly string[]) =>
  names.map((name) => `${name} = ${table}.${name} + excluded.${name}`).join(", ");

/** @returns statements that add one bite of rollups: ?1 the unit and ?2 the time that they are added to */
function adding(grouping: Grouping): readonly string[] {
  const keys = namesIn(grouping);
  const byNames = `GROUP BY ${keys}`;
  const bite = `(SELECT * FROM rollups WHERE unit_ms = ?3 AND started_at = ?4 ORDER BY ${DIMENSIONS.join(", ")} LIMIT ${BITE_ROWS} OFFSET ?5)`;
  const amounts = [
    ...SUMS.map((name) => `sum(${name})`),
    "sum(iif(status <> 200, requests, 0))",
    ...LATENCY_COLUMNS.map((name) => `sum(iif(status = 200, ${name}, 0))`),
  ];
  return [
    `INSERT INTO group_sums (grouping, unit_ms, started_at, name_1, name_2, ${GROUP_AMOUNTS.join(", ")})
     SELECT '${grouping.name}', ?1, ?2, ${keys}, ${amounts.join(", ")} FROM ${bite} WHERE true ${byNames}
     ON CONFLICT (grouping, unit_ms, started_at, name_1, name_2) DO UPDATE SET ${added("group_sums", GROUP_AMOUNTS)}`,
    `INSERT INTO group_errors (grouping, unit_ms, started_at, name_1, name_2, status, code, kind, requests)
     SELECT '${grouping.name}', ?1, ?2, ${keys}, status, code, kind, sum(requests) FROM ${bite} WHERE status <> 200 AND requests <> 0
     ${byNames}, status, code, kind
     ON CONFLICT (grouping, unit_ms, started_at, name_1, name_2, status, code, kind) DO UPDATE SET requests = group_errors.requests + excluded.requests`,
  ];
}

/** The hours and days with sums, the newest first and about as far back as ?2, without reading all of their sums. ?1: before when. */
const HOURS = `WITH RECURSIVE times(at) AS (
    SELECT max(started_at) FROM rollups WHERE unit_ms = ${UNIT_MS.hour} AND started_at < ?1
    UNION ALL SELECT (SELECT max(started_at) FROM rollups WHERE unit_ms = ${UNIT_MS.hour} AND started_at < times.at) FROM times WHERE times.at > ?2)`;
const DAYS = `WITH RECURSIVE times(at) AS (
    SELECT ?1
    UNION ALL SELECT (SELECT max(at) FROM (
      SELECT max(started_at) - max(started_at) % ${UNIT_MS.day} AS at FROM rollups WHERE unit_ms = ${UNIT_MS.hour} AND started_at < times.at
      UNION ALL SELECT max(started_at) FROM rollups WHERE unit_ms = ${UNIT_MS.day} AND started_at < times.at))
    FROM times WHERE times.at > ?2)`;

export function openRegrouping(
  { database, read, write }: Pick<Store, "database" | "read" | "write">,
  { now, turn }: Pick<Outside, "now" | "turn">,
): Regrouping {
  const metadata = openMetadataRegrouping(database);
  const dayLines = openInvoiceDays({ database, read, write }, { turn });
  const missingOf = (times: string, part: string, unit: string) => `${times}
    SELECT at FROM times WHERE at >= ?2 AND at < ?1 AND NOT EXISTS (
      SELECT 1 FROM grouped WHERE part = '${part}' AND unit_ms = ${unit} AND started_at = at AND state >= ${STATE.grouped}) LIMIT 1`;
  const missingHour = database.query<At, [number, number]>(missingOf(HOURS, "names", `${UNIT_MS.hour}`));
  const missingDay = database.query<At, [number, number]>(missingOf(DAYS, "names", `${UNIT_MS.day}`));
  const missingInvoices = database.query<At, [number, number]>(missingOf(DAYS, "invoices", `${UNIT_MS.day}`));
  const workspaceAt = database.query<{ readonly name: string }, [number, number]>(
    `SELECT name_1 AS name FROM group_sums WHERE grouping = 'workspace' AND unit_ms = ${UNIT_MS.day} AND started_at = ?1 ORDER BY name_1 LIMIT 1 OFFSET ?2`,
  );
  const missingMetadata = database.query<At, [number, number]>(missingOf(DAYS, "metadata", `${UNIT_MS.day}`));
  const oldHour = database.query<At, [number]>(
    `SELECT started_at AS at FROM grouped WHERE unit_ms = ${UNIT_MS.hour} AND started_at < ?1 ORDER BY started_at LIMIT 1`,
  );
  const under = database.query<Under, [string, number, number]>(
    `SELECT unit_ms, started_at, next_at, rows_done FROM grouped
     WHERE part = ?1 AND unit_ms = ?2 AND started_at = ?3 AND state = ${STATE.underWay}`,
  );
  const begin = database.query<unknown, [string, number, number]>(
    `INSERT INTO grouped (part, unit_ms, started_at, state, next_at, rows_done) VALUES (?1, ?2, ?3, ${STATE.underWay}, ?3, 0)
     ON CONFLICT DO UPDATE SET state = excluded.state, next_at = excluded.next_at, rows_done = 0`,
  );
  const moved = database.query<unknown, [string, number, number, number, number, number]>(
    `UPDATE grouped SET state = ?4, next_at = ?5, rows_done = ?6
     WHERE part = ?1 AND unit_ms = ?2 AND started_at = ?3 AND state = ${STATE.underWay}`,
  );
  const upTo = database.query<unknown, [number]>("UPDATE grouping SET grouped_to = ?1 WHERE grouped_to < ?1");
  const gone = ["group_sums", "group_errors"].map((table) =>
    database.query<unknown, [string, number, number]>(
      `DELETE FROM ${table} WHERE grouping = ?1 AND unit_ms = ?2 AND started_at = ?3`,
    ),
  );
  const noHour = database.query<unknown, [number]>(
    `DELETE FROM grouped WHERE unit_ms = ${UNIT_MS.hour} AND started_at = ?1`,
  );
  const nextHour = database.query<{ readonly at: bigint | null }, [number, number]>(
    `SELECT min(started_at) AS at FROM rollups WHERE unit_ms = ${UNIT_MS.hour} AND started_at >= ?1 AND started_at < ?2`,
  );
  const rowsOf = database.query<{ readonly rows: bigint }, [number, number, number]>(
    `SELECT count(*) AS rows FROM (SELECT 1 FROM rollups WHERE unit_ms = ?1 AND started_at = ?2 LIMIT ${BITE_ROWS} OFFSET ?3)`,
  );
  const adds = GROUPINGS.flatMap(adding).map((text) =>
    database.query<unknown, [number, number, number, number, number]>(text),
  );

  function drop(unitMs: number, at: number): void {
    for (const { name } of GROUPINGS) for (const query of gone) query.run(name, unitMs, at);
  }

  function names(unitMs: number, at: number): void {
    const found = under.get("names", unitMs, at);
    if (found === null) {
      upTo.run(at + unitMs);
      drop(unitMs, at);
      begin.run("names", unitMs, at);
      return;
    }
    // First the sums by hour; then, at the day's end, the sum by day of hours that were trimmed.
    const end = at + unitMs;
    const place = Number(found.next_at);
    const hour = place < end ? nextHour.get(place, end)?.at : null;
    const [sourceMs, from] = hour == null ? [UNIT_MS.day, at] : [UNIT_MS.hour, Number(hour)];
    const offset = from === place || (hour == null && place === end) ? Number(found.rows_done) : 0;
    const rows =
      unitMs === UNIT_MS.hour && hour == null ? 0 : Number(rowsOf.get(sourceMs, from, offset)?.rows ?? 0n);
    if (rows > 0) for (const query of adds) query.run(unitMs, at, sourceMs, from, offset);
    const isOver = rows < BITE_ROWS;
    if (hour == null)
      moved.run("names", unitMs, at, isOver ? STATE.grouped : STATE.underWay, end, offset + rows);
    else if (isOver) moved.run("names", unitMs, at, STATE.underWay, from + UNIT_MS.hour, 0);
    else moved.run("names", unitMs, at, STATE.underWay, from, offset + rows);
  }

  function ofMetadata(at: number): void {
    const found = under.get("metadata", UNIT_MS.day, at);
    if (found === null) {
      upTo.run(at + UNIT_MS.day);
      metadata.drop(at);
      begin.run("metadata", UNIT_MS.day, at);
      if (metadata.isMarked(at)) moved.run("metadata", UNIT_MS.day, at, STATE.cannot, at, 0);
      return;
    }
    const done = metadata.add(at, Number(found.rows_done));
    moved.run(
      "metadata",
      UNIT_MS.day,
      at,
      done === undefined ? STATE.grouped : STATE.underWay,
      at,
      done ?? Number(found.rows_done),
    );
  }

  /** One workspace after the other: each is kept by itself, with the sums that it had (invoice-days.ts). */
  async function invoices(at: number): Promise<void> {
    const found = read(() => under.get("invoices", UNIT_MS.day, at));
    const done = Number(found?.rows_done ?? 0n);
    const workspace = read(() => workspaceAt.get(at, done))?.name;
    if (found !== null && workspace !== undefined) await dayLines(workspace, at, true);
    await write(() => {
      upTo.run(at + UNIT_MS.day);
      if (found === null) begin.run("invoices", UNIT_MS.day, at);
      else if (workspace === undefined) moved.run("invoices", UNIT_MS.day, at, STATE.grouped, at, done);
      else moved.run("invoices", UNIT_MS.day, at, STATE.underWay, at, done + 1);
    }, NOTHING_GATHERED);
  }

  /** @returns what is to be done next, within a transaction; undefined: nothing */
  function next(): (() => void) | undefined {
    const finished = now() - FINISHED_AFTER_MS;
    const endOf = (unitMs: number) => finished - (finished % unitMs);
    const from = endOf(UNIT_MS.day) - HOURS_KEPT_MS;
    const hour = missingHour.get(endOf(UNIT_MS.hour), from)?.at;
    if (hour != null) return () => names(UNIT_MS.hour, Number(hour));
    const day = missingDay.get(endOf(UNIT_MS.day), 0)?.at;
    if (day != null) return () => names(UNIT_MS.day, Number(day));
    const said = missingMetadata.get(endOf(UNIT_MS.day), 0)?.at;
    if (said != null) return () => ofMetadata(Number(said));
    return cleaning(from);
  }

  function cleaning(from: number): (() => void) | undefined {
    const old = oldHour.get(from)?.at;
    if (old == null) return undefined;
    return () => {
      drop(UNIT_MS.hour, Number(old));
      noHour.run(Number(old));
    };
  }

  return {
    async bite() {
      if (read(next) !== undefined) {
        await write(() => next()?.(), NOTHING_GATHERED);
        return true;
      }
      const finished = now() - FINISHED_AFTER_MS;
      const day = read(() => missingInvoices.get(finished - (finished % UNIT_MS.day), 0))?.at;
      if (day == null) return false;
      await invoices(Number(day));
      return true;
    },
  };
}

/**
 * Sums over time from PostgreSQL: the sums by minute, hour and day plus rows that are not summed yet (sums.ts). Sums by metadata come from the
 * ledger's rows and the day sums of trimmed ones. The interface is in src/books/series.ts.
 */
import { boundedBy, leading, type Reading, rankOf, readingOf } from "../../books/groupings";
import { LATENCY_COLUMNS } from "../../books/latency-bounds";
import { namesOfJson } from "../../books/metadata-days";
import { isPlainKey } from "../../books/metadata-rollups";
import { metadataPathOf, nameOf } from "../../books/metadata-sums";
import { refuseTooMany, rounded } from "../../books/open-series";
import { SUMS } from "../../books/rollups";
import type { Series, SeriesAsked, SeriesGroup } from "../../books/series";
import { createTally, type SeriesLine, type Tally } from "../../books/series-tally";
import { gaps, type Range, UNIT_MS } from "../../books/times";
import type { UsageGroup, UsageLine } from "../../books/usage";
import { ALL_ROWS, DAY_OF_ROW } from "./all-rows";
import type { Connection, Parameter } from "./connection";
import { addGrouped, groupedRanks, groupedStarts } from "./grouped-sums";
import { addMetadata, metadataDays, metadataRanks } from "./metadata-groups";
import type { Pool } from "./pool";
import { storedSums, sumsOver } from "./sums";
import { arrayOf, sumPostgresUsage } from "./usage";

const COLUMN_OF: Readonly<Record<Exclude<SeriesGroup, "metadata">, string>> = {
  workspace: "workspace",
  key: "key_id",
  model: "model",
  provider: "provider",
  status: "status::text",
  code: "code",
  kind: "kind",
};

const USAGE_COLUMN: Readonly<Record<UsageGroup, string>> = {
  model: "model",
  workspace: "workspace",
  key: "key_id",
  day: DAY_OF_ROW,
  provider: "provider",
  status: "status::text",
  code: "code",
};

/** Units that may hold a unit's sums: trimming turns old hours into days. */
const UNITS_OF = {
  minute: [UNIT_MS.minute],
  hour: [UNIT_MS.hour],
  day: [UNIT_MS.day, UNIT_MS.hour],
} as const;

const SUMS_OF = {
  minute: sumsOver(UNITS_OF.minute, "$1", "$2"),
  hour: sumsOver(UNITS_OF.hour, "$1", "$2"),
  day: sumsOver(UNITS_OF.day, "$1", "$2"),
} as const;
const HOURS = SUMS_OF.hour;
const TRIMMED_DAYS = storedSums([UNIT_MS.day], "$1", "$2");

const AMOUNTS = SUMS.map((name) => `sum(${name})::bigint AS ${name}`).join(", ");
const LATENCIES = LATENCY_COLUMNS.map((name) => `sum(${name})::bigint AS ${name}`).join(", ");
const USAGE_AMOUNTS = SUMS.filter((name) => name !== "tokens_cached" && name !== "saved_pico_usd")
  .map((name) => `sum(${name})::bigint AS ${name}`)
  .join(", ");

/** The gateway's own calls count for tokens but not as requests. $1: their workspace. */
const BY_METADATA = `(SELECT *, CASE WHEN workspace <> $1 THEN requests ELSE 0 END AS asked FROM ${ALL_ROWS} AS every_row)`;
const METADATA_AMOUNTS = SUMS.map((name) => {
  if (name === "requests") return "sum(asked)::bigint AS requests";
  return name === "inputs" || name === "estimated"
    ? `sum(CASE WHEN asked > 0 THEN ${name} ELSE 0 END)::bigint AS ${name}`
    : `sum(${name})::bigint AS ${name}`;
}).join(", ");

type Row = Readonly<Record<string, bigint | string | number | null>>;

/** @param ownWorkspace the workspace of the gateway's own calls */
export function openPostgresSeries(pool: Pool, ownWorkspace: string): Series {
  /** @param values the parameters so far; those of the filters are added */
  function filtersOf(asked: SeriesAsked, values: Parameter[]): readonly string[] {
    return (["workspace", "key_id", "model", "provider"] as const).flatMap((column) => {
      const wanted = asked[column];
      return wanted === undefined ? [] : [`${column} = $${values.push(wanted)}::text`];
    });
  }

  /** @param sums a subquery of sums; undefined: the ledger's rows, for metadata @returns the statement and its parameters */
  function statementOf(
    asked: SeriesAsked,
    [since, until]: Range,
    sums: string | undefined,
  ): readonly [string, Parameter[]] {
    const values: Parameter[] = sums === undefined ? [ownWorkspace, since, until] : [since, until];
    const groups =
      sums === undefined
        ? [
            `coalesce((metadata::jsonb #> $${values.push(arrayOf(metadataPathOf(asked)))}::text::text[])::text, '')`,
          ]
        : asked.by.flatMap((group) => (group === "metadata" ? [] : [COLUMN_OF[group]]));
    const keys = [
      `started_at - started_at % ${UNIT_MS[asked.unit]} AS at`,
      ...groups.map((group, i) => `${group} AS group_${i}`),
      "status",
      ...(sums === undefined ? ["coalesce(error, '') AS code"] : ["code", "kind"]),
    ];
    const conditions = [
      ...(sums === undefined
        ? ["started_at >= $2", "started_at < $3", "(status <> 0 OR error IS NOT NULL)"]
        : []),
      ...filtersOf(asked, values),
    ];
    const where = conditions.length === 0 ? "" : `WHERE ${conditions.join(" AND ")}`;
    const [from, amounts] =
      sums === undefined ? [BY_METADATA, METADATA_AMOUNTS] : [sums, `${AMOUNTS}, ${LATENCIES}`];
    return [
      `SELECT ${keys.join(", ")}, ${amounts} FROM ${from} AS found ${where} GROUP BY ${keys.map((_, i) => i + 1).join(", ")}`,
      values,
    ];
  }

  async function linesOf(
    { query }: Connection,
    asked: SeriesAsked,
    range: Range,
    sums: string | undefined,
  ): Promise<readonly SeriesLine[]> {
    const isByMetadata = sums === undefined;
    return (await query<Row>(...statementOf(asked, range, sums))).map((row) => ({
      at: Number(row.at),
      names: asked.by.map((_, i) => {
        const name = String(row[`group_${i}`]);
        return isByMetadata ? nameOf(name) : name;
      }),
      status: Number(row.status),
      code: String(row.code),
      kind: isByMetadata ? "" : String(row.kind),
      sums: SUMS.map((name) => BigInt(row[name] ?? 0)),
      latencies: isByMetadata ? [] : LATENCY_COLUMNS.map((name) => Number(row[name])),
    }));
  }

  /** Finished hours and days from their sums by fewer names; all other times from the sums of all names. */
  async function addGroups(
    connection: Connection,
    asked: SeriesAsked,
    whole: Range,
    reading: Reading,
    tally: Tally,
  ) {
    const unitMs = UNIT_MS[asked.unit];
    const coarse = await groupedStarts(connection, "names", unitMs, whole);
    const left = gaps(...whole, unitMs, coarse);
    const lines: SeriesLine[] = [];
    const fine: number[] = [];
    for (const range of left) {
      const hours =
        asked.unit === "hour" ? [] : await groupedStarts(connection, "names", UNIT_MS.hour, range);
      fine.push(...hours);
      for (const rest of gaps(...range, UNIT_MS.hour, hours))
        lines.push(...(await linesOf(connection, asked, rest, HOURS)));
      if (asked.unit === "day") lines.push(...(await linesOf(connection, asked, range, TRIMMED_DAYS)));
    }
    const times = [
      { unitMs, starts: coarse },
      { unitMs: UNIT_MS.hour, starts: fine },
    ].filter(({ starts }) => starts.length > 0);
    const ranks = await groupedRanks(connection, reading, times);
    const leaders = leading([...ranks, ...lines.map(rankOf)], asked.top);
    lines.forEach(boundedBy(tally, leaders));
    await addGrouped(connection, tally, reading, times, leaders);
  }

  /** Finished days from their sums by metadata; all other times from the ledger's rows. */
  async function addByMetadata(connection: Connection, asked: SeriesAsked, whole: Range, tally: Tally) {
    const { metadata_key: key = "", unit, workspace, key_id, model, provider } = asked;
    const isSummed =
      unit === "day" && isPlainKey(key) && (workspace ?? key_id ?? model ?? provider) === undefined;
    const days = isSummed ? await metadataDays(connection, whole) : [];
    const lines: SeriesLine[] = [];
    for (const range of gaps(...whole, UNIT_MS.day, days))
      lines.push(...(await linesOf(connection, asked, range, undefined)));
    if (days.length === 0) {
      for (const line of lines) tally.add(line);
      return;
    }
    const ranks = await metadataRanks(connection, key, days);
    const leaders = leading([...ranks, ...lines.map(rankOf)], asked.top);
    lines.forEach(boundedBy(tally, leaders));
    await addMetadata(connection, tally, key, days, new Set([...leaders].flatMap(namesOfJson)));
  }

  return {
    async over(asked) {
      const unitMs = UNIT_MS[asked.unit];
      const { since, until } = rounded(asked, unitMs);
      refuseTooMany((until - since) / unitMs);
      const isByMetadata = asked.by.includes("metadata");
      if (isByMetadata) metadataPathOf(asked);
      const whole: Range = [since, until];
      const reading = isByMetadata ? undefined : readingOf(asked);
      return pool.transact(async (connection) => {
        const tally = createTally(since, until, unitMs);
        await connection.query("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY");
        if (isByMetadata) await addByMetadata(connection, asked, whole, tally);
        else if (reading !== undefined) await addGroups(connection, asked, whole, reading, tally);
        else for (const line of await linesOf(connection, asked, whole, SUMS_OF[asked.unit])) tally.add(line);
        return tally.result(asked.top);
      });
    },
    async usage({ by, workspace, metadata, ...range }) {
      const { since, until } = rounded(range, UNIT_MS.hour);
      if (metadata.size > 0) {
        const filter = { workspace, metadata };
        return {
          since,
          until,
          lines: await sumPostgresUsage(pool, { since, until, by, filter, ownWorkspace }),
        };
      }
      const groups = by.map((group) => USAGE_COLUMN[group]);
      const ordered = groups.map((group) => `(${group}) COLLATE "C"`).join(", ");
      const values: Parameter[] = [since, until];
      const where = workspace === undefined ? "" : `WHERE workspace = $${values.push(workspace)}::text`;
      const found = await pool.run(({ query }) =>
        query<Omit<UsageLine, "group">>(
          `SELECT jsonb_build_array(${groups.join(", ")}) AS groups, ${USAGE_AMOUNTS},
             coalesce(sum(requests) FILTER (WHERE status <> 200), 0)::bigint AS failed
           FROM ${sumsOver(UNITS_OF.day, "$1", "$2")} AS found ${where} GROUP BY ${groups.join(", ")} ORDER BY ${ordered}`,
          values,
        ),
      );
      return { since, until, lines: found.map((line) => ({ ...line, group: line.groups[0] ?? "" })) };
    },
  };
}

/**
 * Sums over time from PostgreSQL: the sums by minute, hour and day plus rows that are not summed yet (sums.ts). Sums by metadata come from the
 * ledger's rows and the day sums of trimmed ones. The interface is in src/books/series.ts.
 */
import { LATENCY_COLUMNS } from "../../books/latency-bounds";
import { metadataPathOf, nameOf } from "../../books/metadata-sums";
import { refuseTooMany, rounded } from "../../books/open-series";
import { SUMS, UNIT_MS } from "../../books/rollups";
import type { Series, SeriesAsked, SeriesGroup } from "../../books/series";
import { createTally } from "../../books/series-tally";
import type { UsageGroup, UsageLine } from "../../books/usage";
import { ALL_ROWS, DAY_OF_ROW } from "./all-rows";
import type { Parameter } from "./connection";
import type { Pool } from "./pool";
import { sumsOver } from "./sums";
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

  /** @returns the statement and its parameters */
  function statementOf(asked: SeriesAsked, since: number, until: number): readonly [string, Parameter[]] {
    const isByMetadata = asked.by.includes("metadata");
    const values: Parameter[] = isByMetadata ? [ownWorkspace, since, until] : [since, until];
    const groups = isByMetadata
      ? [
          `coalesce((metadata::jsonb #> $${values.push(arrayOf(metadataPathOf(asked)))}::text::text[])::text, '')`,
        ]
      : asked.by.flatMap((group) => (group === "metadata" ? [] : [COLUMN_OF[group]]));
    const keys = [
      `started_at - started_at % ${UNIT_MS[asked.unit]} AS at`,
      ...groups.map((group, i) => `${group} AS group_${i}`),
      "status",
      ...(isByMetadata ? ["coalesce(error, '') AS code"] : ["code", "kind"]),
    ];
    const conditions = [
      ...(isByMetadata ? ["started_at >= $2", "started_at < $3"] : []),
      ...filtersOf(asked, values),
    ];
    const where = conditions.length === 0 ? "" : `WHERE ${conditions.join(" AND ")}`;
    const [from, amounts] = isByMetadata
      ? [BY_METADATA, METADATA_AMOUNTS]
      : [sumsOver(UNITS_OF[asked.unit], "$1", "$2"), `${AMOUNTS}, ${LATENCIES}`];
    return [
      `SELECT ${keys.join(", ")}, ${amounts} FROM ${from} AS found ${where} GROUP BY ${keys.map((_, i) => i + 1).join(", ")}`,
      values,
    ];
  }

  return {
    async over(asked) {
      const unitMs = UNIT_MS[asked.unit];
      const { since, until } = rounded(asked, unitMs);
      refuseTooMany((until - since) / unitMs);
      const isByMetadata = asked.by.includes("metadata");
      const [text, values] = statementOf(asked, since, until);
      const rows = await pool.run(({ query }) => query<Row>(text, values));
      const tally = createTally(since, until, unitMs);
      for (const row of rows)
        tally.add({
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
        });
      return tally.result(asked.top);
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

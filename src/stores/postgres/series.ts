/**
 * Sums over time from PostgreSQL, of the ledger's own rows: no sums by minute and hour are kept there, so a range of many requests takes the
 * server longer than SQLite's sums do. The contract is src/books/series.ts.
 */
import { LATENCY_BOUNDS_MS, LATENCY_COLUMNS } from "../../books/latency-bounds";
import { metadataPathOf, nameOf } from "../../books/metadata-sums";
import { refuseTooMany, rounded } from "../../books/open-series";
import { SUMS, UNIT_MS } from "../../books/rollups";
import type { Series, SeriesGroup } from "../../books/series";
import { createTally } from "../../books/series-tally";
import type { Parameter } from "./connection";
import type { Pool } from "./pool";
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

const isFirst = "coalesce(share.place, 1) = 1";
const first = (amount: string, name: string) => `CASE WHEN ${isFirst} THEN ${amount} ELSE 0 END AS ${name}`;

/** A row that several providers counted for is one of each: the first has all but the others' shares. */
const ROWS = `
  SELECT started_at, workspace, coalesce(key_id, '') AS key_id, model, status, coalesce(error, '') AS code, coalesce(kind, '') AS kind, metadata,
    latency_ms, coalesce(CASE WHEN by_provider IS NULL THEN provider ELSE share.value ->> 0 END, '') AS provider,
    ${first("asked", "requests")}, ${first("CASE WHEN asked > 0 THEN inputs ELSE 0 END", "inputs")}, ${first("cache_hits", "cache_hits")},
    ${first("tokens", "tokens")}, CASE WHEN by_provider IS NULL THEN tokens_upstream ELSE (share.value ->> 1)::bigint END AS tokens_upstream,
    ${first("tokens_billed", "tokens_billed")}, ${first("tokens_cached", "tokens_cached")},
    ${first("CASE WHEN asked > 0 AND tokens_source = 'estimated' THEN 1 ELSE 0 END", "estimated")},
    ${first("cost_pico_usd", "cost_pico_usd")}, ${first("micro_credits", "micro_credits")},
    CASE WHEN by_provider IS NULL THEN upstream_pico_usd ELSE (share.value ->> 2)::bigint END AS upstream_pico_usd,
    ${first("saved_pico_usd", "saved_pico_usd")}
  FROM (SELECT *, CASE WHEN workspace <> $1 THEN coalesce(refusals, 1) ELSE 0 END AS asked FROM @ledger
      WHERE started_at >= $2 AND started_at < $3 AND (status <> 0 OR error IS NOT NULL)) AS counted
    LEFT JOIN LATERAL jsonb_array_elements(by_provider::jsonb) WITH ORDINALITY AS share(value, place) ON true`;

const AMOUNTS = SUMS.map((name) => `sum(${name})::bigint AS ${name}`).join(", ");
const LATENCIES = LATENCY_COLUMNS.map((name, i) => {
  const [over, upTo] = [LATENCY_BOUNDS_MS[i - 1] ?? -1, LATENCY_BOUNDS_MS[i]];
  const until = upTo === undefined ? "" : ` AND latency_ms <= ${upTo}`;
  return `coalesce(sum(requests) FILTER (WHERE latency_ms > ${over}${until}), 0)::bigint AS ${name}`;
}).join(", ");

type Row = Readonly<Record<string, bigint | string | number | null>>;

/** @param ownWorkspace whose rows are no clients' requests */
export function openPostgresSeries(pool: Pool, ownWorkspace: string): Series {
  return {
    async over(asked) {
      const unitMs = UNIT_MS[asked.unit];
      const { since, until } = rounded(asked, unitMs);
      refuseTooMany((until - since) / unitMs);
      const values: Parameter[] = [ownWorkspace, since, until];
      const isByMetadata = asked.by.includes("metadata");
      const groups = isByMetadata
        ? [
            `coalesce((metadata::jsonb #> $${values.push(arrayOf(metadataPathOf(asked)))}::text::text[])::text, '')`,
          ]
        : asked.by.flatMap((group) => (group === "metadata" ? [] : [COLUMN_OF[group]]));
      const conditions = ["true"];
      for (const column of ["workspace", "key_id", "model", "provider"] as const) {
        const wanted = asked[column];
        if (wanted !== undefined) conditions.push(`${column} = $${values.push(wanted)}::text`);
      }
      const keys = groups.map((group, i) => `${group} AS group_${i}`);
      const columns = [`started_at - started_at % ${unitMs} AS at`, ...keys, "status", "code", "kind"];
      const rows = await pool.run(({ query }) =>
        query<Row>(
          `SELECT ${columns.join(", ")}, ${AMOUNTS}, ${LATENCIES} FROM (${ROWS}) AS rows WHERE ${conditions.join(" AND ")}
           GROUP BY ${columns.map((_, i) => i + 1).join(", ")}`,
          values,
        ),
      );
      const tally = createTally(since, until, unitMs);
      for (const row of rows)
        tally.add({
          at: Number(row.at),
          names: groups.map((_, i) => {
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
      const lines = await sumPostgresUsage(pool, {
        since,
        until,
        by,
        filter: { workspace, metadata },
        ownWorkspace,
      });
      return { since, until, lines };
    },
  };
}

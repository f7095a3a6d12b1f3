/**
 * The sums of a finished day by metadata in PostgreSQL, from the ledger's rows: of each key, of its values, and which values had the most requests.
 * Callers choose keys and values, so both are bounded. Part of regrouping.ts, which says when; metadata-groups.ts reads them.
 */
import { OWN_WORKSPACE } from "../../books/ledger";
import { LEADING_MAX } from "../../books/metadata-regrouping";
import { SUMS } from "../../books/rollups";
import { UNIT_MS } from "../../books/times";
import { ALL_ROWS } from "./all-rows";
import type { Connection } from "./connection";

/** Of a day. With more, or with longer ones, it is read from the ledger. */
const KEYS_MAX = 256;
const KEY_CHARACTERS_MAX = 200;
/** Of a day. */
const ROWS_MAX = 1_000_000;
/** Of a key and day; all others are summed together. */
const VALUES_MAX = 2_000;
const VALUE_CHARACTERS_MAX = 200;

const DAY = `started_at >= $1::bigint AND started_at < $1::bigint + ${UNIT_MS.day} AND (status <> 0 OR error IS NOT NULL) AND metadata IS NOT NULL`;
const asked = `CASE WHEN workspace <> '${OWN_WORKSPACE}' THEN requests ELSE 0 END`;
const AMOUNTS = SUMS.map((name) => {
  if (name === "requests") return `sum(${asked})::bigint AS requests`;
  return name === "inputs" || name === "estimated"
    ? `sum(CASE WHEN ${asked} > 0 THEN ${name} ELSE 0 END)::bigint AS ${name}`
    : `sum(${name})::bigint AS ${name}`;
}).join(", ");
const SUMMED = SUMS.map((name) => `sum(${name})::bigint`).join(", ");

/** Keys with a dot or a bracket are paths where they are asked for (isPlainKey in src/books/metadata-rollups.ts). */
const PAIRS = `(SELECT every_row.*, pair.key AS metadata_key,
    CASE WHEN jsonb_typeof(pair.value) = 'string' THEN pair.value #>> '{}' ELSE pair.value::text END AS value
  FROM ${ALL_ROWS} AS every_row, LATERAL jsonb_each(CASE WHEN jsonb_typeof(metadata::jsonb) = 'object' THEN metadata::jsonb ELSE '{}' END) AS pair
  WHERE ${DAY} AND jsonb_typeof(pair.value) <> 'null' AND pair.value <> '""'::jsonb AND pair.key <> '' AND pair.key !~ '[].["\\\\]')`;

const ROWS = `SELECT count(*) AS rows FROM (SELECT 1 FROM @ledger WHERE ${DAY} LIMIT ${ROWS_MAX + 1}) AS found`;
const KEYS = `SELECT count(DISTINCT metadata_key) AS keys, coalesce(max(length(metadata_key)), 0)::bigint AS longest FROM ${PAIRS} AS pairs`;
const GROUP = `
  WITH by_value AS MATERIALIZED (
    SELECT metadata_key, value, status, coalesce(error, '') AS code, ${AMOUNTS} FROM ${PAIRS} AS pairs GROUP BY 1, 2, 3, 4),
  of_keys AS (
    INSERT INTO @metadata_key_sums (started_at, metadata_key, status, code, ${SUMS.join(", ")})
    SELECT $1::bigint, metadata_key, status, code, ${SUMMED} FROM by_value GROUP BY metadata_key, status, code),
  ranked AS MATERIALIZED (
    SELECT metadata_key, value, sum(requests)::bigint AS requests, sum(tokens_upstream)::bigint AS tokens_upstream,
      row_number() OVER (PARTITION BY metadata_key ORDER BY sum(requests) DESC, sum(tokens_upstream) DESC, value COLLATE "C") AS place
    FROM by_value WHERE length(value) <= ${VALUE_CHARACTERS_MAX} GROUP BY metadata_key, value),
  most AS (
    INSERT INTO @metadata_leading (started_at, metadata_key, value, requests, tokens_upstream)
    SELECT $1::bigint, metadata_key, value, requests, tokens_upstream FROM ranked WHERE place <= ${LEADING_MAX})
  INSERT INTO @metadata_value_sums (started_at, metadata_key, value, status, code, ${SUMS.join(", ")})
  SELECT $1::bigint, metadata_key, value, status, code, ${SUMS.map((name) => `by_value.${name}`).join(", ")}
  FROM by_value JOIN ranked USING (metadata_key, value) WHERE place <= ${VALUES_MAX}`;

export async function dropMetadata({ query }: Connection, day: bigint): Promise<void> {
  for (const table of ["@metadata_key_sums", "@metadata_value_sums", "@metadata_leading"])
    await query(`DELETE FROM ${table} WHERE started_at = $1`, [day]);
}

/** @returns whether the day is grouped: not if there is too much of it */
export async function groupMetadata({ query }: Connection, day: bigint): Promise<boolean> {
  const [there] = await query<{ readonly rows: bigint }>(ROWS, [day]);
  if ((there?.rows ?? 0n) > BigInt(ROWS_MAX)) return false;
  const [found] = await query<{ readonly keys: bigint; readonly longest: bigint }>(KEYS, [day]);
  if (found === undefined || found.keys > BigInt(KEYS_MAX) || found.longest > BigInt(KEY_CHARACTERS_MAX))
    return false;
  await query(GROUP, [day]);
  return true;
}

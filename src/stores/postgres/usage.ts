/**
 * Usage summed from the ledger in PostgreSQL. The sums are defined in src/books/usage.ts; a new group, filter or sum needs a line here too.
 */
import { type Asked, pathOf, type UsageGroup, type UsageLine } from "../../books/usage";
import { ALL_ROWS, DAY_OF_ROW } from "./all-rows";
import { textsOf } from "./arrays";
import type { Parameter } from "./connection";
import type { Pool } from "./pool";

const GROUP_EXPRESSIONS: Readonly<Record<UsageGroup, string>> = {
  model: "model",
  workspace: "workspace",
  key: "coalesce(key_id, '')",
  day: DAY_OF_ROW,
  provider: "coalesce(provider, '')",
  status: "status::text",
  code: "coalesce(error, '')",
};

const first = (column: string) =>
  `CASE WHEN coalesce(share.place, 1) = 1 THEN ${column} ELSE 0 END AS ${column}`;
const FIRSTS = [
  "asked",
  "inputs",
  "cache_hits",
  "tokens",
  "tokens_billed",
  "estimated",
  "cost_pico_usd",
  "micro_credits",
];

/** Splits a row by the providers that counted tokens for it: each gets its tokens and its cost, the first all other amounts. */
const BY_PROVIDER = `(SELECT started_at, workspace, key_id, model, status, error, metadata,
    CASE WHEN by_provider IS NULL THEN provider ELSE share.value ->> 0 END AS provider,
    CASE WHEN by_provider IS NULL THEN tokens_upstream ELSE (share.value ->> 1)::bigint END AS tokens_upstream,
    CASE WHEN by_provider IS NULL THEN upstream_pico_usd ELSE (share.value ->> 2)::bigint END AS upstream_pico_usd,
    ${FIRSTS.map(first).join(", ")}
  FROM counted LEFT JOIN LATERAL jsonb_array_elements(by_provider::jsonb) WITH ORDINALITY AS share(value, place) ON true) AS rows`;

/** Compares a value with a filter's text: strings as they are, numbers and booleans as JSON writes them. */
const says = (value: string, wanted: string) => `(${value} #>> '{}') = ${wanted}`;
const hasPair = (key: string, wanted: string) =>
  `(jsonb_typeof(metadata::jsonb) = 'object' AND metadata::jsonb ? ${key} AND ${says(`(metadata::jsonb -> ${key})`, wanted)})`;
const hasWithin = (path: string, wanted: string) => `EXISTS (
  SELECT 1 FROM (SELECT metadata::jsonb #> ${path} AS value) AS there
  WHERE jsonb_typeof(there.value) <> 'object' AND (${says("there.value", wanted)}
    OR jsonb_typeof(there.value) = 'array' AND EXISTS (SELECT 1 FROM jsonb_array_elements(there.value) AS one WHERE ${says("one.value", wanted)})))`;

export async function sumPostgresUsage(
  pool: Pool,
  { since, until, by, filter: { workspace, metadata = new Map() } = {}, ownWorkspace }: Asked,
): Promise<readonly UsageLine[]> {
  const values: Parameter[] = [ownWorkspace, since];
  const parameter = (value: Parameter) => `$${values.push(value)}::text`;
  const conditions = ["started_at >= $2"];
  if (until !== undefined) conditions.push(`started_at < $${values.push(until)}::bigint`);
  if (workspace !== undefined) conditions.push(`workspace = ${parameter(workspace)}`);
  conditions.push(...pairsIn(metadata, parameter));
  const groups = by.map((group) => GROUP_EXPRESSIONS[group]);
  const ordered = groups.map((group) => `(${group}) COLLATE "C"`).join(", ");
  const lines = await pool.run(({ query }) =>
    query<Omit<UsageLine, "group">>(
      `WITH counted AS (
         SELECT *, CASE WHEN workspace <> $1 THEN requests ELSE 0 END AS asked FROM ${ALL_ROWS} AS every_row WHERE ${conditions.join(" AND ")})
       SELECT jsonb_build_array(${groups.join(", ")}) AS groups, sum(asked)::bigint AS requests,
         sum(CASE WHEN status <> 200 THEN asked ELSE 0 END)::bigint AS failed,
         sum(CASE WHEN asked > 0 THEN inputs ELSE 0 END)::bigint AS inputs, sum(cache_hits)::bigint AS cache_hits,
         sum(tokens)::bigint AS tokens, sum(tokens_upstream)::bigint AS tokens_upstream, sum(tokens_billed)::bigint AS tokens_billed,
         coalesce(sum(CASE WHEN asked > 0 THEN estimated ELSE 0 END), 0)::bigint AS estimated, sum(cost_pico_usd)::bigint AS cost_pico_usd,
         sum(micro_credits)::bigint AS micro_credits, sum(upstream_pico_usd)::bigint AS upstream_pico_usd
       FROM ${by.includes("provider") ? BY_PROVIDER : "counted AS rows"} GROUP BY ${groups.join(", ")} ORDER BY ${ordered}`,
      values,
    ),
  );
  return lines.map((line) => ({ ...line, group: line.groups[0] ?? "" }));
}

/** A condition for each key of metadata. @param parameter adds a value to the statement, and returns its placeholder */
export const pairsIn = (
  metadata: ReadonlyMap<string, string>,
  parameter: (value: string) => string,
): readonly string[] =>
  [...metadata].map(([key, value]) => {
    const wanted = parameter(value);
    const path = pathOf(key);
    const pair = hasPair(parameter(key), wanted);
    return path === undefined
      ? pair
      : `(${pair} OR ${hasWithin(`${parameter(arrayOf(path))}::text[]`, wanted)})`;
  });

/** `$."project"."tags"[0]` as PostgreSQL writes a path: an array of text. */
export function arrayOf(path: string): string {
  return textsOf([...path.matchAll(/"([^"]*)"|\[(\d+)\]/g)].map(([, name, place]) => name ?? place ?? ""));
}

/**
 * Reads sums from the ledger: by one group or several, over all rows or some. Sums are exact.
 * A new group is a line in `GROUP_EXPRESSIONS`, a new filter a member of `UsageFilter` with its condition. A new sum is a member of `UsageLine`
 * and a column of both queries (here and in src/stores/postgres/usage.ts); src/commands/usage.ts and src/admin/api/sums.ts show it.
 */
import type { Store } from "../db/open";
import { ALL_ROWS } from "./all-rows";

export const USAGE_GROUPS = ["model", "workspace", "key", "day", "provider", "status", "code"] as const;
export type UsageGroup = (typeof USAGE_GROUPS)[number];

/** One line of usage. Sums are bigints, since a busy gateway exceeds a double's 2⁵³. */
export interface UsageLine {
  /** The first of `groups`, which is often the only one. */
  readonly group: string;
  /** In the order of the query. */
  readonly groups: readonly string[];
  readonly requests: bigint;
  readonly failed: bigint;
  readonly inputs: bigint;
  readonly cache_hits: bigint;
  readonly tokens: bigint;
  readonly tokens_upstream: bigint;
  readonly tokens_billed: bigint;
  /** Requests whose count was estimated because the provider reported none. */
  readonly estimated: bigint;
  readonly cost_pico_usd: bigint;
  readonly micro_credits: bigint;
  /** What providers are owed for `tokens_upstream`. */
  readonly upstream_pico_usd: bigint;
}

/** Which rows are summed. Without any filter: all. */
export interface UsageFilter {
  readonly workspace?: string | undefined;
  /** Rows whose metadata has all of these, by key or path (`project.team`, `tags[0]`); a number or boolean as in JSON. */
  readonly metadata?: ReadonlyMap<string, string> | undefined;
}

/** Days are UTC, so that a month's sum is the same wherever the query is made. */
const GROUP_EXPRESSIONS: Record<UsageGroup, string> = {
  model: "model",
  workspace: "workspace",
  key: "coalesce(key_id, '')",
  day: "strftime('%Y-%m-%d', started_at / 1000, 'unixepoch')",
  provider: "coalesce(provider, '')",
  status: "CAST(status AS TEXT)",
  code: "coalesce(error, '')",
};

export interface Asked {
  readonly since: number;
  /** Exclusive; undefined: up to the last row. */
  readonly until?: number | undefined;
  readonly by: readonly UsageGroup[];
  readonly filter: UsageFilter | undefined;
  /** Rows of this workspace are not requests of clients: only their tokens count. */
  readonly ownWorkspace: string;
}

/**
 * Splits rows that several providers counted for into one per provider: each has its own tokens and cost, and the first has everything else, so
 * that every sum stays the same.
 */
const BY_PROVIDER = `(SELECT started_at, workspace, key_id, model, status, error, metadata,
    iif(by_provider IS NULL, provider, share.value ->> 0) AS provider,
    iif(coalesce(share.key, 0) = 0, asked, 0) AS asked, iif(coalesce(share.key, 0) = 0, inputs, 0) AS inputs,
    iif(coalesce(share.key, 0) = 0, cache_hits, 0) AS cache_hits, iif(coalesce(share.key, 0) = 0, tokens, 0) AS tokens,
    iif(by_provider IS NULL, tokens_upstream, share.value ->> 1) AS tokens_upstream,
    iif(coalesce(share.key, 0) = 0, tokens_billed, 0) AS tokens_billed, iif(coalesce(share.key, 0) = 0, estimated, 0) AS estimated,
    iif(coalesce(share.key, 0) = 0, cost_pico_usd, 0) AS cost_pico_usd,
    iif(coalesce(share.key, 0) = 0, micro_credits, 0) AS micro_credits,
    iif(by_provider IS NULL, upstream_pico_usd, share.value ->> 2) AS upstream_pico_usd
  FROM rows LEFT JOIN json_each(by_provider) AS share)`;

/** SQLite stores booleans as 1 and 0; `type` has the original JSON type. */
const SAYS = "iif(pair.type IN ('true', 'false'), pair.type, CAST(pair.value AS TEXT)) = ?";
const HAS_PAIR = `EXISTS (SELECT 1 FROM json_each(metadata) AS pair WHERE pair.key = ? AND ${SAYS})`;
/** At a path: the value there, or one member of the list there. */
const HAS_WITHIN = `EXISTS (SELECT 1 FROM json_each(metadata, ?) AS pair WHERE json_type(metadata, ?) <> 'object' AND ${SAYS})`;

/** A condition on `metadata` for each pair, with its values. */
export const pairsIn = (
  metadata: ReadonlyMap<string, string>,
): readonly (readonly [condition: string, values: readonly string[]])[] =>
  [...metadata].map(([key, value]) => {
    const path = pathOf(key);
    const [condition, values] =
      path === undefined
        ? [HAS_PAIR, [key, value]]
        : [`(${HAS_PAIR} OR ${HAS_WITHIN})`, [key, value, path, path, value]];
    // A text search quickly excludes most rows. SQLite writes large numbers differently from JSON, so those skip it.
    if (/^-?[\d.]+e/i.test(value)) return [condition, values];
    return [`instr(metadata, ?) > 0 AND ${condition}`, [JSON.stringify(value).slice(1, -1), ...values]];
  });

/** `project.team` and `tags[0]` as an SQLite path; undefined for what can only be a key. */
export function pathOf(key: string): string | undefined {
  if (/["\\\0]/.test(key)) return undefined;
  let path = "$";
  for (const step of key.split(".")) {
    const at = step.indexOf("[");
    const name = at === -1 ? step : step.slice(0, at);
    const places = at === -1 ? "" : step.slice(at);
    if (name === "" || !/^(?:\[\d{1,9}\])*$/.test(places)) return undefined;
    path += `."${name}"${places}`;
  }
  return path;
}

export function sumUsage(
  { database, read }: Pick<Store, "database" | "read">,
  { since, until, by, filter: { workspace, metadata = new Map() } = {}, ownWorkspace }: Asked,
): readonly UsageLine[] {
  const groups = by.map((group) => GROUP_EXPRESSIONS[group]).join(", ");
  const conditions = ["started_at >= ?"];
  const values: (string | number)[] = [ownWorkspace, since];
  if (until !== undefined) {
    conditions.push("started_at < ?");
    values.push(until);
  }
  if (workspace !== undefined) {
    conditions.push("workspace = ?");
    values.push(workspace);
  }
  for (const [condition, more] of pairsIn(metadata)) {
    conditions.push(condition);
    values.push(...more);
  }
  const query = database.query<
    Omit<UsageLine, "group" | "groups"> & { readonly groups: string },
    (string | number)[]
  >(
    `WITH rows AS (SELECT *, iif(workspace <> ?, requests, 0) AS asked FROM ${ALL_ROWS})
     SELECT json_array(${groups}) AS groups, sum(asked) AS requests, sum(iif(status <> 200, asked, 0)) AS failed,
       sum(iif(asked > 0, inputs, 0)) AS inputs, sum(cache_hits) AS cache_hits, sum(tokens) AS tokens, sum(tokens_upstream) AS tokens_upstream,
       sum(tokens_billed) AS tokens_billed, coalesce(sum(iif(asked > 0, estimated, 0)), 0) AS estimated,
       sum(cost_pico_usd) AS cost_pico_usd, sum(micro_credits) AS micro_credits, sum(upstream_pico_usd) AS upstream_pico_usd
     FROM ${by.includes("provider") ? BY_PROVIDER : "rows"} WHERE ${conditions.join(" AND ")} GROUP BY ${groups} ORDER BY ${groups}`,
  );
  return read(() => query.all(...values)).map((line) => {
    const named: unknown = JSON.parse(line.groups);
    const names = Array.isArray(named) ? named.map(String) : [];
    return { ...line, group: names[0] ?? "", groups: names };
  });
}

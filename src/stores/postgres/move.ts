/**
 * Copies everything from a SQLite file to PostgreSQL, and then compares the two by rows and sums. A move that was interrupted can be
 * continued. To move another table, add it to TABLES.
 */
import { Database } from "bun:sqlite";
import { LATENCY_COLUMNS } from "../../books/latency-bounds";
import { DIMENSIONS, SUMS } from "../../books/rollups";
import { DAY_SUMS } from "../../books/trimming";
import { GatewayError } from "../../domain/errors";
import { storable, storableJson } from "./base";
import type { Connection } from "./connection";
import type { Pool } from "./pool";
import { ownSums } from "./sums";

interface Table {
  readonly name: string;
  /** The columns that identify a row, and by which rows are ordered. */
  readonly key: readonly string[];
  /** Columns of whole numbers whose sums must be equal. */
  readonly sums: readonly string[];
}

const TABLES: readonly Table[] = [
  { name: "keys", key: ["id"], sums: [] },
  { name: "key_secrets", key: ["hash"], sums: [] },
  { name: "tokens_taken", key: ["id"], sums: [] },
  { name: "workspaces", key: ["name"], sums: ["micro_credits", "micro_credits_held", "pico_usd_held"] },
  { name: "credit_grants", key: ["id"], sums: ["micro_credits"] },
  { name: "audit", key: ["id"], sums: [] },
  { name: "spaces", key: ["name"], sums: [] },
  { name: "space_routes", key: ["claim", "provider", "model"], sums: [] },
  { name: "route_limits", key: ["provider", "model"], sums: [] },
  {
    name: "ledger",
    key: ["request_id"],
    sums: [
      "inputs",
      "cache_hits",
      "tokens",
      "tokens_upstream",
      "tokens_abandoned",
      "tokens_billed",
      "tokens_cached",
      "refusals",
      "calls_made",
      "latency_ms",
      "cost_pico_usd",
      "upstream_pico_usd",
      "saved_pico_usd",
      "pico_usd_held",
      "micro_credits_held",
      "micro_credits",
      "micro_credits_taken",
      "micro_credits_short",
      "femto_credits_rounded",
    ],
  },
  {
    name: "ledger_days",
    key: [
      "day",
      "workspace",
      "key_id",
      "model",
      "provider",
      "status",
      "error",
      "metadata",
      "grants",
      "price",
      "charged",
    ],
    sums: DAY_SUMS,
  },
  {
    name: "rollups",
    key: ["unit_ms", "started_at", ...DIMENSIONS],
    sums: [...SUMS, ...LATENCY_COLUMNS],
  },
  { name: "reserves", key: ["id"], sums: ["micro_credits", "pico_usd"] },
  { name: "files", key: ["id"], sums: ["bytes"] },
  { name: "batches", key: ["id"], sums: [] },
  { name: "upstream_batches", key: ["tag"], sums: [] },
];

/** Tables with ids from a sequence, which must continue after the last one. */
const COUNTED: readonly string[] = ["credit_grants", "audit"];

const BATCH = 1_000;
/** A whole table is summed up in one. */
const STATEMENT_MS_MAX = 3_600_000;

export interface Moved {
  readonly table: string;
  readonly rows: number;
  /** Rows that were not there yet. */
  readonly added: number;
}

type Value = string | number | boolean | null;
type Row = Readonly<Record<string, Value>>;
type SqliteValue = string | number | bigint | Uint8Array | null;

/**
 * @param moved is called with each table, once it is compared
 * @throws GatewayError invalid where the target has other rows, or the two differ
 */
export async function moveFromSqlite(path: string, pool: Pool, moved: (one: Moved) => void): Promise<void> {
  const source = new Database(path, { readonly: true, safeIntegers: true });
  try {
    await begin(pool, path);
    for (const table of TABLES) moved(await moveTable(source, pool, table));
    await moveSpending(source, pool);
    await pool.transact(async ({ query }) => {
      // The ledger's rows came with their sums, so they must not be summed again.
      await query(
        `UPDATE @sums SET summed_to = greatest(summed_to, (SELECT coalesce(max(started_at) + 1, 0) FROM @ledger)), next_to = NULL
         WHERE EXISTS (SELECT 1 FROM @moves WHERE finished_at IS NULL)`,
      );
      await query("UPDATE @moves SET finished_at = coalesce(finished_at, now()) WHERE source = $1", [path]);
    });
  } finally {
    source.close();
  }
}

/** Checks that the target is empty, or that its rows come from the same file. */
async function begin(pool: Pool, source: string): Promise<void> {
  await pool.transact(async ({ query }) => {
    const moves = await query<{ readonly source: string }>("SELECT source FROM @moves");
    if (moves.length > 0 && moves.every((one) => one.source === source)) return;
    const used = await query(
      "SELECT 1 FROM @ledger UNION ALL SELECT 1 FROM @workspaces UNION ALL SELECT 1 FROM @keys LIMIT 1",
    );
    if (used.length > 0 || moves.length > 0)
      throw new GatewayError(
        "invalid",
        "The PostgreSQL database has keys, workspaces or requests of its own: move into an empty one, or another postgres.schema.",
      );
    await query("INSERT INTO @moves (source) VALUES ($1)", [source]);
  });
}

async function moveTable(source: Database, pool: Pool, table: Table): Promise<Moved> {
  const { name, key, sums } = table;
  const types = await typesOf(pool, name);
  const columns = source
    .query<{ readonly name: string }, []>(`PRAGMA table_info(${name})`)
    .all()
    .map((column) => column.name)
    .filter((column) => types.has(column));
  const listed = columns.map((column) => `"${column}"`).join(", ");
  const order = key.join(", ");
  const all = source.query<Record<string, SqliteValue>, []>(
    `SELECT ${listed} FROM ${name} ORDER BY ${order}`,
  );
  let rows = 0;
  let added = 0;
  for (const some of inBatches(all.iterate())) {
    const batch = some.map((row) => converted(row, columns, types));
    rows += batch.length;
    added += await slowly(pool, async (connection) => {
      await ownSums(connection);
      return put(connection, table, columns, types, batch);
    });
  }
  if (COUNTED.includes(name))
    await pool.run(({ query }) =>
      query(
        `SELECT setval(pg_get_serial_sequence('@${name}', 'id'), max(id)) FROM @${name} HAVING max(id) > 0`,
      ),
    );
  const summed = (of: string, cast: string) =>
    `SELECT count(*) AS rows${sums.map((sum) => `, coalesce(sum("${sum}"), 0)${cast} AS "${sum}"`).join("")} FROM ${of}`;
  const [there] = await slowly(pool, ({ query }) =>
    query<Readonly<Record<string, bigint>>>(summed(`@${name}`, "::bigint")),
  );
  const here = source.query<Record<string, bigint>, []>(summed(name, "")).get();
  for (const what of ["rows", ...sums])
    if (here?.[what] !== there?.[what])
      throw differs(
        `${name}: ${what} come to ${there?.[what]} in PostgreSQL and to ${here?.[what]} in SQLite`,
      );
  return { table: name, rows, added };
}

const slowly = <T>(pool: Pool, work: (connection: Connection) => Promise<T>) =>
  pool.run((connection) => connection.longTransaction(STATEMENT_MS_MAX, () => work(connection)));

function* inBatches<Value>(values: Iterable<Value>): Generator<Value[]> {
  let batch: Value[] = [];
  for (const value of values) {
    batch.push(value);
    if (batch.length < BATCH) continue;
    yield batch;
    batch = [];
  }
  if (batch.length > 0) yield batch;
}

const differs = (how: string) =>
  new GatewayError("invalid", `The two databases differ. ${how}. Is a gateway running on one of them?`);

/** Inserts missing rows and compares all. @returns how many were missing */
async function put(
  { query }: Connection,
  { name, key }: Table,
  columns: readonly string[],
  types: ReadonlyMap<string, string>,
  batch: readonly Row[],
): Promise<number> {
  const shape = columns
    .map((column) => `"${column}" ${types.get(column) === "bytea" ? "text" : types.get(column)}`)
    .join(", ");
  const value = (column: string, of: string) =>
    types.get(column) === "bytea" ? `decode(${of}."${column}", 'hex')` : `${of}."${column}"`;
  const rows = `json_to_recordset($1::text::json) AS r(${shape})`;
  const listed = columns.map((column) => `"${column}"`).join(", ");
  const all = JSON.stringify(batch);
  const inserted = await query(
    `INSERT INTO @${name} (${listed}) OVERRIDING SYSTEM VALUE SELECT ${columns.map((column) => value(column, "r")).join(", ")} FROM ${rows}
     ON CONFLICT DO NOTHING RETURNING 1`,
    [all],
  );
  const same = columns
    .map((column) => `t."${column}" IS NOT DISTINCT FROM ${value(column, "r")}`)
    .join(" AND ");
  const on = key.map((column) => `t."${column}" = ${value(column, "r")}`).join(" AND ");
  const [other] = await query<Readonly<Record<string, unknown>>>(
    `SELECT r.* FROM ${rows} LEFT JOIN @${name} t ON ${on} WHERE NOT coalesce(${same}, false) LIMIT 1`,
    [all],
  );
  if (other) throw differs(`${name}: the row ${key.map((column) => String(other[column])).join(", ")}`);
  return inserted.length;
}

async function typesOf(pool: Pool, table: string): Promise<ReadonlyMap<string, string>> {
  const rows = await pool.run(({ query }) =>
    query<{ readonly name: string; readonly type: string }>(
      `SELECT attname AS name, format_type(atttypid, NULL) AS type FROM pg_catalog.pg_attribute
       WHERE attrelid = '@${table}'::regclass AND attnum > 0 AND NOT attisdropped`,
    ),
  );
  return new Map(rows.map(({ name, type }) => [name, type]));
}

/** Each value as PostgreSQL expects it in JSON. */
function converted(
  row: Readonly<Record<string, SqliteValue>>,
  columns: readonly string[],
  types: ReadonlyMap<string, string>,
): Row {
  return Object.fromEntries(
    columns.map((column): [string, Value] => {
      const value = row[column] ?? null;
      if (value instanceof Uint8Array) return [column, value.toHex()];
      if (types.get(column) === "boolean") return [column, value === 1n];
      if (typeof value === "bigint") return [column, String(value)];
      if (typeof value !== "string") return [column, value];
      return [
        column,
        column === "metadata" || column === "by_provider" ? storableJson(value) : storable(value),
      ];
    }),
  );
}

/** In PostgreSQL the spending of the last day and its month is in the workspace's row. */
async function moveSpending(source: Database, pool: Pool): Promise<void> {
  const spent = source
    .query<{ workspace: string; day: string; on_day: bigint; in_month: bigint }, []>(
      `SELECT s.workspace, s.day, s.cost_pico_usd AS on_day,
         (SELECT sum(cost_pico_usd) FROM spending m WHERE m.workspace = s.workspace AND substr(m.day, 1, 7) = substr(s.day, 1, 7)) AS in_month
       FROM spending s WHERE s.day = (SELECT max(day) FROM spending l WHERE l.workspace = s.workspace)`,
    )
    .all();
  for (const { workspace, day, on_day, in_month } of spent)
    await pool.run(({ query }) =>
      query(
        `UPDATE @workspaces SET spent_day = $2, spent_day_pico_usd = $3, spent_month = $4, spent_month_pico_usd = $5
         WHERE name = $1 AND spent_day <= $2`,
        [workspace, day, on_day, day.slice(0, 7), in_month],
      ),
    );
}

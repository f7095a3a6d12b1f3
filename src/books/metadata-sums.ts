/**
 * Sums over time by the values of one metadata key, from the ledger's rows and the daily sums of trimmed rows: for what the stored sums by day
 * (metadata-days.ts) do not have, such as hours and nested values. Latencies are not included.
 */
import type { Store } from "../db/open";
import { GatewayError } from "../domain/errors";
import { ALL_ROWS } from "./all-rows";
import { SUMS } from "./rollups";
import type { SeriesAsked } from "./series";
import type { SeriesLine } from "./series-tally";
import { pathOf } from "./usage";

/** The sums of one slice of time. */
export type MetadataSums = (
  asked: SeriesAsked,
  since: number,
  until: number,
  unitMs: number,
) => readonly SeriesLine[];

interface Row {
  readonly at: bigint;
  readonly name: string;
  readonly status: bigint;
  readonly code: string;
  readonly [sum: string]: bigint | string;
}

/** As JSON: it is read once per row, and there may be a million rows. */
const VALUE = "coalesce(metadata -> $path, '')";

/** A string as it is; other values as JSON text, so that 7 and "7" are the same. */
export function nameOf(written: string): string {
  const value: unknown = written === "" ? "" : JSON.parse(written);
  if (value === null) return "";
  return typeof value === "string" ? value : written;
}

/** @throws GatewayError invalid if the query does not name exactly one metadata key */
export function metadataPathOf({ by, metadata_key: key }: SeriesAsked): string {
  if (by.length > 1)
    throw new GatewayError("invalid", "'metadata' in 'by' cannot be combined with other groups.", {
      field: "by",
    });
  if (key === undefined)
    throw new GatewayError("invalid", "by=metadata needs 'metadata_key'.", { field: "metadata_key" });
  const path = pathOf(key);
  if (path !== undefined) return path;
  throw new GatewayError("invalid", "'metadata_key' must be a key or a path, such as project.team.", {
    field: "metadata_key",
  });
}

export function openMetadataSums(
  { database, read }: Pick<Store, "database" | "read">,
  ownWorkspace: string,
): MetadataSums {
  const amounts = SUMS.map((name) => {
    if (name === "requests") return "sum(asked) AS requests";
    return name === "inputs" || name === "estimated"
      ? `sum(iif(asked > 0, ${name}, 0)) AS ${name}`
      : `sum(${name}) AS ${name}`;
  });
  return (asked, since, until, unitMs) => {
    const { workspace, key_id, model, provider } = asked;
    const path = metadataPathOf(asked);
    const filter = { workspace, key_id, model, provider };
    const wanted = Object.entries(filter).flatMap(([column, value]): [string, string][] =>
      value === undefined ? [] : [[column, value]],
    );
    const conditions = [
      "started_at >= $since",
      "started_at < $until",
      "(status <> 0 OR error IS NOT NULL)",
      ...wanted.map(([column]) => `${column} = $${column}`),
    ];
    const query = database.query<Row, [Record<string, string | number>]>(
      `WITH rows AS (SELECT *, iif(workspace <> $own, requests, 0) AS asked FROM ${ALL_ROWS})
       SELECT started_at - started_at % $unit AS at, ${VALUE} AS name, status, coalesce(error, '') AS code, ${amounts.join(", ")}
       FROM rows WHERE ${conditions.join(" AND ")} GROUP BY 1, 2, 3, 4`,
    );
    const values = { since, until, path, unit: unitMs, own: ownWorkspace, ...Object.fromEntries(wanted) };
    return read(() => query.all(values)).map((row) => ({
      at: Number(row.at),
      names: [nameOf(row.name)],
      status: Number(row.status),
      code: row.code,
      kind: "",
      sums: SUMS.map((name) => BigInt(row[name] ?? 0n)),
      latencies: [],
    }));
  };
}

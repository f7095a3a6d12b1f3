/**
 * Checks that the sums in PostgreSQL agree, for `embedgate database check`: what workspaces have and hold with their grants and requests, and the sums
 * over time with the requests. All is read from one snapshot (REPEATABLE READ). A ledger of many millions of rows is read in parts, each well within a
 * statement's time limit. To compare another sum, add its name to COMPARED.
 */
import { OWN_WORKSPACE } from "../../books/ledger";
import { UNIT_MS } from "../../books/times";
import { ALL_ROWS } from "./all-rows";
import type { Connection } from "./connection";
import type { Pool } from "./pool";
import { sumsOver } from "./sums";

/** Columns that both charts and invoices use. */
const COMPARED = [
  "requests",
  "tokens",
  "tokens_upstream",
  "tokens_billed",
  "cost_pico_usd",
  "micro_credits",
] as const;
type Compared = (typeof COMPARED)[number];

const SUMMED = COMPARED.map(
  (name) =>
    `sum(${name === "requests" ? `CASE WHEN workspace <> '${OWN_WORKSPACE}' THEN requests ELSE 0 END` : name})::bigint AS ${name}`,
).join(", ");

/** $1 and $2: from when, and before when. Requests in flight are left out: they have no charge yet. */
const BITE = `
  SELECT true AS is_sum, workspace, 0::bigint AS taken, ${SUMMED}
  FROM ${sumsOver([UNIT_MS.day, UNIT_MS.hour], "$1", "$2")} AS found GROUP BY workspace
  UNION ALL
  SELECT false, workspace, sum(micro_credits_taken)::bigint, ${SUMMED}
  FROM ${ALL_ROWS} AS every_row WHERE started_at >= $1 AND started_at < $2 AND (status <> 0 OR error IS NOT NULL) GROUP BY workspace`;

/** The tables that are read in parts, with their column of time. */
const TIMES = [
  { from: "@ledger", time: "started_at" },
  { from: "@ledger_days", time: "first_at" },
  { from: "@ledger_late", time: "started_at" },
  { from: `@rollups WHERE unit_ms = ${UNIT_MS.hour}`, time: "started_at" },
  { from: `@rollups WHERE unit_ms = ${UNIT_MS.day}`, time: "started_at" },
] as const;
const ofEach = (ask: (one: (typeof TIMES)[number]) => string) =>
  TIMES.map((one) => `(${ask(one)})`).join(", ");

const SPAN = `
  SELECT least(${ofEach(({ from, time }) => `SELECT min(${time}) FROM ${from}`)}) AS first,
    greatest(${ofEach(({ from, time }) => `SELECT max(${time}) FROM ${from}`)}) AS last`;

/** Where the next part ends. $1: from when, $2: how many rows of a table it may have; null: there are fewer. */
const BITE_END = `SELECT least(${ofEach(({ from, time }) => {
  const since = `${from.includes("WHERE") ? "AND" : "WHERE"} ${time} >= $1`;
  return `SELECT ${time} FROM ${from} ${since} ORDER BY ${time} OFFSET $2::bigint LIMIT 1`;
})}) AS upto`;

const WORKSPACES = `
  SELECT name, micro_credits - coalesce(leased.spent, 0)::bigint AS credits, micro_credits_held AS held,
    (coalesce(open.held, 0) + coalesce(reserved.held, 0) + coalesce(leased.held, 0))::bigint AS holding,
    coalesce(given.granted, 0)::bigint AS granted
  FROM @workspaces w
    LEFT JOIN (SELECT workspace, sum(micro_credits_held) AS held FROM @ledger WHERE status = 0 AND error IS NULL GROUP BY 1) AS open
      ON open.workspace = name
    LEFT JOIN (SELECT workspace, sum(micro_credits) AS held FROM @reserves GROUP BY 1) AS reserved ON reserved.workspace = name
    LEFT JOIN (SELECT workspace, sum(micro_credits) AS held, sum(micro_credits_spent) AS spent FROM @leases GROUP BY 1) AS leased
      ON leased.workspace = name
    LEFT JOIN (SELECT workspace, sum(micro_credits) AS granted FROM @credit_grants GROUP BY 1) AS given ON given.workspace = name
  ORDER BY name`;

interface WorkspaceRow {
  readonly name: string;
  readonly credits: bigint | null;
  readonly held: bigint;
  readonly holding: bigint;
  readonly granted: bigint;
}

type Sums = Record<Compared, bigint>;
type BiteRow = Readonly<Sums> & {
  readonly is_sum: boolean;
  readonly workspace: string;
  readonly taken: bigint;
};

interface Added {
  taken: bigint;
  readonly inSums: Sums;
  readonly inRows: Sums;
}

const none = (): Sums => ({
  requests: 0n,
  tokens: 0n,
  tokens_upstream: 0n,
  tokens_billed: 0n,
  cost_pico_usd: 0n,
  micro_credits: 0n,
});

/** About how long one part may take: the next one is made smaller or larger. */
const BITE_MS = 500;
const BITE_ROWS_MIN = 1_000;
const BITE_ROWS_MAX = 200_000;
const STATEMENT_MS_MAX = 60_000;

interface Way {
  readonly monotonic: () => number;
  /** Called with the share of the ledger's time that is done, from 0 to 1. */
  readonly told?: (share: number) => void;
  /** How many rows the first part has. */
  readonly biteRows?: number;
}

/**
 * @returns what does not agree, as messages
 * @throws GatewayError ledger_unavailable
 */
export function wrongInBooks(pool: Pool, way: Way): Promise<readonly string[]> {
  return pool.run((connection) =>
    connection.longTransaction(STATEMENT_MS_MAX, async () => {
      await connection.query("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY");
      // PgBouncer does not pass on the connection's own setting (connection.ts).
      await connection.query("SET LOCAL jit = off");
      const added = await addUp(connection, way);
      const workspaces = await connection.query<WorkspaceRow>(WORKSPACES);
      return [...workspaces.flatMap((one) => wrongIn(one, added.get(one.name))), ...differing(added)];
    }),
  );
}

async function addUp(
  { query }: Connection,
  { monotonic, told, biteRows = 20_000 }: Way,
): Promise<ReadonlyMap<string, Added>> {
  const added = new Map<string, Added>();
  const [span] = await query<{ readonly first: bigint | null; readonly last: bigint | null }>(SPAN);
  if (span === undefined || span.first === null || span.last === null) return added;
  const { first, last } = span;
  let rows = biteRows;
  for (let since = first; since <= last; ) {
    const begunAt = monotonic();
    const [end] = await query<{ readonly upto: bigint | null }>(BITE_END, [since, rows]);
    const upto = end?.upto ?? last + 1n;
    // Rows of one millisecond are not divided.
    const until = upto > since ? upto : since + 1n;
    for (const row of await query<BiteRow>(BITE, [since, until])) add(added, row);
    since = until;
    const took = monotonic() - begunAt;
    if (took < BITE_MS / 2) rows = Math.min(BITE_ROWS_MAX, rows * 2);
    if (took > BITE_MS * 2) rows = Math.max(BITE_ROWS_MIN, Math.floor(rows / 2));
    told?.(Number(since - first) / Number(last + 1n - first));
  }
  return added;
}

function add(to: Map<string, Added>, row: BiteRow): void {
  const known = to.get(row.workspace) ?? { taken: 0n, inSums: none(), inRows: none() };
  to.set(row.workspace, known);
  known.taken += row.taken;
  const sums = row.is_sum ? known.inSums : known.inRows;
  for (const name of COMPARED) sums[name] += row[name];
}

function wrongIn(
  { name, credits, held, holding, granted }: WorkspaceRow,
  added: Added | undefined,
): string[] {
  const wrong: string[] = [];
  if (held !== holding)
    wrong.push(
      `the workspace "${name}" holds ${held} micro-credits, but its requests in flight, batches and leases add up to ${holding}`,
    );
  const left = granted - (added?.taken ?? 0n);
  if (credits !== null && credits !== left)
    wrong.push(
      `the workspace "${name}" has ${credits} micro-credits, but its grants minus its charges add up to ${left}`,
    );
  return wrong;
}

function differing(added: ReadonlyMap<string, Added>): string[] {
  return [...added]
    .sort(([one], [other]) => (one < other ? -1 : 1))
    .flatMap(([workspace, { inSums, inRows }]) =>
      COMPARED.filter((name) => inSums[name] !== inRows[name]).map(
        (name) =>
          `the sums by hour and day of the workspace "${workspace}" have ${inSums[name]} ${name}, but its requests add up to ${inRows[name]}: its charts are wrong, its invoices are right`,
      ),
    );
}

/**
 * Whether PostgreSQL's books add up, for `embedgate database check`: what workspaces have and hold against their grants and requests, and sums over
 * time against the requests themselves. All of it is of one moment (REPEATABLE READ). A ledger of many millions of rows is summed in bites, each
 * well within a statement's limit. A further sum is a name of COMPARED.
 */
import { OWN_WORKSPACE } from "../../books/ledger";
import { UNIT_MS } from "../../books/rollups";
import { ALL_ROWS } from "./all-rows";
import type { Connection } from "./connection";
import type { Pool } from "./pool";
import { sumsOver } from "./sums";

/** What charts and invoices both are made of. */
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

/** $1 and $2: from and before when. Those under way are in neither, and nothing was taken for them yet. */
const BITE = `
  SELECT true AS is_sum, workspace, 0::bigint AS taken, ${SUMMED}
  FROM ${sumsOver([UNIT_MS.day, UNIT_MS.hour], "$1", "$2")} AS found GROUP BY workspace
  UNION ALL
  SELECT false, workspace, sum(micro_credits_taken)::bigint, ${SUMMED}
  FROM ${ALL_ROWS} AS every_row WHERE started_at >= $1 AND started_at < $2 AND (status <> 0 OR error IS NOT NULL) GROUP BY workspace`;

/** Each table that a bite reads, with its time. */
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

/** $1 from when, $2 after how many rows of a table; null: there are fewer. */
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

/** A bite that takes longer or shorter than this makes the next one smaller or larger. */
const BITE_MS = 500;
const BITE_ROWS_MIN = 1_000;
const BITE_ROWS_MAX = 200_000;
const STATEMENT_MS_MAX = 60_000;

interface Way {
  readonly monotonic: () => number;
  /** How much of the ledger's time is added up, from 0 to 1. */
  readonly told?: (share: number) => void;
  /** Of the first bite. */
  readonly biteRows?: number;
}

/**
 * @returns what does not add up, as messages
 * @throws GatewayError ledger_unavailable
 */
export function wrongInBooks(pool: Pool, way: Way): Promise<readonly string[]> {
  return pool.run((connection) =>
    connection.longTransaction(STATEMENT_MS_MAX, async () => {
      await connection.query("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY");
      // Through a pooler the connection's own setting does not count (connection.ts).
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
    // All of one millisecond are of one bite.
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
      `the workspace "${name}" holds ${held} micro-credits, its requests under way, batches and leases ${holding}`,
    );
  const left = granted - (added?.taken ?? 0n);
  if (credits !== null && credits !== left)
    wrong.push(
      `the workspace "${name}" has ${credits} micro-credits, its grants less its requests come to ${left}`,
    );
  return wrong;
}

function differing(added: ReadonlyMap<string, Added>): string[] {
  return [...added]
    .sort(([one], [other]) => (one < other ? -1 : 1))
    .flatMap(([workspace, { inSums, inRows }]) =>
      COMPARED.filter((name) => inSums[name] !== inRows[name]).map(
        (name) =>
          `the sums by hour and day of the workspace "${workspace}" come to ${inSums[name]} ${name}, its requests to ${inRows[name]}: its charts are wrong, its invoices are not`,
      ),
    );
}

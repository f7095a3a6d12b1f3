/**
 * What must hold for one database that several gateways write to, whatever happened: at every acknowledgement, and once all is quiet.
 * A new promise is a check here that throws a Breach.
 */

import { OWN_WORKSPACE } from "../../../src/books/ledger";
import { UNIT_MS } from "../../../src/books/times";
import { sumsOver } from "../../../src/stores/postgres/sums";
import type { Ask } from "../asks";
import { Breach, type Call } from "../calls";
import type { Shown, Told } from "../judge-answer";
import { STARTED_AT } from "../world";
import type { SimDatabase } from "./database";
import type { MachinesScenario } from "./draw";

interface Row {
  readonly request_id: string;
  readonly workspace: string;
  readonly started_at: bigint;
  readonly status: number;
  readonly error: string | null;
  readonly tokens: bigint;
  readonly tokens_billed: bigint;
  readonly cost_pico_usd: bigint;
  readonly micro_credits: bigint;
  readonly micro_credits_short: bigint;
  readonly micro_credits_held: bigint;
  readonly femto_credits_rounded: bigint;
  readonly spent_on: string | null;
  readonly user: string | null;
}

/** An ask that ended for its client. */
export interface Ended {
  readonly ask: Ask;
  readonly sentMs: number;
  readonly endedMs: number;
  /** undefined: the machine died. */
  readonly told: Told | undefined;
  readonly shown: Shown | undefined;
}

const FEMTO_PER_MICRO = 1_000_000_000n;
const FEMTO_PER_PICO_USD = 1_000n;

const wrong = (what: string) => new Breach("one ledger row for each acknowledged request", what);

/** As a 200 arrives. @throws Breach */
export async function judgeAcknowledged(
  { ask, sentMs, endedMs, shown }: Ended,
  scenario: MachinesScenario,
  database: SimDatabase,
): Promise<void> {
  const [row] = await database.ask<Row>("SELECT * FROM @ledger WHERE request_id = $1", [shown?.requestId]);
  if (!row) throw wrong(`${ask.id} is acknowledged, but has no row`);
  judgeRow(row, ask, shown, scenario);
  const startedMs = Number(row.started_at) - STARTED_AT - scenario.databaseClockMs;
  if (startedMs < Math.floor(sentMs) || startedMs > endedMs)
    throw new Breach("time is the database's", `${ask.id} began at ${startedMs} ms, asked at ${sentMs} ms`);
}

function judgeRow(row: Row, ask: Ask, shown: Shown | undefined, { base }: MachinesScenario): void {
  const price = BigInt(ask.model?.price ?? 0);
  if (row.status !== 200 || row.error !== null)
    throw wrong(`${ask.id} is answered, and its row says ${row.status} ${row.error}`);
  if (row.workspace !== ask.workspace || row.user !== ask.id) throw wrong(`${ask.id}'s row is another's`);
  if (row.tokens !== BigInt(shown?.tokens ?? -1)) throw wrong(`${ask.id}: ${row.tokens} tokens`);
  if (base.cache === false && row.tokens_billed > row.tokens)
    throw wrong(`${ask.id}: ${row.tokens_billed} tokens are billed`);
  const cost = row.tokens_billed * price;
  if (row.cost_pico_usd !== cost) throw wrong(`${ask.id} costs ${row.cost_pico_usd} pico-USD, not ${cost}`);
  const paid = (row.micro_credits + row.micro_credits_short) * FEMTO_PER_MICRO - row.femto_credits_rounded;
  if (paid !== cost * FEMTO_PER_PICO_USD) throw wrong(`${ask.id} paid ${paid} femto-credits`);
  const day = new Date(Number(row.started_at)).toISOString().slice(0, 10);
  if (row.spent_on !== null && row.spent_on !== day)
    throw new Breach("time is the database's", `${ask.id} counts to ${row.spent_on}, not ${day}`);
}

interface Account {
  readonly name: string;
  readonly credits: bigint | null;
  readonly held: bigint;
  readonly held_usd: bigint;
  readonly granted: bigint;
  readonly taken: bigint;
  readonly under_way: bigint;
  readonly under_way_usd: bigint;
  readonly prepaid: bigint;
  readonly rounded: bigint;
  readonly spent_day: string;
  readonly spent: bigint;
  readonly cost: bigint;
}

/** Accounts, including what is leased and what was charged to leases. */
const ACCOUNTS = `
  SELECT w.name, w.micro_credits - leased.spent AS credits, w.micro_credits_held - leased.held AS held, w.pico_usd_held - leased.held_usd AS held_usd,
    w.femto_credits_prepaid + leased.prepaid AS prepaid, leased.day AS spent_day,
    leased.spent_on_it + CASE WHEN w.spent_day = leased.day THEN w.spent_day_pico_usd ELSE 0 END AS spent,
    (SELECT coalesce(sum(g.micro_credits), 0)::bigint FROM @credit_grants g WHERE g.workspace = w.name) AS granted, l.*
  FROM @workspaces w, LATERAL (SELECT greatest(w.spent_day, max(spent_day)) AS day FROM @leases l WHERE l.workspace = w.name) last,
    LATERAL (SELECT last.day, coalesce(sum(micro_credits_spent) FILTER (WHERE limited), 0)::bigint AS spent, coalesce(sum(micro_credits), 0)::bigint AS held,
      coalesce(sum(pico_usd), 0)::bigint AS held_usd, coalesce(sum(femto_credits_prepaid), 0)::bigint AS prepaid,
      coalesce(sum(spent_day_pico_usd) FILTER (WHERE spent_day = last.day), 0)::bigint AS spent_on_it
    FROM @leases l WHERE l.workspace = w.name) leased,
    LATERAL (SELECT coalesce(sum(micro_credits_taken), 0)::bigint AS taken,
    coalesce(sum(femto_credits_rounded), 0)::bigint AS rounded,
    coalesce(sum(cost_pico_usd) FILTER (WHERE spent_on = leased.day), 0)::bigint AS cost,
    coalesce(sum(micro_credits_held) FILTER (WHERE status = 0 AND error IS NULL), 0)::bigint AS under_way,
    coalesce(sum(pico_usd_held) FILTER (WHERE status = 0 AND error IS NULL), 0)::bigint AS under_way_usd
    FROM @ledger l WHERE l.workspace = w.name) l ORDER BY w.name`;

/** At any time. @throws Breach */
export async function judgeCredits(database: SimDatabase): Promise<void> {
  const breach = (what: string) => new Breach("credits add up", what);
  for (const account of await database.ask<Account>(ACCOUNTS)) {
    const { name, credits, granted, taken, held, under_way, held_usd, under_way_usd } = account;
    if (credits !== null && (credits < 0n || taken > granted || credits !== granted - taken))
      throw breach(`${name} has ${credits} micro-credits, of ${granted}, and rows took ${taken}`);
    if (held !== under_way || held_usd !== under_way_usd)
      throw breach(
        `${name} holds ${held} micro-credits and ${held_usd} pico-USD, its rows under way ${under_way} and ${under_way_usd}`,
      );
    if (account.prepaid !== account.rounded)
      throw breach(
        `${name}'s charges are ${account.prepaid} from their exact sum, rows say ${account.rounded}`,
      );
    if (account.spent !== account.cost)
      throw breach(`${name} spent ${account.spent} on ${account.spent_day}, its rows cost ${account.cost}`);
  }
}

const SUMMED = ["requests", "inputs", "tokens", "tokens_upstream", "cost_pico_usd", "micro_credits"] as const;
const COUNTED = `SELECT started_at, CASE WHEN workspace <> '${OWN_WORKSPACE}' THEN coalesce(refusals, 1) ELSE 0 END AS requests,
  CASE WHEN workspace <> '${OWN_WORKSPACE}' THEN inputs ELSE 0 END AS inputs, tokens, tokens_upstream, cost_pico_usd, micro_credits
  FROM @ledger WHERE status <> 0 OR error IS NOT NULL`;

/** At any time, however far rows are summed up. @throws Breach */
export async function judgeSums(database: SimDatabase): Promise<void> {
  for (const unitMs of [UNIT_MS.minute, UNIT_MS.hour]) {
    const sums = (from: string) =>
      `SELECT started_at - started_at % ${unitMs} AS at, ${SUMMED.map((name) => `sum(${name})::bigint AS ${name}`).join(", ")}
       FROM (${from}) AS summed GROUP BY 1`;
    const [wrong] = await database.ask<Readonly<Record<string, unknown>>>(
      `SELECT * FROM (${sums(`SELECT * FROM ${sumsOver([unitMs], "0", "9007199254740991")} AS found`)}) AS s
       FULL JOIN (${sums(COUNTED)}) AS l USING (at)
       WHERE ${SUMMED.map((name) => `coalesce(s.${name}, 0) <> coalesce(l.${name}, 0)`).join(" OR ")} LIMIT 1`,
    );
    if (wrong) throw new Breach("sums are the ledger's", `${unitMs} ms: ${Object.values(wrong).join(", ")}`);
  }
}

/** Each ask has one row, or counts once in one of refusals. @throws Breach */
async function judgeRefusals(ended: readonly Ended[], database: SimDatabase): Promise<void> {
  const rows = await database.ask<{ readonly workspace: string; readonly requests: bigint }>(
    "SELECT workspace, sum(coalesce(refusals, 1))::bigint AS requests FROM @ledger WHERE workspace <> 'embedgate' GROUP BY workspace",
  );
  for (const { workspace, requests } of rows) {
    const sent = ended.filter(({ ask }) => ask.workspace === workspace).length;
    if (requests > BigInt(sent)) throw wrong(`${workspace} has ${requests} requests, and sent ${sent}`);
  }
}

/** Once all is quiet. @param machines that are alive @throws Breach */
export async function judgeEnd(
  ended: readonly Ended[],
  calls: readonly Call[],
  scenario: MachinesScenario,
  database: SimDatabase,
  machines: number,
): Promise<void> {
  const rows = await database.ask<Row>(
    "SELECT * FROM @ledger WHERE refusals IS NULL AND workspace <> 'embedgate'",
  );
  const byAsk = Map.groupBy(rows, ({ user }) => user ?? "");
  for (const { ask, told, shown } of ended) {
    const own = byAsk.get(ask.id) ?? [];
    if (own.length > 1) throw wrong(`${ask.id} has ${own.length} rows`);
    const [row] = own;
    if (told?.status === 200) {
      if (row?.request_id !== shown?.requestId || !row)
        throw wrong(`the acknowledged row of ${ask.id} is missing`);
      judgeRow(row, ask, shown, scenario);
    }
    if (!row && calls.some((call) => call.ask === ask.id))
      throw wrong(`${ask.id} ended after a call was made for it, and nothing tells of it`);
    if (told?.status === 402 && row?.status === 200) throw wrong(`${ask.id} was refused, and is charged`);
  }
  const open = rows.find(({ status, error, micro_credits_held }) =>
    status === 0 ? error !== "interrupted" || micro_credits_held !== 0n : micro_credits_held !== 0n,
  );
  if (open) throw wrong(`${open.user} is still under way, or holds something`);
  if (ended.length > 0) await judgeRefusals(ended, database);
  await judgeCredits(database);
  const [leased] = await database.ask<{ left: bigint }>(
    "SELECT coalesce(sum(micro_credits), 0)::bigint AS left FROM @leases",
  );
  if (leased?.left !== 0n)
    throw new Breach("what is leased and not used comes back", `${leased?.left} micro-credits are leased`);
  await judgeSums(database);
  const [instances] = await database.ask<{ count: bigint }>("SELECT count(*) AS count FROM @instances");
  if (instances?.count !== BigInt(machines))
    throw new Breach("who was taken for dead ends", `${machines} serve, and ${instances?.count} are known`);
}

/**
 * What the ledger must say: one row for each acknowledged request, with the servers' count, at the moment when it is acknowledged.
 * A new column whose value is known from outside is compared in `judgeRow`.
 */
import type { Database } from "bun:sqlite";
import type { Ask } from "./asks";
import { Breach, byPart, type Call, hasFailedTrial, isGood, isTrial, PROBE } from "./calls";
import type { Shown, Told } from "./judge-answer";
import { judgeCredits, NO_KEYS_WORKSPACE } from "./judge-credits";
import { bytesOf, type SimInput, sum, tokensGuessedMax } from "./truth";

interface Row {
  readonly request_id: string;
  readonly workspace: string;
  readonly model: string;
  readonly inputs: bigint;
  readonly cache_hits: bigint;
  readonly tokens: bigint;
  readonly tokens_upstream: bigint;
  /** The part for calls that were sent and then abandoned. */
  readonly tokens_abandoned: bigint;
  readonly tokens_billed: bigint;
  readonly tokens_source: string | null;
  readonly status: bigint;
  readonly error: string | null;
  readonly cost_pico_usd: bigint;
  readonly micro_credits: bigint;
  /** What the workspace could not pay. */
  readonly micro_credits_short: bigint;
  /** How much both together exceed the exact cost, in 10⁻¹⁵ credits. */
  readonly femto_credits_rounded: bigint;
  readonly user: string | null;
  readonly metadata: string | null;
  /** How many equal requests were refused before anything was done; null: the row is of a request that got further. */
  readonly refusals: bigint | null;
}

/** How an ask ended for its client. cut: the process died. left: the client did not wait for the answer. */
export interface Ended {
  readonly ask: Ask;
  readonly end: "told" | "cut" | "left";
  readonly told: Told | undefined;
  readonly shown: Shown | undefined;
  /** The process that it was sent to died before the ledger could be written again. */
  mayBeLost: boolean;
}

/** What rows are compared with. */
export interface Books {
  readonly calls: readonly Call[];
  readonly database: Database;
  /** The share of the price for an input that was not fetched, in tenths. */
  readonly hitPriceTenths: number;
  /** Whether credits pay for abandoned calls. */
  readonly paysAbandoned: boolean;
}

/** The workspace of the gateway's own calls. */
const OWN_WORKSPACE = "embedgate";

const askOf = ({ user, metadata }: Row): string =>
  user ?? (metadata === null ? "" : String(JSON.parse(metadata).ask));

const wrong = (what: string) => new Breach("one ledger row for each acknowledged request", what);

/** As an answer arrives. @throws Breach */
export function judgeAcknowledged(told: Told, shown: Shown, books: Books): void {
  const { database } = books;
  // Rows that a database refused are written once it is back.
  if (shown.code === "database_unavailable") return;
  const row =
    database.query<Row, [string]>("SELECT * FROM ledger WHERE request_id = ?").get(shown.requestId) ??
    refusalOf(told, shown, database);
  if (!row) throw wrong(`${told.ask.id} is acknowledged, but has no row`);
  judgeRow(row, told, shown, books);
}

const workspaceOf = ({ workspace }: Ask) => workspace ?? NO_KEYS_WORKSPACE;

/** The row that counts it, if it has none of its own. */
function refusalOf({ ask, status }: Told, { code }: Shown, database: Database): Row | undefined {
  const alike = database
    .query<Row, [string, number]>(
      "SELECT * FROM ledger WHERE refusals IS NOT NULL AND workspace = ? AND status = ? ORDER BY started_at DESC",
    )
    .all(workspaceOf(ask), status);
  return alike.find(
    ({ error, model }) =>
      (code === null || error === code) &&
      (ask.refusal || model === ask.modelId || (isBeforeBody(status, code) && model === "")),
  );
}

/** A request over the rate limit is refused before the body is read, even if the database cannot record it. */
const isBeforeBody = (status: number, code: string | null) =>
  status === 429 || code === "database_unavailable";

/** Only its outcome is kept, together with equal refusals. */
function judgeRefusal(row: Row, { ask }: Told, { calls }: Books): void {
  const kept = [row.user, row.metadata, row.tokens_source].find((value) => value !== null);
  if (kept !== undefined) throw wrong(`${ask.id} was refused, and its row says ${kept}`);
  const paid = [row.tokens, row.tokens_upstream, row.tokens_billed, row.cost_pico_usd, row.micro_credits];
  if (paid.some((amount) => amount !== 0n)) throw wrong(`${ask.id} was refused, and its row says ${paid}`);
  if (ask.user !== undefined && calls.some((call) => call.ask === ask.id))
    throw wrong(`${ask.id} was refused after a call was made for it`);
}

function judgeRow(row: Row, told: Told, shown: Shown, books: Books): void {
  const { ask, status, endedMs } = told;
  const { calls, hitPriceTenths, paysAbandoned } = books;
  const is = (name: keyof Row, right: string | bigint | null) => {
    if (row[name] !== right) throw wrong(`${ask.id}: ${name} is ${row[name]}, not ${right}`);
  };
  is("status", BigInt(status));
  is("tokens", BigInt(shown.tokens));
  is("workspace", workspaceOf(ask));
  if (status === 200) is("error", null);
  else if (row.error === null || (shown.code !== null && row.error !== shown.code))
    throw wrong(`${ask.id}: the error is ${row.error}`);
  if (!ask.refusal && (!isBeforeBody(status, shown.code) || row.model !== "")) is("model", ask.modelId);
  if (row.refusals !== null) {
    judgeRefusal(row, told, books);
    return;
  }
  if (!ask.refusal) {
    is("user", ask.user ?? null);
    is("inputs", BigInt(ask.inputs.length));
    judgeMoney(row, ask, paysAbandoned);
    const abandonedBilled = paysAbandoned ? row.tokens_abandoned : 0n;
    if (status !== 200) is("tokens_billed", abandonedBilled);
    else if (!hasFailedTrial(ask.id, calls))
      judgeUsage(row, ask, calls, hitPriceTenths, Number(row.tokens_billed - abandonedBilled));
  }
  judgeUpstream(row, ask, calls, endedMs);
}

/** Caps count everything that was sent; credits pay for it or not, as the routing file says. */
function judgeMoney(row: Row, ask: Ask, paysAbandoned: boolean): void {
  const price = BigInt(ask.model?.price ?? 0);
  const waived = paysAbandoned ? 0n : row.tokens_abandoned;
  const cost = (row.tokens_billed + waived) * price;
  if (row.cost_pico_usd !== cost) throw wrong(`${ask.id} costs ${row.cost_pico_usd} pico-USD, not ${cost}`);
  // Whole micro-credits, and the rounding: a pico-USD is a thousand femto-credits if a credit is a USD.
  const paid = (row.micro_credits + row.micro_credits_short) * 1_000_000_000n - row.femto_credits_rounded;
  if (paid !== row.tokens_billed * price * 1_000n) throw wrong(`${ask.id} paid ${paid} femto-credits`);
}

/**
 * What is shown and billed: each input's tokens once, those fetched for this ask at the full price. A server counts a call, not
 * an input, so the exact tokens of inputs that were not fetched now are unknown.
 */
function judgeUsage(
  row: Row,
  ask: Ask,
  calls: readonly Call[],
  hitPriceTenths: number,
  billed: number,
): void {
  // Two calls for one input may be answered at the same moment: it is unknown which one was used.
  const fetched = [
    ...byPart(calls.filter((call) => call.ask === ask.id && isGood(call) && !isTrial(call))).values(),
  ];
  const hits = ask.inputs.length - sum(fetched.map(([first]) => first?.inputs.length ?? 0));
  const refuse = (what: string) => {
    throw new Breach("usage is what was embedded", `${ask.id}: ${what}`);
  };
  if (row.cache_hits !== BigInt(hits)) refuse(`${row.cache_hits} hits, not ${hits}`);
  const least = sum(fetched.map((same) => Math.min(...same.map(({ tokensLeast }) => tokensLeast))));
  const most = sum(fetched.map((same) => Math.max(...same.map(({ tokensMost }) => tokensMost))));
  const shown = Number(row.tokens);
  if (hits === 0 && (shown !== billed || shown < least || shown > most))
    refuse(`${shown} tokens shown, ${billed} billed, not ${least} to ${most}`);
  if (hits === 0) return;
  const shownMost = most + sum(ask.inputs.map(tokensGuessedMax));
  if (shown < least || shown > shownMost) refuse(`${shown} tokens shown, not ${least} to ${shownMost}`);
  const billedFor = (fresh: number) => fresh + Math.ceil(((shown - fresh) * hitPriceTenths) / 10);
  if (billed < billedFor(least) || billed > billedFor(most))
    refuse(`${billed} tokens billed, not ${billedFor(least)} to ${billedFor(most)}`);
}

/** @param endedMs when the ask ended; a call that it shares continues for the others. undefined: its client left, and the time is unknown */
function judgeUpstream(row: Row, ask: Ask, calls: readonly Call[], endedMs?: number): void {
  const isShared = ask.user === undefined;
  const own = calls.filter(
    (call) =>
      call.ask === ask.id &&
      call.end === "answered" &&
      (!isShared || (call.endedMs ?? 0) <= (endedMs ?? Number.POSITIVE_INFINITY)),
  );
  const least = isShared && endedMs === undefined ? 0 : sum(own.map(({ tokensLeast }) => tokensLeast));
  const most = sum(own.map(({ tokensMost }) => tokensMost));
  const upstream = Number(row.tokens_upstream);
  const breach = (what: string) => new Breach("upstream tokens are in the ledger", `${ask.id}: ${what}`);
  const [givenUpLeast, givenUpMost] = givenUp(ask, calls);
  if (upstream < least + givenUpLeast || upstream > most + givenUpMost)
    throw breach(
      `the row says ${upstream}, servers counted ${least} to ${most}, given up were ${givenUpLeast} to ${givenUpMost}`,
    );
  const abandoned = Number(row.tokens_abandoned);
  if (abandoned < givenUpLeast || abandoned > givenUpMost)
    throw breach(`the row says that ${abandoned} were abandoned, not ${givenUpLeast} to ${givenUpMost}`);
}

/** What was sent and abandoned is estimated: four bytes per token. */
const estimateOf = (input: SimInput) =>
  typeof input === "string" ? Math.ceil(bytesOf(input) / 4) : input.length;

/** In a shared call, each ask that leaves has its own estimate, and a call without an answer is divided among all. */
function givenUp(ask: Ask, calls: readonly Call[]): readonly [number, number] {
  const own = calls.filter((call) => call.ask === ask.id);
  if (ask.user === undefined) return [0, sum(own.flatMap(({ inputs }) => inputs.map(tokensGuessedMax)))];
  const aborted = own.filter((call) => call.end === "aborted" && !isTrial(call));
  const estimated = sum(aborted.flatMap(({ inputs }) => inputs.map(estimateOf)));
  return [estimated, estimated];
}

/** Once everything is quiet. @throws Breach */
export function judgeLedger(ended: readonly Ended[], books: Books): void {
  const { calls, database } = books;
  const all = database.query<Row, []>("SELECT * FROM ledger").all();
  const rows = all.filter(({ workspace }) => workspace !== OWN_WORKSPACE);
  judgeProbes(
    all.filter(({ workspace }) => workspace === OWN_WORKSPACE),
    calls,
  );
  const whole = rows.filter(({ refusals }) => refusals === null);
  const byId = new Map(whole.map((row) => [row.request_id, row]));
  const byAsk = Map.groupBy(whole, askOf);
  let expected = 0;
  const refused = { least: 0, most: 0 };
  for (const { ask, end, told, shown, mayBeLost } of ended) {
    const unsure = (isSure: boolean) => {
      refused.least += isSure ? 1 : 0;
      refused.most += 1;
    };
    if (end === "told" && told && shown) {
      const own = byId.get(shown.requestId);
      if (mayBeLost && shown.code === "database_unavailable" && own?.status !== BigInt(told.status)) {
        expected += own ? 1 : 0;
        if (!own) unsure(false);
        continue;
      }
      const row = own ?? refusalOf(told, shown, database);
      if (row) judgeRow(row, told, shown, books);
      else throw wrong(`${ask.id} has no row`);
      if (own) expected += 1;
      else unsure(true);
      continue;
    }
    // A refused ask's row does not have its name; no other row is without one.
    const own = byAsk.get(ask.id) ?? [];
    if (own.length > 1) throw wrong(`${ask.id} has ${own.length} rows`);
    const [row] = own;
    const isCalled = ask.user !== undefined && calls.some((call) => call.ask === ask.id);
    if (!row && (isCalled || (end === "cut" && calls.some((call) => call.ask === ask.id))))
      throw wrong(`${ask.id} ended after a call was made for it, and nothing tells of it`);
    if (row && row.status !== 0n) judgeUpstream(row, ask, calls);
    if (end === "left" && row?.status === 0n && !mayBeLost) throw wrong(`${ask.id} was never settled`);
    if (!row) unsure(end === "left" && !mayBeLost);
    expected += own.length;
  }
  judgeCredits(database);
  const open = all.find(({ status, error }) => status === 0n && error !== "interrupted");
  if (open) throw wrong(`${open.user} is still under way`);
  const nameless = ended.filter(({ ask, end }) => ask.refusal && end !== "told").length;
  if (whole.length < expected || whole.length > expected + nameless)
    throw wrong(`there are ${whole.length} rows, not ${expected}`);
  const counted = sum(rows.map(({ refusals }) => Number(refusals ?? 0n)));
  if (counted < refused.least || counted > refused.most)
    throw wrong(`${counted} are counted as refused, not ${refused.least} to ${refused.most}`);
}

/** The gateway's own calls are in the ledger too, and nobody pays for them. */
function judgeProbes(rows: readonly Row[], calls: readonly Call[]): void {
  const paid = rows.find(({ tokens_billed, cost_pico_usd }) => tokens_billed !== 0n || cost_pico_usd !== 0n);
  if (paid) throw wrong("a probe is billed");
  // Calls cut off by a crash are estimated; it is unknown which ones they were.
  if (rows.some(({ status }) => status === 0n)) return;
  const own = calls.filter((call) => call.ask === PROBE && call.end === "answered");
  const aborted = calls.filter((call) => call.ask === PROBE && call.end === "aborted");
  const estimated = sum(aborted.flatMap(({ inputs }) => inputs.map(estimateOf)));
  const least = estimated + sum(own.map(({ tokensLeast }) => tokensLeast));
  const most = estimated + sum(own.map(({ tokensMost }) => tokensMost));
  const upstream = sum(rows.map(({ tokens_upstream }) => Number(tokens_upstream)));
  if (upstream < least || upstream > most)
    throw new Breach("upstream tokens are in the ledger", `probes: ${upstream}, not ${least} to ${most}`);
}

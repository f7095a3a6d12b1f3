/**
 * Sums of the ledger by minute and by hour, written in the commit of the rows: one upsert per sum that a transaction changes, not one per
 * request. They always equal the ledger's own sums. src/books/open-series.ts reads them; src/books/trimming.ts turns old hours into days.
 * A new sum is a line of SUMS and of `addCounts` or `addMoney`, and a column (src/db/migrations.ts).
 */
import type { Database } from "bun:sqlite";
import type { Gathering } from "../db/writer";
import type { Charge } from "./balances";
import { bucketOf, LATENCY_COLUMNS } from "./latency-bounds";
import type { LedgerRow } from "./ledger-row";
import { sharesIn } from "./shares";
import { UNIT_MS } from "./times";
import { openUngrouping } from "./ungrouping";

/** The key of a sum. Empty where the ledger has null. */
export const DIMENSIONS = ["workspace", "key_id", "model", "provider", "status", "code", "kind"] as const;

export const SUMS = [
  "requests",
  "inputs",
  "cache_hits",
  "tokens",
  "tokens_upstream",
  "tokens_billed",
  "tokens_cached",
  "estimated",
  "cost_pico_usd",
  "micro_credits",
  "upstream_pico_usd",
  "saved_pico_usd",
] as const;
export type SumName = (typeof SUMS)[number];

/** How many requests were charged, and what was taken from balances: for a workspace's credit history (charges.ts). */
export const CHARGE_SUMS = ["charged", "micro_credits_taken"] as const;
const STORED = [...SUMS, ...CHARGE_SUMS];

/** What a row was charged. */
export type Charged = Pick<Charge, "microCredits" | "taken" | "femtoCreditsRounded">;
export const NOT_CHARGED: Charged = { microCredits: 0n, taken: 0n, femtoCreditsRounded: 0n };

/** The columns of a ledger row that its sums need: of the row being written, or of the row that it replaces. */
export type Summed = Pick<
  LedgerRow,
  | "started_at"
  | "workspace"
  | "key_id"
  | "model"
  | "provider"
  | "status"
  | "error"
  | "kind"
  | "inputs"
  | "cache_hits"
  | "tokens"
  | "tokens_upstream"
  | "tokens_billed"
  | "tokens_cached"
  | "tokens_source"
  | "latency_ms"
  | "cost_pico_usd"
  | "upstream_pico_usd"
  | "saved_pico_usd"
  | "by_provider"
  | "metadata"
>;

/** Every method must run inside a transaction; the additions are in the database once `flush` has run. */
export interface Rollups extends Gathering {
  /** @param charge left out: nothing was charged @param sign -1 subtracts what was added for the row before */
  add(row: Summed, charge?: Charged, sign?: 1 | -1): void;
}

interface Gathered {
  readonly startedAt: number;
  readonly dimensions: readonly (string | number)[];
  /** In the order of STORED, where amounts of money come last. */
  readonly counts: number[];
  readonly money: bigint[];
  /** undefined: more than one bucket. */
  bucket: number | undefined;
  readonly latencies: number[];
}

type Value = string | number | bigint;

export const COUNTS = SUMS.indexOf("cost_pico_usd");
const NONE = -1;
const NO_SHARES: ReturnType<typeof sharesIn> = [];

/** @param ownWorkspace the workspace of the gateway's own calls: they count by their tokens only, not as requests of clients */
export function openRollups(database: Database, ownWorkspace: string): Rollups {
  const upsertOf = (latencies: readonly string[]) => {
    const columns = ["unit_ms", "started_at", ...DIMENSIONS, ...STORED, ...latencies];
    const summed = [...STORED, ...latencies].map((name) => `${name} = rollups.${name} + excluded.${name}`);
    return database.query<unknown, Value[]>(
      `INSERT INTO rollups (${columns.join(", ")}) VALUES (${columns.map(() => "?").join(", ")})
       ON CONFLICT (unit_ms, started_at, ${DIMENSIONS.join(", ")}) DO UPDATE SET ${summed.join(", ")}`,
    );
  };
  const whole = upsertOf(LATENCY_COLUMNS);
  const ungrouping = openUngrouping(database);
  /** Most transactions have one request and change one bucket, and naming the other buckets would double the work. */
  const withBucket = new Map<number, ReturnType<typeof upsertOf>>();
  /** By minute. */
  const gathered = new Map<string, Gathered>();
  /** The one that was found last: most rows of a transaction agree in all that tells sums apart. */
  let latest: { readonly row: Summed; readonly provider: string; readonly sum: Gathered } | undefined;

  function sumOf(row: Summed, provider: string): Gathered {
    const startedAt = row.started_at - (row.started_at % UNIT_MS.minute);
    if (latest?.sum.startedAt === startedAt && latest.provider === provider && isAlike(latest.row, row))
      return latest.sum;
    const sum = foundSum(startedAt, row, provider);
    latest = { row, provider, sum };
    return sum;
  }

  function foundSum(startedAt: number, row: Summed, provider: string): Gathered {
    const { workspace, key_id, model, status, error, kind } = row;
    const key = `${startedAt}\n${workspace}\n${key_id}\n${model}\n${provider}\n${status}\n${error}\n${kind}`;
    const known = gathered.get(key);
    if (known) return known;
    const made: Gathered = {
      startedAt,
      dimensions: [workspace, key_id ?? "", model, provider, status, error ?? "", kind ?? ""],
      counts: Array.from({ length: COUNTS }, () => 0),
      money: Array.from({ length: STORED.length - COUNTS }, () => 0n),
      bucket: NONE,
      latencies: LATENCY_COLUMNS.map(() => 0),
    };
    gathered.set(key, made);
    return made;
  }

  function writeHour(startedAt: number, sum: Gathered, groupedTo: number): void {
    if (startedAt < groupedTo) ungrouping.hour(startedAt);
    write(UNIT_MS.hour, startedAt, sum);
  }

  function write(unitMs: number, startedAt: number, sum: Gathered): void {
    const { dimensions, counts, money, bucket, latencies } = sum;
    if (bucket === undefined || bucket === NONE) {
      whole.run(unitMs, startedAt, ...dimensions, ...counts, ...money, ...latencies);
      return;
    }
    let upsert = withBucket.get(bucket);
    if (!upsert) {
      upsert = upsertOf(LATENCY_COLUMNS.slice(bucket, bucket + 1));
      withBucket.set(bucket, upsert);
    }
    upsert.run(unitMs, startedAt, ...dimensions, ...counts, ...money, latencies[bucket] ?? 0);
  }

  return {
    add(row, charge = NOT_CHARGED, sign = 1) {
      const isClients = row.workspace !== ownWorkspace;
      const shares = (row.by_provider ?? null) === null ? undefined : sharesIn(row.by_provider);
      const [first, ...others] = shares ?? NO_SHARES;
      const sum = sumOf(row, first?.provider ?? row.provider ?? "");
      addCounts(sum.counts, row, isClients, sign, first?.tokens ?? row.tokens_upstream);
      addMoney(
        sum.money,
        row,
        charge.microCredits,
        sign === 1 ? 1n : -1n,
        first?.picoUsd ?? row.upstream_pico_usd ?? 0n,
      );
      if (isCharged(charge)) addCharge(sum.money, charge, sign === 1 ? 1n : -1n);
      if (isClients) addLatency(sum, bucketOf(row.latency_ms), sign);
      // The answering provider gets all tokens counted upstream except for the others' shares.
      for (const { provider, tokens, picoUsd } of others) {
        const share = sumOf(row, provider);
        share.counts[UPSTREAM] = (share.counts[UPSTREAM] ?? 0) + sign * tokens;
        share.money[OWED] = (share.money[OWED] ?? 0n) + BigInt(sign) * picoUsd;
      }
    },
    flush() {
      if (gathered.size === 1) {
        for (const minute of gathered.values()) {
          write(UNIT_MS.minute, minute.startedAt, minute);
          const hour = minute.startedAt - (minute.startedAt % UNIT_MS.hour);
          writeHour(hour, minute, ungrouping.groupedTo());
        }
      } else flushSeveral();
      forget();
    },
    ended: forget,
  };

  function forget(): void {
    gathered.clear();
    latest = undefined;
  }

  function flushSeveral(): void {
    const hours = new Map<string, Gathered>();
    for (const minute of gathered.values()) {
      write(UNIT_MS.minute, minute.startedAt, minute);
      const startedAt = minute.startedAt - (minute.startedAt % UNIT_MS.hour);
      const key = `${startedAt}\n${minute.dimensions.join("\n")}`;
      const hour = hours.get(key);
      hours.set(key, hour ? together(hour, minute) : { ...minute, startedAt });
    }
    const groupedTo = hours.size > 0 ? ungrouping.groupedTo() : 0;
    for (const hour of hours.values()) writeHour(hour.startedAt, hour, groupedTo);
  }
}

/** Apart from minute and provider. */
const isAlike = (one: Summed, other: Summed) =>
  one.workspace === other.workspace &&
  one.key_id === other.key_id &&
  one.model === other.model &&
  one.status === other.status &&
  one.error === other.error &&
  one.kind === other.kind;

const UPSTREAM = SUMS.indexOf("tokens_upstream");
const OWED = SUMS.indexOf("upstream_pico_usd") - COUNTS;
const CHARGED = SUMS.length - COUNTS;
const TAKEN = CHARGED + 1;

/** The same condition as CHARGED in all-rows.ts. */
const isCharged = ({ microCredits, femtoCreditsRounded }: Charged) =>
  microCredits > 0n || femtoCreditsRounded !== 0n;

function addCharge(to: bigint[], { taken }: Charged, sign: bigint): void {
  to[CHARGED] = (to[CHARGED] ?? 0n) + sign;
  addMoneyTo(to, TAKEN, taken, sign);
}

function addLatency(sum: Gathered, bucket: number, sign: number): void {
  sum.latencies[bucket] = (sum.latencies[bucket] ?? 0) + sign;
  sum.bucket = sum.bucket === NONE || sum.bucket === bucket ? bucket : undefined;
}

const together = (one: Gathered, other: Gathered): Gathered => ({
  ...one,
  counts: one.counts.map((count, i) => count + (other.counts[i] ?? 0)),
  money: one.money.map((amount, i) => amount + (other.money[i] ?? 0n)),
  bucket: one.bucket === other.bucket ? one.bucket : undefined,
  latencies: one.latencies.map((count, i) => count + (other.latencies[i] ?? 0)),
});

/** In the order of SUMS. @param isClients whether the row is a client's request */
export function addCounts(
  to: number[],
  row: Summed,
  isClients: boolean,
  sign: 1 | -1,
  upstream: number,
): void {
  if (isClients) {
    addTo(to, 0, sign);
    addTo(to, 1, sign * row.inputs);
    if (row.tokens_source === "estimated") addTo(to, 7, sign);
  }
  addTo(to, 2, sign * row.cache_hits);
  addTo(to, 3, sign * row.tokens);
  addTo(to, 4, sign * upstream);
  addTo(to, 5, sign * row.tokens_billed);
  addTo(to, 6, sign * (row.tokens_cached ?? 0));
}

function addTo(to: number[], place: number, count: number): void {
  to[place] = (to[place] ?? 0) + count;
}

/** The rest of SUMS. */
export function addMoney(to: bigint[], row: Summed, microCredits: bigint, sign: bigint, owed: bigint): void {
  addMoneyTo(to, 0, row.cost_pico_usd, sign);
  addMoneyTo(to, 1, microCredits, sign);
  addMoneyTo(to, 2, owed, sign);
  addMoneyTo(to, 3, row.saved_pico_usd ?? 0n, sign);
}

function addMoneyTo(to: bigint[], place: number, amount: bigint, sign: bigint): void {
  if (amount !== 0n) to[place] = (to[place] ?? 0n) + (sign === 1n ? amount : sign * amount);
}

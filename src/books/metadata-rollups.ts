/**
 * Sums of the ledger by day (UTC), workspace and metadata key with its value, written in the commit of the rows. Callers choose keys and values, so
 * both are bounded: values beyond VALUES_MAX are summed together. If a workspace's day has more keys than KEYS_MAX, or a request with more metadata
 * than CHARACTERS_MAX, that day is marked and read from the ledger's rows instead. src/books/metadata-days.ts reads these sums.
 */
import type { Database } from "bun:sqlite";
import type { Gathering } from "../db/writer";
import { addCounts, addMoney, COUNTS, NOT_CHARGED, type Rollups, SUMS, type Summed } from "./rollups";
import { UNIT_MS } from "./times";

/** Per workspace and day. */
const KEYS_MAX = 64;
/** Per key, workspace and day. */
const VALUES_MAX = 200;
const VALUE_CHARACTERS_MAX = 200;
/** Of a request's metadata as JSON. */
const CHARACTERS_MAX = 8_192;
/** Entries of `known`. */
const REMEMBERED_MAX = 50_000;

/** The metadata key of the row that marks a workspace's day. No real key is empty. */
export const MARK = "";

interface Gathered {
  readonly day: number;
  readonly workspace: string;
  readonly key: string;
  readonly value: string;
  readonly status: number;
  readonly code: string;
  /** In the order of SUMS. */
  readonly counts: number[];
  readonly money: bigint[];
}

type Value = string | number | bigint;

/** Whether sums are kept for a key. A key with a dot or a bracket is a path into nested values where it is asked for. */
export const isPlainKey = (key: string): boolean => key !== "" && !/[.[\]"\\\0]/.test(key);

/** Text as it is, anything else as JSON; null counts as missing. */
const nameOf = (value: unknown): string =>
  value === null ? "" : typeof value === "string" ? value : JSON.stringify(value);

export function openMetadataRollups(database: Database, ownWorkspace: string): Rollups {
  const where = "started_at = ?1 AND workspace = ?2";
  const columns = ["started_at", "workspace", "metadata_key", "is_rest", "value", "status", "code"];
  const upsert = database.query<unknown, Value[]>(
    `INSERT INTO metadata_days (${[...columns, ...SUMS].join(", ")}) VALUES (${[...columns, ...SUMS].map(() => "?").join(", ")})
     ON CONFLICT (${columns.join(", ")}) DO UPDATE SET ${SUMS.map((name) => `${name} = metadata_days.${name} + excluded.${name}`).join(", ")}`,
  );
  const mark = database.query<unknown, [number, string]>(
    `INSERT INTO metadata_days (${[...columns, ...SUMS].join(", ")}) VALUES (?1, ?2, '${MARK}', 1, '', 0, '', ${SUMS.map(() => 0).join(", ")})
     ON CONFLICT DO NOTHING`,
  );
  const clear = database.query<unknown, [number, string]>(
    `DELETE FROM metadata_days WHERE ${where} AND metadata_key <> '${MARK}'`,
  );
  const marked = database.query<unknown, [number, string]>(
    `SELECT 1 FROM metadata_days WHERE ${where} AND metadata_key = '${MARK}'`,
  );
  const otherKeys = database.query<{ readonly count: bigint }, [number, string, string]>(
    `SELECT count(DISTINCT metadata_key) AS count FROM metadata_days WHERE ${where} AND metadata_key <> ?3`,
  );
  const hasKey = database.query<unknown, [number, string, string]>(
    `SELECT 1 FROM metadata_days WHERE ${where} AND metadata_key = ?3 LIMIT 1`,
  );
  const hasValue = database.query<unknown, [number, string, string, string]>(
    `SELECT 1 FROM metadata_days WHERE ${where} AND metadata_key = ?3 AND is_rest = 0 AND value = ?4 LIMIT 1`,
  );
  const values = database.query<{ readonly count: bigint }, [number, string, string]>(
    `SELECT count(DISTINCT value) AS count FROM metadata_days WHERE ${where} AND metadata_key = ?3 AND is_rest = 0`,
  );
  const gathered = new Map<string, Gathered>();
  /** Keys and values that the database has, and keys that have all their values. None of it changes back, unless a transaction is rolled back. */
  const known = new Set<string>();

  function remember(id: string): void {
    if (known.size >= REMEMBERED_MAX) known.clear();
    known.add(id);
  }

  function gather(row: Summed, key: string, value: string): Gathered {
    const day = row.started_at - (row.started_at % UNIT_MS.day);
    const { workspace, status, error } = row;
    const id = JSON.stringify([day, workspace, key, value, status, error]);
    let one = gathered.get(id);
    if (!one) {
      const counts = Array.from({ length: COUNTS }, () => 0);
      const money = Array.from({ length: SUMS.length - COUNTS }, () => 0n);
      one = { day, workspace, key, value, status, code: error ?? "", counts, money };
      gathered.set(id, one);
    }
    return one;
  }

  /** @returns false if the day has too many keys already */
  function admitsKey({ day, workspace, key }: Gathered): boolean {
    const id = JSON.stringify([day, workspace, key]);
    if (known.has(id)) return true;
    const isThere = hasKey.get(day, workspace, key) !== null;
    if (!isThere && (otherKeys.get(day, workspace, key)?.count ?? 0n) >= KEYS_MAX) return false;
    remember(id);
    return true;
  }

  /** Whether a value has sums of its own. The answer for a value never changes, so rows can be subtracted where they were added. */
  function isToldApart({ day, workspace, key, value }: Gathered): boolean {
    if (value.length > VALUE_CHARACTERS_MAX) return false;
    const id = JSON.stringify([day, workspace, key, value]);
    if (known.has(id)) return true;
    if (hasValue.get(day, workspace, key, value) === null) {
      const full = JSON.stringify([day, workspace, key, "full", 1]);
      if (known.has(full)) return false;
      if ((values.get(day, workspace, key)?.count ?? 0n) >= VALUES_MAX) {
        remember(full);
        return false;
      }
    }
    remember(id);
    return true;
  }

  function write(one: Gathered): void {
    const { day, workspace, key, value, status, code, counts, money } = one;
    // Another process may have marked the day.
    if (marked.get(day, workspace) !== null) return;
    if (key === MARK || !admitsKey(one)) {
      clear.run(day, workspace);
      mark.run(day, workspace);
      return;
    }
    const [isRest, name] = isToldApart(one) ? [0, value] : [1, ""];
    upsert.run(day, workspace, key, isRest, name, status, code, ...counts, ...money);
  }

  const gathering: Gathering = {
    flush() {
      for (const one of gathered.values()) write(one);
      gathered.clear();
    },
    ended(isCommitted) {
      gathered.clear();
      if (!isCommitted) known.clear();
    },
  };
  return {
    ...gathering,
    add(row, { microCredits } = NOT_CHARGED, sign = 1) {
      const { metadata } = row;
      if (metadata === null) return;
      if (metadata.length > CHARACTERS_MAX) {
        gather(row, MARK, "");
        return;
      }
      const isClients = row.workspace !== ownWorkspace;
      const said: unknown = JSON.parse(metadata);
      if (typeof said !== "object" || said === null) return;
      for (const [key, value] of Object.entries(said)) {
        const name = nameOf(value);
        if (name === "" || !isPlainKey(key)) continue;
        const one = gather(row, key, name);
        addCounts(one.counts, row, isClients, sign, row.tokens_upstream);
        addMoney(one.money, row, microCredits, BigInt(sign), row.upstream_pico_usd ?? 0n);
      }
    },
  };
}

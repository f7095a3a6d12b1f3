/**
 * Rows that wait while the database is down (postgres.on_outage: spool): lines of JSON in a file beside the gateway's others. Each is on the
 * disk before its answer is sent. The rows of a killed process are delivered by the next process that starts with the same path.
 */
import { readdirSync, readFileSync, rmSync } from "node:fs";
import { type FileHandle, open } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import type { LedgerRow } from "../../books/ledger-row";
import { PRIVATE_FILE } from "../../machine/private-files";

export interface Spool {
  /** Resolves once the row is on the disk. @throws Error where it cannot be written */
  put(line: Line): Promise<void>;
  /** Settled rows that are not delivered yet, in order. */
  waiting(): readonly LedgerRow[];
  delivered(row: LedgerRow): void;
  close(): Promise<void>;
}

/** begun: a provider is about to be called. Without a later `settled` line the row is interrupted. */
export interface Line {
  readonly what: "begun" | "settled";
  readonly row: LedgerRow;
}

const NAME = "-spool-";

export function openSpool(path: string, instance: string): Spool {
  const file = `${path}${NAME}${instance}`;
  let handle: FileHandle | undefined;
  let lines: {
    readonly text: string;
    readonly done: () => void;
    readonly failed: (cause: unknown) => void;
  }[] = [];
  let isWriting = false;
  let waiting: readonly LedgerRow[] = [];
  /** Rows that are begun and not settled: their lines must not be deleted. */
  const unsettled = new Set<string>();

  async function writeAll(): Promise<void> {
    while (lines.length > 0) {
      const group = lines;
      lines = [];
      try {
        handle ??= await open(file, "a", PRIVATE_FILE);
        await handle.appendFile(group.map(({ text }) => text).join(""));
        await handle.datasync();
        for (const { done } of group) done();
      } catch (cause) {
        for (const { failed } of group) failed(cause);
      }
    }
    isWriting = false;
  }

  /** Empties the file once no row waits. */
  async function empty(): Promise<void> {
    if (waiting.length > 0 || unsettled.size > 0 || lines.length > 0 || isWriting || handle === undefined)
      return;
    const old = handle;
    handle = undefined;
    rmSync(file, { force: true });
    await old.close();
  }

  return {
    async put(line) {
      const { promise, resolve: done, reject: failed } = Promise.withResolvers<void>();
      lines.push({ text: `${asText(line)}\n`, done, failed });
      if (!isWriting) {
        isWriting = true;
        void writeAll();
      }
      await promise;
      if (line.what === "begun") unsettled.add(line.row.request_id);
      else {
        unsettled.delete(line.row.request_id);
        waiting = [...waiting, line.row];
      }
    },
    waiting: () => waiting,
    delivered(row) {
      unsettled.delete(row.request_id);
      waiting = waiting.filter((one) => one !== row);
      void empty();
    },
    async close() {
      await empty();
      await handle?.close();
    },
  };
}

/** The rows that a killed process left. `remove` deletes their file. */
export interface Left {
  readonly instance: string;
  readonly settled: readonly LedgerRow[];
  /** Rows without a known outcome. */
  readonly begun: readonly LedgerRow[];
  remove(): void;
}

export function leftBehind(path: string): readonly Left[] {
  const folder = dirname(path);
  const prefix = `${basename(path)}${NAME}`;
  let names: string[];
  try {
    names = readdirSync(folder).filter((name) => name.startsWith(prefix));
  } catch {
    return [];
  }
  return names.map((name) => {
    const lines = readFileSync(join(folder, name), "utf8").split("\n").flatMap(fromText);
    const settled = lines.filter(({ what }) => what === "settled").map(({ row }) => row);
    const ids = new Set(settled.map(({ request_id }) => request_id));
    const begun = lines.filter(({ what, row }) => what === "begun" && !ids.has(row.request_id));
    return {
      instance: name.slice(prefix.length),
      settled,
      begun: begun.map(({ row }) => row),
      remove: () => rmSync(join(folder, name), { force: true }),
    };
  });
}

/** JSON has no bigint. */
const BIG = "bigint:";
const asText = (line: Line) =>
  JSON.stringify(line, (_, value) => (typeof value === "bigint" ? `${BIG}${value}` : value));

const MONEY = ["cost_pico_usd", "cost_femto_credits", "upstream_pico_usd", "saved_pico_usd"] as const;

/** The last line may be cut off: its row was not acknowledged. */
function fromText(text: string): Line[] {
  try {
    const line: Line = JSON.parse(text, (key, value) =>
      MONEY.some((name) => name === key) && typeof value === "string" && value.startsWith(BIG)
        ? BigInt(value.slice(BIG.length))
        : value,
    );
    return typeof line === "object" && line !== null && typeof line.row?.request_id === "string"
      ? [line]
      : [];
  } catch {
    return [];
  }
}

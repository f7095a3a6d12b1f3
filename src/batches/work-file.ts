/**
 * What was done of a batch so far, beside its files: a record for each line that is done, appended before the line's row is settled. So
 * a crash loses no charged answer, and none is requested twice. At the batch's end its output and error files
 * are made of it, in the input's order.
 * A record is a line of JSON that says how long what follows is, then the line as it will stand in the output or error file.
 */
import { type FileHandle, mkdir, open } from "node:fs/promises";
import { dirname } from "node:path";
import type { LedgerRow } from "../books/ledger-row";
import { PRIVATE_FILE } from "../machine/private-files";
import { full, writeWhole } from "./folder";

export interface Kept {
  /** In the input file, from 1. */
  readonly line: number;
  readonly isError: boolean;
  readonly tokens: number;
  /** What its row says once it is settled; undefined where it was settled before. */
  readonly row: LedgerRow | undefined;
  /** Where it stands in the work file, and how long it is, with its line end. */
  readonly from: number;
  readonly length: number;
}

export interface WorkFile {
  /** By line. */
  readonly kept: ReadonlyMap<number, Kept>;
  /** @param text what stands in the output or error file, without its line end. A line that is kept already is left as it is. */
  keep(about: Pick<Kept, "line" | "isError" | "tokens" | "row">, text: readonly Uint8Array[]): Promise<void>;
  /** Bytes of it. */
  read(from: number, length: number): Promise<Uint8Array>;
  close(): Promise<void>;
}

interface Head {
  readonly line: number;
  readonly isError: boolean;
  readonly tokens: number;
  readonly row: LedgerRow | null;
  readonly length: number;
}

const LINE_END = new Uint8Array([10]);
const HEAD_BYTES = 4_096;
const PRIVATE_FOLDER = 0o700;

/** @param survivesPower whether a record is on the disk, not only with the system, before it counts */
export async function openWorkFile(path: string, survivesPower: boolean): Promise<WorkFile> {
  await mkdir(dirname(path), { recursive: true, mode: PRIVATE_FOLDER });
  const handle = await open(path, "a+", PRIVATE_FILE).catch(full);
  const kept = new Map<number, Kept>();
  let size = await readRecords(handle, kept);
  // A half-written record is dropped.
  await handle.truncate(size);
  let last: Promise<unknown> = Promise.resolve();

  async function append({ row, ...about }: Parameters<WorkFile["keep"]>[0], text: readonly Uint8Array[]) {
    if (kept.has(about.line)) return;
    const length = text.reduce((sum, part) => sum + part.length, LINE_END.length);
    const head: Head = { ...about, row: row ?? null, length };
    const headBytes = Buffer.from(`${JSON.stringify(head, withoutBigints)}\n`);
    try {
      await writeWhole(handle, headBytes);
      for (const part of text) await writeWhole(handle, part);
      await writeWhole(handle, LINE_END);
      if (survivesPower) await handle.datasync();
    } catch (cause) {
      await handle.truncate(size).catch(() => undefined);
      full(cause);
    }
    kept.set(about.line, { ...about, row, from: size + headBytes.length, length });
    size += headBytes.length + length;
  }

  return {
    kept,
    keep(about, text) {
      const done = last.then(() => append(about, text));
      last = done.catch(() => undefined);
      return done;
    },
    async read(from, length) {
      const bytes = new Uint8Array(length);
      for (let at = 0; at < length; ) {
        const { bytesRead } = await handle.read(bytes, at, length - at, from + at);
        if (bytesRead === 0) break;
        at += bytesRead;
      }
      return bytes;
    },
    async close() {
      await last;
      await handle.close();
    },
  };
}

/** @returns where the last whole record ends */
async function readRecords(handle: FileHandle, kept: Map<number, Kept>): Promise<number> {
  const { size } = await handle.stat();
  for (let at = 0; ; ) {
    const text = await lineAt(handle, at);
    if (text === undefined) return at;
    const { row, ...about }: Head = JSON.parse(text, withBigints);
    const from = at + Buffer.byteLength(text) + 1;
    if (from + about.length > size) return at;
    kept.set(about.line, { ...about, row: row ?? undefined, from });
    at = from + about.length;
  }
}

/** Without its end; undefined where the file ends before it does. */
async function lineAt(handle: FileHandle, at: number): Promise<string | undefined> {
  for (let length = HEAD_BYTES; ; length *= 2) {
    const bytes = Buffer.alloc(length);
    const { bytesRead } = await handle.read(bytes, 0, length, at);
    const end = bytes.subarray(0, bytesRead).indexOf(10);
    if (end !== -1) return bytes.toString("utf8", 0, end);
    if (bytesRead < length) return undefined;
  }
}

/** Money is bigints, which JSON does not have: columns of these names are written as texts. */
const MONEY = /_(?:pico_usd|femto_credits)$/;
const withoutBigints = (_: string, value: unknown) => (typeof value === "bigint" ? String(value) : value);
const withBigints = (name: string, value: unknown) =>
  MONEY.test(name) && typeof value === "string" ? BigInt(value) : value;

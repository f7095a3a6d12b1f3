/**
 * A batch's finished lines: a record for each, appended before the line's row is settled, so that a crash loses no charged answer and none is
 * requested twice. At the end of the batch its output and error files are made from it, in input order.
 * A record is a line of JSON with the length of what follows, then the line as it will be in the output or error file.
 */
import { type FileHandle, mkdir, open } from "node:fs/promises";
import { dirname } from "node:path";
import type { LedgerRow } from "../books/ledger-row";
import { PRIVATE_FILE } from "../machine/private-files";
import { full, writeWhole } from "./folder";

export interface Kept {
  /** The line's number in the input file, from 1. */
  readonly line: number;
  readonly isError: boolean;
  readonly tokens: number;
  /** The ledger row to settle; undefined if it was settled before. */
  readonly row: LedgerRow | undefined;
  /** The line's offset in the work file, and its length including the line end, both in bytes. */
  readonly from: number;
  readonly length: number;
}

export interface WorkFile {
  /** By line number. */
  readonly kept: ReadonlyMap<number, Kept>;
  /** Does nothing for a line that is kept already. @param text the line of the output or error file, without its line end */
  keep(about: Pick<Kept, "line" | "isError" | "tokens" | "row">, text: readonly Uint8Array[]): Promise<void>;
  /** Reads bytes of the work file. */
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

/** @param survivesPower whether each record is flushed to the disk, to survive a power failure */
export async function openWorkFile(path: string, survivesPower: boolean): Promise<WorkFile> {
  await mkdir(dirname(path), { recursive: true, mode: PRIVATE_FOLDER });
  const handle = await open(path, "a+", PRIVATE_FILE).catch(full);
  const kept = new Map<number, Kept>();
  let size = await readRecords(handle, kept);
  // An incomplete record at the end is dropped.
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

/** @returns the end of the last complete record */
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

/** A line without its line end; undefined if the file ends before it. */
async function lineAt(handle: FileHandle, at: number): Promise<string | undefined> {
  for (let length = HEAD_BYTES; ; length *= 2) {
    const bytes = Buffer.alloc(length);
    const { bytesRead } = await handle.read(bytes, 0, length, at);
    const end = bytes.subarray(0, bytesRead).indexOf(10);
    if (end !== -1) return bytes.toString("utf8", 0, end);
    if (bytesRead < length) return undefined;
  }
}

/** Columns with money are bigints, which JSON lacks: they are written as strings. */
const MONEY = /_(?:pico_usd|femto_credits)$/;
const withoutBigints = (_: string, value: unknown) => (typeof value === "bigint" ? String(value) : value);
const withBigints = (name: string, value: unknown) =>
  MONEY.test(name) && typeof value === "string" ? BigInt(value) : value;

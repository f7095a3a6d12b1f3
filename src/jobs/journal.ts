/**
 * The journal beside OUT, one JSON value per line: the plan, the current run, the vectors' dimensions and space, and a record of each finished
 * chunk, written after its vectors. A later run does not pay again for what is recorded. A new thing to keep is a new kind of line.
 *
 * A record is written at once; a later `synced` line says that its vectors are on the disk. After kill -9 every record counts, because the
 * system still writes what the process gave it; after a crash of the machine only records before a `synced` line count.
 */
import { type FileHandle, open, readFile, rename, truncate, writeFile } from "node:fs/promises";
import { type Static, Type } from "@sinclair/typebox";
import { Value } from "@sinclair/typebox/value";
import { WrongUsage } from "../terminal/wrong-usage";
import { Plan } from "./plan";

/** A row that the provider refused, with the reason. */
const Refused = Type.Object({ row: Type.Integer(), reason: Type.String() });

const ChunkRecord = Type.Object({
  chunk: Type.Integer(),
  tokens: Type.Integer(),
  /** Pico-USD in decimal digits; null if the price is unknown. */
  cost: Type.Union([Type.String({ pattern: "^\\d+$" }), Type.Null()]),
  truncated: Type.Optional(Type.Integer()),
  refused: Type.Optional(Type.Array(Refused)),
});
export type ChunkRecord = Static<typeof ChunkRecord>;

const Made = Type.Object({ dimensions: Type.Integer({ minimum: 1 }), space: Type.String() });
/** The dimensions of the vectors, and their embedding space. */
export type Made = Static<typeof Made>;

const Line = Type.Union([
  Type.Object({ plan: Plan }),
  // `boot` identifies the machine's boot. Older versions flushed every record before the next one and did not write it.
  Type.Object({ run: Type.String(), boot: Type.Optional(Type.String()) }),
  Type.Object({ made: Made }),
  // The vectors of this many records, from the first on, are on the disk.
  Type.Object({ synced: Type.Integer({ minimum: 0 }) }),
  ChunkRecord,
]);
type Line = Static<typeof Line>;

export interface Kept {
  readonly plan: Plan | undefined;
  /** Names of earlier runs, as in the ledger. */
  readonly runs: readonly string[];
  readonly made: Made | undefined;
  readonly chunks: readonly ChunkRecord[];
}

const NOTHING: Kept = { plan: undefined, runs: [], made: undefined, chunks: [] };

/**
 * Reads the journal; removes an incomplete last line, left by a crash, and records that a crash of the machine makes doubtful.
 * @param boot the machine's current boot
 * @throws WrongUsage if a line does not belong to a journal
 */
export async function readJournal(path: string, boot: string | undefined): Promise<Kept> {
  let bytes: Buffer;
  try {
    bytes = await readFile(path);
  } catch {
    return NOTHING;
  }
  const whole = bytes.lastIndexOf(0x0a) + 1;
  if (whole < bytes.length) await truncate(path, whole);
  const found = bytes.toString("utf8", 0, whole).split("\n").slice(0, -1).map(lineOf(path));
  const lines = withoutDoubtful(found, boot);
  if (lines.length < found.length) {
    await writeFile(`${path}.next`, textOf(lines), { mode: 0o600, flush: true });
    await rename(`${path}.next`, path);
  }
  return {
    plan: lines.flatMap((line) => ("plan" in line ? [line.plan] : []))[0],
    runs: lines.flatMap((line) => ("run" in line ? [line.run] : [])),
    made: lines.flatMap((line) => ("made" in line ? [line.made] : []))[0],
    chunks: lines.filter((line) => "chunk" in line),
  };
}

function withoutDoubtful(lines: readonly Line[], boot: string | undefined): readonly Line[] {
  const synced = lines.reduce((most, line) => ("synced" in line ? Math.max(most, line.synced) : most), 0);
  let records = 0;
  let isSure = true;
  return lines.filter((line) => {
    if ("run" in line) isSure = line.boot === undefined || line.boot === boot;
    if (!("chunk" in line)) return true;
    records += 1;
    return isSure || records <= synced;
  });
}

const textOf = (lines: readonly Line[]) => lines.map((line) => `${JSON.stringify(line)}\n`).join("");

const lineOf =
  (path: string) =>
  (text: string, place: number): Line => {
    try {
      return Value.Parse(Line, JSON.parse(text));
    } catch {
      throw new WrongUsage(`${path}, line ${place + 1}: this is no journal of embedgate embed.`);
    }
  };

export interface Journal {
  /** The lines are passed to the system once it resolves. */
  write(lines: readonly Line[]): Promise<void>;
  /** Everything that was written is on the disk once it resolves. */
  sync(): Promise<void>;
  close(): Promise<void>;
}

export async function openJournal(path: string): Promise<Journal> {
  const file: FileHandle = await open(path, "a", 0o600);
  return {
    write: (lines) => file.appendFile(textOf(lines)),
    sync: () => file.datasync(),
    close: () => file.close(),
  };
}

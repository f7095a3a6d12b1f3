/**
 * The journal beside OUT, a line of JSON each: the plan, what run works on it, the vectors' size and space, and a record for each finished
 * chunk, written to the disk after its vectors. What a later run finds there it does not pay again. A new thing to keep is a kind of line.
 */
import { type FileHandle, open, readFile, truncate } from "node:fs/promises";
import { type Static, Type } from "@sinclair/typebox";
import { Value } from "@sinclair/typebox/value";
import { WrongUsage } from "../terminal/wrong-usage";
import { Plan } from "./plan";

/** A row that the provider has refused, with why. */
const Refused = Type.Object({ row: Type.Integer(), reason: Type.String() });

const ChunkRecord = Type.Object({
  chunk: Type.Integer(),
  tokens: Type.Integer(),
  /** Pico-USD, as digits; null where no price is known. */
  cost: Type.Union([Type.String({ pattern: "^\\d+$" }), Type.Null()]),
  truncated: Type.Optional(Type.Integer()),
  refused: Type.Optional(Type.Array(Refused)),
});
export type ChunkRecord = Static<typeof ChunkRecord>;

const Made = Type.Object({ dimensions: Type.Integer({ minimum: 1 }), space: Type.String() });
/** Of what size the vectors are, and where they lie. */
export type Made = Static<typeof Made>;

const Line = Type.Union([
  Type.Object({ plan: Plan }),
  Type.Object({ run: Type.String() }),
  Type.Object({ made: Made }),
  ChunkRecord,
]);
type Line = Static<typeof Line>;

export interface Kept {
  readonly plan: Plan | undefined;
  /** Names of the runs before, as the ledger has them. */
  readonly runs: readonly string[];
  readonly made: Made | undefined;
  readonly chunks: readonly ChunkRecord[];
}

const NOTHING: Kept = { plan: undefined, runs: [], made: undefined, chunks: [] };

/**
 * What the journal holds; a last line that a crash cut is cut off.
 * @throws WrongUsage where a line is none of a journal's
 */
export async function readJournal(path: string): Promise<Kept> {
  let bytes: Buffer;
  try {
    bytes = await readFile(path);
  } catch {
    return NOTHING;
  }
  const whole = bytes.lastIndexOf(0x0a) + 1;
  if (whole < bytes.length) await truncate(path, whole);
  const lines = bytes.toString("utf8", 0, whole).split("\n").slice(0, -1).map(lineOf(path));
  return {
    plan: lines.flatMap((line) => ("plan" in line ? [line.plan] : []))[0],
    runs: lines.flatMap((line) => ("run" in line ? [line.run] : [])),
    made: lines.flatMap((line) => ("made" in line ? [line.made] : []))[0],
    chunks: lines.filter((line) => "chunk" in line),
  };
}

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
  /** On the disk once it resolves. */
  write(lines: readonly Line[]): Promise<void>;
  close(): Promise<void>;
}

export async function openJournal(path: string): Promise<Journal> {
  const file: FileHandle = await open(path, "a", 0o600);
  return {
    async write(lines) {
      await file.appendFile(lines.map((line) => `${JSON.stringify(line)}\n`).join(""));
      await file.datasync();
    },
    close: () => file.close(),
  };
}

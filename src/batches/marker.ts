/**
 * Detects that the shared folder of files is not mounted. Without the mount there is an empty local folder: the machine would not find the
 * other machines' files, and they would not find its own. The file `file-folder` in the folder holds an id, and so does a row of that name
 * in the database's table of files; the two must be equal.
 */
import { randomUUID } from "node:crypto";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { BatchRecords } from "../books/batch-records";
import { GatewayError } from "../domain/errors";
import type { Outside } from "../domain/outside";
import { PRIVATE_FILE } from "../machine/private-files";
import { full, MARKER, PRIVATE_FOLDER } from "./folder";

export interface Marker {
  /** @param writes create the marker if the database has none yet @throws GatewayError busy if it is another folder */
  check(writes?: boolean): Promise<void>;
  /** The result of the last check. */
  isRightNow(): boolean;
  /** Like `isRightNow`, and starts another check for the next call. */
  isRight(): boolean;
  /** Ends the repeated checks. */
  close(): void;
}

/** No workspace has this name, so that no caller sees the row. */
const NOBODY = "";
const CHECKED_FOR_MS = 5_000;
/** Time between checks while the folder is wrong. */
const AGAIN_MS = 10_000;

interface MarkerParts {
  readonly records: Pick<BatchRecords, "file" | "putFile" | "namesAny">;
  readonly path: string;
  /** No other machine uses the database: a deleted folder may be created anew if the database names no file. */
  readonly isAlone: boolean;
  readonly outside: Pick<Outside, "now" | "monotonic" | "alarm" | "log">;
  /** Called when the folder is found again. */
  readonly found: () => void;
}

export function openMarker({ records, path, isAlone, outside, found }: MarkerParts): Marker {
  const file = join(path, MARKER);
  let wrong: string | undefined;
  let checkedAt = Number.NEGATIVE_INFINITY;
  let isMarked = false;
  let isOpen = true;
  let callOff = () => {};

  const known = async () => (await records.file(MARKER, NOBODY, outside.now()))?.filename;
  const there = () => readFile(file, "utf8").then((text) => text.trim(), ifMissing);

  async function write(id: string): Promise<void> {
    await mkdir(path, { recursive: true, mode: PRIVATE_FOLDER }).catch(full);
    await writeFile(file, id, { mode: PRIVATE_FILE, flag: "wx" }).catch((cause: unknown) => {
      // Another machine was first.
      if (!(cause instanceof Error && "code" in cause && cause.code === "EEXIST")) full(cause);
    });
  }

  async function mark(): Promise<void> {
    await write((await there()) ?? randomUUID());
    const id = (await there()) ?? "";
    const row = { id: MARKER, workspace: NOBODY, filename: id, purpose: "batch", bytes: id.length } as const;
    try {
      await records.putFile({ ...row, created_at: outside.now(), expires_at: null });
    } catch (thrown) {
      // Another process was first, with its folder's id.
      if ((await known()) === undefined) throw thrown;
    }
  }

  /** @returns a message that says what is wrong; undefined if nothing is */
  async function look(writes: boolean): Promise<string | undefined> {
    if (writes && (await known()) === undefined) await mark();
    const id = await known();
    isMarked = id !== undefined;
    if (id === undefined || id === (await there())) return undefined;
    if (isAlone && !(await records.namesAny(MARKER)) && (await there()) === undefined) {
      if (writes) await write(id);
      return undefined;
    }
    const what = (await there()) === undefined ? "does not exist" : "has the id of another folder";
    return `${file} ${what}. Mount the folder that the gateways of this database share. If ${path} is the right one, write ${id} into that file.`;
  }

  async function check(writes = false): Promise<void> {
    const now = outside.monotonic();
    const isKnown = wrong === undefined && now - checkedAt < CHECKED_FOR_MS && (isMarked || !writes);
    if (!isKnown) {
      const looked = await look(writes);
      const before = wrong;
      wrong = looked;
      checkedAt = now;
      if (wrong !== undefined && wrong !== before)
        outside.log("error", "the folder of batches' files is not the right one", {
          reason: wrong,
        });
      callOff();
      if (wrong !== undefined && isOpen) callOff = outside.alarm(AGAIN_MS, again);
      if (wrong === undefined && before !== undefined) {
        outside.log("info", "the folder of batches' files is available again", { folder: path });
        found();
      }
    }
    if (wrong !== undefined)
      throw new GatewayError(
        "busy",
        "The folder of files (files.folder) is not available on this machine: it is not mounted, or it is another folder. The gateway's log says more. Retry later.",
        { retryAfterMs: AGAIN_MS },
      );
  }

  /** A failure is in the log, and each request for files and batches gets an error. */
  const again = () => void check().catch(() => undefined);

  return {
    check,
    isRightNow: () => wrong === undefined,
    isRight() {
      again();
      return wrong === undefined;
    },
    close() {
      isOpen = false;
      callOff();
    },
  };
}

function ifMissing(cause: unknown): undefined {
  if (cause instanceof Error && "code" in cause && ["ENOENT", "ENOTDIR"].includes(String(cause.code)))
    return undefined;
  throw cause;
}

/**
 * Runs a batch from its first line to its files, in the process that has its lease. Any process can resume it, as the work file and the ledger
 * have what is done. The order: recovery after a crash → the lines → the reserve is released → the files → the end.
 */

import type { BatchRecord, BatchRecords } from "../books/batch-records";
import type { UpstreamRecords } from "../books/upstream-batches";
import type { WorkspaceRules } from "../callers/workspaces";
import { Ending } from "../domain/ending";
import type { Outside } from "../domain/outside";
import type { Caller } from "../domain/request";
import type { BatchBegun, BatchTrace, RequestTrace } from "../domain/trace";
import { allDone } from "../domain/until";
import type { Routes } from "../routes/route";
import type { Files } from "./files";
import { makeFiles } from "./finishing";
import { type Folder, WORK } from "./folder";
import { isWrong, type RequestLine, requestLines } from "./input";
import { type LineParts, runLine } from "./line";
import { runUpstream } from "./upstream";
import { openWorkFile, type WorkFile } from "./work-file";

export interface RunningParts extends Pick<LineParts, "embed" | "ledger"> {
  readonly records: BatchRecords;
  readonly upstreams: UpstreamRecords;
  readonly files: Files;
  readonly folder: Folder;
  readonly policies: (caller: Caller) => LineParts["policies"];
  readonly rules: (workspace: string) => WorkspaceRules;
  readonly routes: () => Routes;
  /** Keeps the current generation open during the work, across reloads. */
  readonly preparing: Parameters<typeof runUpstream>[1]["preparing"];
  readonly survivesPower: boolean;
  /** @returns undefined if the batch is not traced */
  readonly beginTrace: (batch: BatchBegun) => BatchTrace | undefined;
  readonly outside: Pick<
    Outside,
    "now" | "sleep" | "alarm" | "random" | "randomBytes" | "turn" | "log" | "monotonic"
  >;
}

/** Why no further line is started. */
export type Halt = "cancelled" | "expired" | "left";

export interface Held {
  readonly batch: BatchRecord;
  /** Fires with a `Halt`. */
  readonly halt: Ending;
  /** Fires when the lease must be given up, even if the batch was halted for another reason before. */
  readonly leave: Ending;
  readonly isLost: () => boolean;
}

/** Limits on lines in flight and their bytes: texts and vectors are in memory until the lines are kept. */
const LINES_UNDER_WAY_MAX = 128;
const BYTES_UNDER_WAY_MAX = 32_000_000;
const VECTOR_BYTES = 12_000;
const PASSES_MAX = 3;

const bytesOf = ({ length, body: { input } }: RequestLine) =>
  length + VECTOR_BYTES * (Array.isArray(input) ? input.length : 1);

/** Resolves once the batch has ended, or its lease is given up. */
export async function runBatch({ batch, halt, leave, isLost }: Held, parts: RunningParts): Promise<void> {
  const { records, files, folder, ledger, outside } = parts;
  const { id } = batch;
  await ledger.lines.interrupt(id);
  await records.begin(id, outside.now());
  const path = folder.pathOf(id + WORK);
  const work = await openWorkFile(path, parts.survivesPower);
  const tell = async (change: Parameters<BatchRecords["change"]>[1] = {}) => {
    if (!isLost()) await records.change(id, { ...countsOf(work), ...change });
  };
  const isLeft = () => work.kept.size < batch.lines && !halt.aborted && !isLost();
  const trace = parts.beginTrace({ id, workspace: batch.workspace, lines: batch.lines });
  try {
    await settleKept(batch, work, parts);
    const stopTelling = tellingOften(tell, outside);
    try {
      // A cancelled batch runs too, as submitted lines may have been done. A reload may have changed whether lines go to a batch service, so
      // that some were not run: they run in another pass.
      for (let pass = 0; pass === 0 || (pass < PASSES_MAX && isLeft()); pass++)
        await runLines({ batch, halt, leave, isLost }, work, trace?.lines, parts);
      if (isLeft()) throw new Error(`${batch.lines - work.kept.size} lines were not run`);
    } finally {
      await stopTelling();
    }
    // Settles the rows of answers that could not be settled before.
    await settleKept(batch, work, parts);
    const halted: Halt | undefined = halt.aborted ? haltOf(halt) : undefined;
    if (leave.aborted || isLost()) return await tell();
    await ledger.lines.release(id, outside.now());
    const isDone = halted === undefined && (await records.finalize(id, outside.now()));
    const status = isDone ? "completed" : halted === "expired" ? "expired" : "cancelled";
    const made = await makeFiles(batch, status === "expired", { files, folder, work, outside });
    if (isLost()) return;
    await tell({ ...made, status, [`${status}_at`]: outside.now() });
    const { lines_completed, lines_failed, tokens } = countsOf(work);
    outside.log("info", "batch ended", {
      batch: id,
      workspace: batch.workspace,
      status,
      lines: batch.lines,
      lines_completed,
      lines_failed,
      tokens,
    });
  } finally {
    const { lines_completed, lines_failed, tokens } = countsOf(work);
    trace?.ended({ linesCompleted: lines_completed, linesFailed: lines_failed, tokens });
    await work.close();
  }
  await folder.remove(id + WORK);
}

export const haltOf = ({ reason }: Ending): Halt =>
  reason === "cancelled" || reason === "expired" ? reason : "left";

function countsOf({ kept }: WorkFile) {
  let lines_completed = 0;
  let lines_failed = 0;
  let tokens = 0;
  for (const one of kept.values()) {
    if (one.isError) lines_failed += 1;
    else lines_completed += 1;
    tokens += one.tokens;
  }
  return { lines_completed, lines_failed, tokens };
}

/** Settles the rows of kept answers, without another call: a crash may have come between the two. */
async function settleKept(
  { id, workspace }: BatchRecord,
  work: WorkFile,
  { ledger, rules }: RunningParts,
): Promise<void> {
  const settled = await ledger.lines.answered(id);
  const { terms } = rules(workspace);
  for (const { row } of work.kept.values())
    if (row && !settled.has(row.request_id)) await ledger.lines.settleOnce(row, terms);
}

const TOLD_EVERY_MS = 1_000;

/** @returns a function that stops it */
function tellingOften(tell: () => Promise<void>, { sleep }: Pick<Outside, "sleep">): () => Promise<void> {
  const over = new Ending();
  const telling = (async () => {
    while (!over.aborted) {
      await sleep(TOLD_EVERY_MS, over).catch(() => undefined);
      // The database is locked: the next round reports it.
      if (!over.aborted) await tell().catch(() => undefined);
    }
  })();
  return () => {
    over.abort("over");
    return telling;
  };
}

async function runLines(
  { batch, halt, leave, isLost }: Held,
  work: WorkFile,
  trace: RequestTrace | undefined,
  parts: RunningParts,
): Promise<void> {
  const { embed, ledger, outside, folder } = parts;
  const caller: Caller = { workspace: batch.workspace, keyId: batch.key_id };
  const policies = parts.policies(caller);
  const held = { batch, outside, halt, leave, isLost };
  const lineParts: LineParts = { ...held, caller, policies, embed, ledger, work, trace };
  const upstream = await runUpstream(lineParts, {
    ...parts,
    batch,
    path: folder.pathOf(batch.input_file_id),
  });
  const room = createRoom();
  const failed = new Ending();
  const underWay = new Set<Promise<void>>();
  const live = (async () => {
    for await (const one of requestLines(folder.pathOf(batch.input_file_id))) {
      if (isWrong(one) || work.kept.has(one.line) || upstream.isOurs(one)) continue;
      await room.enter(one);
      if (halt.aborted || isLost() || failed.aborted) break;
      const running = runLine(one, lineParts)
        .catch((thrown: unknown) => failed.abort(thrown))
        .finally(() => {
          room.leave(one);
          underWay.delete(running);
        });
      underWay.add(running);
    }
    await Promise.all(underWay);
    failed.throwIfAborted();
  })();
  await allDone([live, upstream.done]);
}

/** Lets lines wait until there is room for them in memory. */
function createRoom() {
  let lines = 0;
  let bytes = 0;
  let wake = () => {};
  const fits = (one: RequestLine) =>
    lines === 0 || (lines < LINES_UNDER_WAY_MAX && bytes + bytesOf(one) <= BYTES_UNDER_WAY_MAX);
  return {
    async enter(one: RequestLine): Promise<void> {
      while (!fits(one))
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
      lines += 1;
      bytes += bytesOf(one);
    },
    leave(one: RequestLine): void {
      lines -= 1;
      bytes -= bytesOf(one);
      wake();
    },
  };
}

/**
 * The end of a batch: its output and error files are made from the work file, in input order. As with OpenAI, lines that were not run are in
 * the error file if the batch expired, and in neither file if it was cancelled.
 */

import type { BatchRecord } from "../books/batch-records";
import type { Outside } from "../domain/outside";
import type { Files } from "./files";
import { newId } from "./files";
import type { Folder, Writing } from "./folder";
import { isWrong, requestLines } from "./input";
import { lineId } from "./line";
import { unansweredLine } from "./objects";
import type { WorkFile } from "./work-file";

interface FinishingParts {
  readonly files: Files;
  readonly folder: Folder;
  readonly work: WorkFile;
  readonly outside: Pick<Outside, "now" | "randomBytes">;
}

export interface Made {
  readonly output_file_id: string | null;
  readonly error_file_id: string | null;
}

const EXPIRED = "This request could not be executed before the completion window expired.";

export async function makeFiles(
  batch: BatchRecord,
  hasExpired: boolean,
  parts: FinishingParts,
): Promise<Made> {
  const { work, folder } = parts;
  const kept = [...work.kept.values()].toSorted((one, other) => one.line - other.line);
  const answers = kept.filter(({ isError }) => !isError);
  const failures = new Map(kept.filter(({ isError }) => isError).map((one) => [one.line, one]));
  const make = async (name: string, isNeeded: boolean, write: (file: Writing) => Promise<void>) => {
    if (!isNeeded) return null;
    const { id } = await parts.files.make(
      {
        id: newId("file-", parts.outside),
        workspace: batch.workspace,
        filename: `${batch.id}_${name}.jsonl`,
        purpose: "batch_output",
        ...(batch.output_expires_after !== null && { expiresAfterMs: batch.output_expires_after }),
      },
      write,
    );
    return id;
  };
  return {
    output_file_id: await make("output", answers.length > 0, async (file) => {
      for (const { from, length } of answers) await file.add(await work.read(from, length));
    }),
    error_file_id: await make(
      "error",
      failures.size > 0 || (hasExpired && kept.length < batch.lines),
      async (file) => {
        for await (const one of requestLines(folder.pathOf(batch.input_file_id))) {
          if (isWrong(one)) continue;
          const failure = failures.get(one.line);
          if (failure) await file.add(await work.read(failure.from, failure.length));
          else if (hasExpired && !work.kept.has(one.line))
            await file.add(
              Buffer.from(
                `${unansweredLine(lineId(batch.id, one.line), one.customId, "batch_expired", EXPIRED)}\n`,
              ),
            );
        }
      },
    ),
  };
}

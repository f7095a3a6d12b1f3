/**
 * The end of a job: equal texts get their vector, rows without a vector are marked and listed in OUT.errors.jsonl. It may run twice:
 * after a crash in the middle the next run repeats it.
 */
import type { Errors } from "./errors-file";
import { createRowSet, type RowSet } from "./row-set";
import type { Survey } from "./survey";
import type { VectorFile } from "./vector-file";

/** Rows between two turns of the event loop, so that Ctrl-C works. */
const ROWS_AT_ONCE = 4_096;

/**
 * @param unusable rows without a text, which are in `errors` already
 * @param refused rows that the provider refused, with the reason
 * @returns the rows without a vector
 */
export async function complete(
  file: VectorFile,
  { firstOf, placeOf }: Pick<Survey, "firstOf" | "placeOf">,
  unusable: RowSet,
  refused: ReadonlyMap<number, string>,
  errors: Errors,
  turn: () => Promise<void>,
): Promise<RowSet> {
  const without = createRowSet();
  for (let row = 0; row < file.rows; row++) {
    const first = firstOf?.[row] ?? row;
    const reason = refused.get(first);
    if (reason !== undefined) {
      const words = first === row ? reason : `its text is that of row ${first}: ${reason}`;
      errors.add(row, placeOf(row), words);
    }
    if (reason !== undefined || unusable.has(row)) {
      without.add(row);
      file.clear(row);
    } else if (first !== row) file.copy(first, row);
    if (row % ROWS_AT_ONCE === 0) await turn();
  }
  await file.sync();
  return without;
}

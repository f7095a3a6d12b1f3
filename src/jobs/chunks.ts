/**
 * The second reading of a job's input: groups texts into chunks, each equal text once. The same input and limits always give the same
 * chunks, so the journal needs only a chunk's number.
 */
import { type Carrying, carrying } from "../execute/carve";
import { createCollecting } from "../machine/collecting";
import type { Plan } from "./plan";
import { bytesIn } from "./rows";
import { rowsOf, type Source } from "./sources";

export interface Chunk {
  readonly number: number;
  /** Row numbers of the input, ascending. */
  readonly rows: readonly number[];
  readonly texts: readonly string[];
}

export async function* chunksOf(
  sources: readonly Source[],
  { field, chunk: limits }: Pick<Plan, "field" | "chunk">,
  firstOf: Uint32Array | undefined,
): AsyncGenerator<Chunk, void> {
  const begun = (): Carrying =>
    carrying({ max_inputs: limits.inputs, max_call_tokens: limits.tokens, max_call_bytes: limits.bytes });
  let call = begun();
  let rows: number[] = [];
  let texts: string[] = [];
  let number = 0;
  let row = -1;
  const collect = createCollecting();
  const done = (): Chunk => {
    const chunk = { number, rows, texts };
    number += 1;
    rows = [];
    texts = [];
    call = begun();
    return chunk;
  };
  for (const source of sources) {
    for await (const batch of rowsOf(source, field)) {
      for (const text of batch) {
        row += 1;
        if (typeof text !== "string") continue;
        if (firstOf !== undefined && firstOf[row] !== row) continue;
        const piece = { input: text, place: row, weight: 1 };
        if (!call.take(piece)) {
          yield done();
          call.take(piece);
        }
        rows.push(row);
        texts.push(text);
        if (call.isFull()) yield done();
      }
      collect(bytesIn(batch));
    }
  }
  if (texts.length > 0) yield done();
}

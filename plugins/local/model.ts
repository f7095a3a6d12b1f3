/**
 * The model in one thread: packs pieces of texts into batches for the kernel.
 * How a batch is computed is in kernels.ts; a batch's size is in messages.ts.
 */
import type { Kernel } from "./kernels";
import type { Piece } from "./pieces";
import { BATCH_TOKENS, DIMENSIONS } from "./sizes";
import type { Tokenizer } from "./tokenizer";

export class Model {
  constructor(
    private readonly tokenizer: Tokenizer,
    private readonly kernel: Kernel,
  ) {}

  /**
   * One vector of unit length for each piece of at most 254 ids.
   * @param isAbandoned called between batches (of at most 0.1 s); true ends the work
   * @returns [piece][DIMENSIONS], or undefined if the work was abandoned
   */
  embed(pieces: readonly Piece[], isAbandoned: () => boolean): Float32Array<ArrayBuffer> | undefined {
    const vectors = new Float32Array(pieces.length * DIMENSIONS);
    for (let from = 0; from < pieces.length; ) {
      if (isAbandoned()) return undefined;
      const texts = this.fill(pieces, from);
      vectors.set(this.kernel.embed(texts), from * DIMENSIONS);
      from += texts;
    }
    return vectors;
  }

  /** Writes pieces from `from` on to the kernel's memory, between `[CLS]` and `[SEP]`, as many as fit. @returns how many */
  private fill(pieces: readonly Piece[], from: number): number {
    const { ids, lengths } = this.kernel;
    let texts = 0;
    let tokens = 0;
    for (const piece of pieces.slice(from, from + lengths.length)) {
      const length = piece.length + 2;
      if (tokens + length > BATCH_TOKENS) break;
      ids[tokens] = this.tokenizer.start;
      ids.set(piece, tokens + 1);
      ids[tokens + length - 1] = this.tokenizer.end;
      lengths[texts++] = length;
      tokens += length;
    }
    return texts;
  }
}

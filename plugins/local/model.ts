/**
 * The model in one thread: kernel.wasm with the weights in its memory, and the packing of pieces into batches.
 * What the numbers mean is kernel/kernel.ts's; this file only knows where they go.
 */
import { readFileSync } from "node:fs";
import kernelPath from "./kernel/kernel.wasm" with { type: "file" };
import { DIMENSIONS, MAX_INPUT_TOKENS } from "./messages";
import type { Piece } from "./pieces";
import type { Tokenizer } from "./tokenizer";
import weightsPath from "./weights/weights.bin" with { type: "file" };

/** Memory grows with it (17 KB a token); speed, measured from 256 to 1024, does not. */
const BATCH_TOKENS = 2 * MAX_INPUT_TOKENS;

interface Kernel {
  readonly memory: WebAssembly.Memory;
  reserve(parameterBytes: number, maxTokens: number): void;
  parametersAt(): number;
  tokenIdsAt(): number;
  textLengthsAt(): number;
  embeddingsAt(): number;
  embed(texts: number): void;
}

const FUNCTIONS = ["reserve", "parametersAt", "tokenIdsAt", "textLengthsAt", "embeddingsAt", "embed"];

function isKernel(exports: object): exports is Kernel {
  const members = new Map<string, unknown>(Object.entries(exports));
  if (!(members.get("memory") instanceof WebAssembly.Memory)) return false;
  return FUNCTIONS.every((name) => typeof members.get(name) === "function");
}

export class Model {
  private readonly kernel: Kernel;

  /** Takes the weights in: about 60 ms and 45 MB. */
  constructor(private readonly tokenizer: Tokenizer) {
    const { exports } = new WebAssembly.Instance(new WebAssembly.Module(readFileSync(kernelPath)));
    if (!isKernel(exports)) throw new Error("kernel.wasm is not the one that this file was written for.");
    const weights = readFileSync(weightsPath);
    exports.reserve(weights.byteLength, BATCH_TOKENS);
    new Uint8Array(exports.memory.buffer, exports.parametersAt(), weights.byteLength).set(weights);
    this.kernel = exports;
  }

  /**
   * One vector of unit length for each piece of at most 254 ids.
   * @param isAbandoned asked between batches (of at most 0.1 s); true ends the work
   * @returns [piece][DIMENSIONS], or undefined when the work was abandoned
   */
  embed(pieces: readonly Piece[], isAbandoned: () => boolean): Float32Array<ArrayBuffer> | undefined {
    const vectors = new Float32Array(pieces.length * DIMENSIONS);
    for (let from = 0; from < pieces.length; ) {
      if (isAbandoned()) return undefined;
      const batch = this.fill(pieces, from);
      this.kernel.embed(batch);
      const embeddings = new Float32Array(
        this.kernel.memory.buffer,
        this.kernel.embeddingsAt(),
        batch * DIMENSIONS,
      );
      vectors.set(embeddings, from * DIMENSIONS);
      from += batch;
    }
    return vectors;
  }

  /** Puts pieces from `from` on into the kernel's memory, between `[CLS]` and `[SEP]`, while they fit; returns how many did. */
  private fill(pieces: readonly Piece[], from: number): number {
    const { memory } = this.kernel;
    const ids = new Int32Array(memory.buffer, this.kernel.tokenIdsAt(), BATCH_TOKENS);
    const lengths = new Int32Array(memory.buffer, this.kernel.textLengthsAt(), BATCH_TOKENS);
    let texts = 0;
    let tokens = 0;
    for (const piece of pieces.slice(from, from + BATCH_TOKENS)) {
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

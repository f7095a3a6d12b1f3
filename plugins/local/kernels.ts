/**
 * Runs a kernel in a Worker: token ids in, vectors out, by the native code or by WebAssembly. All kernels give bit-identical vectors.
 * What the numbers mean is in kernel/portable/kernel.ts; this file only knows where they go.
 */
import { CFunction } from "bun:ffi";
import { readFileSync } from "node:fs";
import type { Setup } from "./messages";
import type { Native } from "./native";
import { BATCH_TOKENS, DIMENSIONS } from "./sizes";
import type { Wasm } from "./wasm";

/** A text has at least two tokens: `[CLS]` and `[SEP]`. */
const BATCH_TEXTS = BATCH_TOKENS / 2;

export interface Kernel {
  /** The ids of every text of a batch, one text after another: at most `BATCH_TOKENS`. */
  readonly ids: Int32Array;
  /** How many ids each text has: 2 to 256. */
  readonly lengths: Int32Array;
  /** The vectors [text][DIMENSIONS] of the batch's first `texts` texts: a view, overwritten by the next batch. */
  embed(texts: number): Float32Array;
}

export function openKernel(setup: Setup): Kernel {
  return setup.kernel === "wasm" ? openWasm(setup) : openNative(setup);
}

function openNative({ embedAt, parametersAt, scratchBytes }: Native): Kernel {
  const ids = new Int32Array(BATCH_TOKENS);
  const lengths = new Int32Array(BATCH_TEXTS);
  const embeddings = new Float32Array(BATCH_TEXTS * DIMENSIONS);
  const scratch = new Uint8Array(scratchBytes);
  const embed = CFunction({
    ptr: embedAt,
    args: ["u64", "ptr", "ptr", "i32", "ptr", "ptr"],
    returns: "void",
  });
  return {
    ids,
    lengths,
    embed(texts) {
      embed(parametersAt, ids, lengths, texts, scratch, embeddings);
      return embeddings.subarray(0, texts * DIMENSIONS);
    },
  };
}

interface Exports {
  reserve(parametersAt: number, maxTokens: number): void;
  tokenIdsAt(): number;
  textLengthsAt(): number;
  embeddingsAt(): number;
  embed(texts: number): void;
}

const FUNCTIONS = ["reserve", "tokenIdsAt", "textLengthsAt", "embeddingsAt", "embed"];

function areExports(exports: object): exports is Exports {
  const members = new Map<string, unknown>(Object.entries(exports));
  return FUNCTIONS.every((name) => typeof members.get(name) === "function");
}

function openWasm({ modulePath, memory, parametersAt }: Wasm): Kernel {
  const module = new WebAssembly.Module(readFileSync(modulePath));
  const { exports } = new WebAssembly.Instance(module, { env: { memory } });
  if (!areExports(exports))
    throw new Error("The WebAssembly module is not the one that this file was written for.");
  exports.reserve(parametersAt, BATCH_TOKENS);
  const { buffer } = memory;
  const embeddings = new Float32Array(buffer, exports.embeddingsAt(), BATCH_TEXTS * DIMENSIONS);
  return {
    ids: new Int32Array(buffer, exports.tokenIdsAt(), BATCH_TOKENS),
    lengths: new Int32Array(buffer, exports.textLengthsAt(), BATCH_TEXTS),
    embed(texts) {
      exports.embed(texts);
      return embeddings.subarray(0, texts * DIMENSIONS);
    },
  };
}

/**
 * The kernels, as a Worker uses them: token ids in, vectors out, by the native code or by kernel.wasm. All give the same bits.
 * What the numbers mean is kernel/kernel.ts's; this file only knows where they go.
 */
import { CFunction } from "bun:ffi";
import { readFileSync } from "node:fs";
import kernelPath from "./kernel/kernel.wasm" with { type: "file" };
import { BATCH_TOKENS, DIMENSIONS, type Setup } from "./messages";
import type { Native } from "./native";
import weightsPath from "./weights/weights.bin" with { type: "file" };

/** A text has two tokens at least: `[CLS]` and `[SEP]`. */
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
  return setup.kernel === "wasm" ? openWasm() : openNative(setup);
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

interface Wasm {
  readonly memory: WebAssembly.Memory;
  reserve(parameterBytes: number, maxTokens: number): void;
  parametersAt(): number;
  tokenIdsAt(): number;
  textLengthsAt(): number;
  embeddingsAt(): number;
  embed(texts: number): void;
}

const FUNCTIONS = ["reserve", "parametersAt", "tokenIdsAt", "textLengthsAt", "embeddingsAt", "embed"];

function isWasm(exports: object): exports is Wasm {
  const members = new Map<string, unknown>(Object.entries(exports));
  if (!(members.get("memory") instanceof WebAssembly.Memory)) return false;
  return FUNCTIONS.every((name) => typeof members.get(name) === "function");
}

/** Takes the weights in: about 60 ms and 35 MB. */
function openWasm(): Kernel {
  const { exports } = new WebAssembly.Instance(new WebAssembly.Module(readFileSync(kernelPath)));
  if (!isWasm(exports)) throw new Error("kernel.wasm is not the one that this file was written for.");
  const weights = readFileSync(weightsPath);
  exports.reserve(weights.byteLength, BATCH_TOKENS);
  const { buffer } = exports.memory;
  new Uint8Array(buffer, exports.parametersAt(), weights.byteLength).set(weights);
  return {
    ids: new Int32Array(buffer, exports.tokenIdsAt(), BATCH_TOKENS),
    lengths: new Int32Array(buffer, exports.textLengthsAt(), BATCH_TEXTS),
    embed(texts) {
      exports.embed(texts);
      return new Float32Array(buffer, exports.embeddingsAt(), texts * DIMENSIONS);
    },
  };
}

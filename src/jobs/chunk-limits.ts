/** How many texts form one chunk: as many as the model takes in one call, and no more than may be paid for again after a kill. */
import type { Plan } from "./plan";
import type { ModelFacts } from "./sender";

const INPUTS_MAX = 256;
/** Numbers in a call's vectors, so that large vectors do not fill the memory. */
const NUMBERS_MAX = 256 * 1024;
const BYTES_MAX = 1024 * 1024;
/** Used if the dimensions are unknown. */
const DIMENSIONS = 1_536;

/** For a batch, whose results arrive all at once. */
const BATCH = { inputs: 10_000, numbers: 4 * 1024 * 1024, bytes: 8 * 1024 * 1024 } as const;

/** How many texts go into one batch (src/jobs/batched.ts). */
export function batchLimits({ dimensions }: ModelFacts): Plan["chunk"] {
  const byMemory = Math.max(1, Math.floor(BATCH.numbers / (dimensions ?? DIMENSIONS)));
  return { inputs: Math.min(BATCH.inputs, byMemory), tokens: Number.MAX_SAFE_INTEGER, bytes: BATCH.bytes };
}

export function chunkLimits(facts: ModelFacts): Plan["chunk"] {
  const { max_inputs = INPUTS_MAX, max_call_tokens, max_call_bytes = BYTES_MAX, dimensions } = facts;
  const byMemory = Math.max(1, Math.floor(NUMBERS_MAX / (dimensions ?? DIMENSIONS)));
  return {
    inputs: Math.min(max_inputs, INPUTS_MAX, byMemory),
    tokens: max_call_tokens ?? Number.MAX_SAFE_INTEGER,
    bytes: Math.min(max_call_bytes, BYTES_MAX),
  };
}

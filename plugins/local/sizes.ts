/**
 * The sizes of the built-in model: its dimensions, its longest input, and the batch size of its kernels.
 * Another model has other sizes; kernel/ is built for these.
 */

export const DIMENSIONS = 384;
/** Longest input of the model in token ids, with `[CLS]` and `[SEP]`. */
export const MAX_INPUT_TOKENS = 256;

/** Token ids in a kernel's batch. A token needs 17 KB of memory, and the kernel is fastest while a batch fits the processor's cache. */
export const BATCH_TOKENS = MAX_INPUT_TOKENS;

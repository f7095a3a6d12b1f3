/**
 * The sizes of the model inside: what it makes, what it takes at once, what its kernels take in one batch.
 * Another model has others; kernel/ is built for these.
 */

export const DIMENSIONS = 384;
/** Token ids that the model takes at once, with `[CLS]` and `[SEP]`. */
export const MAX_INPUT_TOKENS = 256;

/** Token ids that a kernel takes in one batch. It works in 17 KB a token, and is fastest when that does not leave the processor's cache. */
export const BATCH_TOKENS = MAX_INPUT_TOKENS;

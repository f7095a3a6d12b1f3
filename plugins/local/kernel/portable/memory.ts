/**
 * The layout of a thread's memory, with a region for each stage, and the model's sizes.
 * To add a region, add a `let` and a line to `layOut`. ../native/memory.h is the counterpart in C.
 */

export const HIDDEN: i32 = 384, INTERMEDIATE: i32 = 1536, LAYERS: i32 = 6, HEADS: i32 = 12, HEAD_SIZE: i32 = 32;
export const VOCABULARY: i32 = 30522, POSITIONS: i32 = 256;
export const FLOAT: i32 = 4; // bytes
export const HIDDEN_BYTES: i32 = HIDDEN * FLOAT;
export const QKV_BYTES: i32 = 3 * HIDDEN_BYTES; // a token's query, key and value are adjacent
/** Adjacent outputs in a packed weight matrix. */
export const PANEL: i32 = 16;

export let tokenIds: usize; // i32: the ids of every text, one text after another, no padding
export let textLengths: usize; // i32: how many ids each text has
export let hidden: usize; // f32 [token][HIDDEN]: input and output of the layers
export let quantised: usize; // i16 [token][column]
export let quantisedScales: usize; // f32 [token]
export let widePanel: usize; // the current panel of weights of `linear`, in the form that it multiplies
export let qkv: usize; // f32 [token][query | key | value][HEADS][HEAD_SIZE]
export let context: usize; // f32 [token][HIDDEN]: the result of attention
export let intermediate: usize; // f32 [token][INTERMEDIATE]
export let keysTransposed: usize; // f32 [HEAD_SIZE][key]: one head's keys of one text
export let scores: usize; // f32 [key]: one query's scores, then its softmax weights before their division
export let embeddings: usize; // f32 [text][HIDDEN]
export let top: usize = 0;

@inline export function aligned(bytes: usize): usize { return (bytes + 15) & ~(<usize>15); }
/** `linear` handles two tokens at a time. */
@inline export function wholePairs(tokens: i32): i32 { return (tokens + 1) & ~1; }
function take(bytes: i32): usize {
  const address = top;
  top = aligned(top + <usize>bytes);
  return address;
}

/**
 * Sets the regions for batches of at most `maxTokens` tokens, one after another from `from` on; `top` is then the address after the last.
 * @param wideBytes the size of a weight in `widePanel`
 */
export function layOut(maxTokens: i32, from: usize, wideBytes: i32): void {
  const tokens = wholePairs(maxTokens);
  top = from;
  tokenIds = take(tokens * sizeof<i32>());
  textLengths = take(tokens * sizeof<i32>());
  hidden = take(tokens * HIDDEN_BYTES);
  quantised = take(tokens * INTERMEDIATE * sizeof<i16>());
  quantisedScales = take(tokens * FLOAT);
  widePanel = take(PANEL * INTERMEDIATE * wideBytes);
  qkv = take(tokens * QKV_BYTES);
  context = take(tokens * HIDDEN_BYTES);
  intermediate = take(tokens * INTERMEDIATE * FLOAT);
  keysTransposed = take(POSITIONS * HEAD_SIZE * FLOAT);
  scores = take(POSITIONS * FLOAT);
  embeddings = take(tokens * HIDDEN_BYTES);
}

@inline export function lengthOf(text: i32): i32 { return load<i32>(textLengths + text * sizeof<i32>()); }

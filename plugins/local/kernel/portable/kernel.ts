/**
 * The forward pass of all-MiniLM-L6-v2, in AssemblyScript: TypeScript's syntax, compiled ahead of time to WebAssembly.
 * Its stages are in simd/ for kernel.wasm, and in plain/ for kernel-plain.wasm, which is used where WebAssembly has no SIMD and gives the same
 * bits. The files of both folders are imported as if they were in this one. ../native/ is the same in C, for processors with wider SIMD.
 * The parameters are in memory in the order in which weights/convert.ts writes them: change the two together.
 * After any change run `bun plugins/local/kernel/build.ts`, which also writes the new file's sha256.
 *
 * The rule for everything here: a token's numbers depend only on its own text, computed by the same operations in the same
 * order wherever its row is in the batch. So a text's vector has the same bits alone and together with other texts.
 * No relaxed SIMD, as it may round differently from one CPU to the next.
 */
import { attend } from "./attention";
import { ADD, GELU, linear, quantise, STORE, WIDE_BYTES } from "./linear";
import {
  aligned, context, embeddings, FLOAT, HIDDEN, HIDDEN_BYTES, hidden, INTERMEDIATE, intermediate, LAYERS, layOut, lengthOf, POSITIONS,
  qkv, textLengths, tokenIds, top, VOCABULARY, wholePairs,
} from "./memory";
import { addRow, lookUpRow, normaliseRow, toUnitLength } from "./rows";

let parameters: usize; // shared by all threads

/** Call once per thread: allocates memory for batches of at most `maxTokens` tokens. `from` is where the parameters of all threads are. */
export function reserve(from: usize, maxTokens: i32): void {
  parameters = from;
  layOut(maxTokens, 0, WIDE_BYTES); // computes the size
  const page = memory.grow(<i32>((top + 0xffff) >> 16)); // these pages are this thread's own
  if (page < 0) unreachable();
  layOut(maxTokens, <usize>page << 16, WIDE_BYTES);
}

export function tokenIdsAt(): usize { return tokenIds; }
export function textLengthsAt(): usize { return textLengths; }
export function embeddingsAt(): usize { return embeddings; }

/** hidden[token] = word embedding (int8 row × its scale) + position embedding (f32, which includes the constant token type). */
function lookUpEmbeddings(texts: i32, words: usize, wordScales: usize, positions: usize): void {
  for (let text = 0, token = 0; text < texts; text++) {
    const length = lengthOf(text);
    for (let place = 0; place < length; place++, token++) {
      const id = load<i32>(tokenIds + token * sizeof<i32>());
      lookUpRow(hidden + token * HIDDEN_BYTES, words + id * HIDDEN, wordScales + id * FLOAT, positions + place * HIDDEN_BYTES);
    }
  }
}

/**
 * Scales each row of `hidden` to mean 0 and variance 1, times the gain, plus the bias.
 * @returns the address after the gain and the bias (f32 [HIDDEN] each)
 */
function normaliseLayer(tokens: i32, gain: usize): usize {
  const bias = gain + HIDDEN_BYTES;
  for (let token = 0; token < tokens; token++) normaliseRow(hidden + token * HIDDEN_BYTES, gain, bias);
  return bias + HIDDEN_BYTES;
}

/** embeddings[text] = the sum of its tokens' rows, scaled to length 1. The mean would give the same, so there is no division. */
function pool(texts: i32): void {
  for (let text = 0, row = hidden; text < texts; text++) {
    const length = lengthOf(text), embedding = embeddings + text * HIDDEN_BYTES;
    memory.fill(embedding, 0, HIDDEN_BYTES);
    for (let token = 0; token < length; token++, row += HIDDEN_BYTES) addRow(embedding, row);
    toUnitLength(embedding);
  }
}

/** Embeds `texts` texts: ids at `tokenIdsAt()`, lengths (1 … 256 each) at `textLengthsAt()`; writes vectors to `embeddingsAt()`. */
export function embed(texts: i32): void {
  let tokens = 0;
  for (let text = 0; text < texts; text++) tokens += lengthOf(text);
  const rows = wholePairs(tokens);
  // With an odd number of tokens there is one more row, which also goes through the linear layers: it is cleared of earlier numbers.
  memory.fill(hidden + tokens * HIDDEN_BYTES, 0, (rows - tokens) * HIDDEN_BYTES);
  memory.fill(context + tokens * HIDDEN_BYTES, 0, (rows - tokens) * HIDDEN_BYTES);
  const wordScales = parameters + aligned(VOCABULARY * HIDDEN), positions = wordScales + aligned(VOCABULARY * FLOAT);
  let next: usize = positions + POSITIONS * HIDDEN_BYTES;
  lookUpEmbeddings(texts, parameters, wordScales, positions);
  next = normaliseLayer(tokens, next);
  for (let layer = 0; layer < LAYERS; layer++) {
    quantise(hidden, rows, HIDDEN);
    next = linear(rows, HIDDEN, next, 3 * HIDDEN, qkv, STORE);
    for (let text = 0, first = 0; text < texts; first += lengthOf(text++)) attend(first, lengthOf(text));
    quantise(context, rows, HIDDEN);
    next = linear(rows, HIDDEN, next, HIDDEN, hidden, ADD);
    next = normaliseLayer(tokens, next);
    quantise(hidden, rows, HIDDEN);
    next = linear(rows, HIDDEN, next, INTERMEDIATE, intermediate, GELU);
    quantise(intermediate, rows, INTERMEDIATE);
    next = linear(rows, INTERMEDIATE, next, HIDDEN, hidden, ADD);
    next = normaliseLayer(tokens, next);
  }
  pool(texts);
}

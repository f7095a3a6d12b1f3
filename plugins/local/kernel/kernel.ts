/**
 * The forward pass of all-MiniLM-L6-v2, in AssemblyScript: TypeScript's syntax, compiled ahead of time to SIMD WebAssembly.
 * The parameters lie in memory in the order that weights/convert.ts writes them; change the two together.
 * After any change run `bun plugins/local/kernel/build.ts`, which also notes the new file's sha256.
 *
 * The rule that everything here keeps: one token's numbers come from its own text only, by the same operations in the same
 * order wherever its row lies in the batch. A text's vector therefore has the same bits alone and in any company.
 * Only plain SIMD is used: relaxed SIMD may round differently from one CPU to the next.
 */

const HIDDEN: i32 = 384, INTERMEDIATE: i32 = 1536, LAYERS: i32 = 6, HEADS: i32 = 12, HEAD_SIZE: i32 = 32;
const VOCABULARY: i32 = 30522, POSITIONS: i32 = 256;
const FLOAT: i32 = 4; // bytes
const HIDDEN_BYTES: i32 = HIDDEN * FLOAT;
const QKV_BYTES: i32 = 3 * HIDDEN_BYTES; // a token's query, key and value lie side by side

/**
 * Activations are quantised to ±8191 (14 bits), weights are int8 (±127). The longest sum has 1536 products:
 * 1536 · 127 · 8191 = 1,597,834,752 < 2³¹, so the int32 accumulators of `linear` cannot overflow.
 */
const ACTIVATION_LIMIT: f32 = 8191;
/** Outputs side by side in a packed weight matrix. */
const PANEL: i32 = 16;

// ---- Memory, which threads share: the parameters, and for each thread one region for each stage. ----

let parameters: usize;
let tokenIds: usize; // i32: the ids of every text, one text after another, no padding
let textLengths: usize; // i32: how many ids each text has
let hidden: usize; // f32 [token][HIDDEN]: what the layers hand on
let quantised: usize; // i16 [token][column]
let quantisedScales: usize; // f32 [token]
let widePanel: usize; // i16: the panel of weights that `linear` is at
let qkv: usize; // f32 [token][query | key | value][HEADS][HEAD_SIZE]
let context: usize; // f32 [token][HIDDEN]: what attention made of the values
let intermediate: usize; // f32 [token][INTERMEDIATE]
let keysTransposed: usize; // f32 [HEAD_SIZE][key]: one head's keys of one text
let scores: usize; // f32 [key]: one query's scores, then its softmax weights before their division
let embeddings: usize; // f32 [text][HIDDEN]
let top: usize = 0;

@inline function aligned(bytes: usize): usize { return (bytes + 15) & ~(<usize>15); }
/** `linear` takes tokens two by two. */
@inline function wholePairs(tokens: i32): i32 { return (tokens + 1) & ~1; }
function take(bytes: i32): usize {
  const address = top;
  top = aligned(top + <usize>bytes);
  return address;
}

function layOut(maxTokens: i32, from: usize): void {
  const tokens = wholePairs(maxTokens);
  top = from;
  tokenIds = take(tokens * sizeof<i32>());
  textLengths = take(tokens * sizeof<i32>());
  hidden = take(tokens * HIDDEN_BYTES);
  quantised = take(tokens * INTERMEDIATE * sizeof<i16>());
  quantisedScales = take(tokens * FLOAT);
  widePanel = take(PANEL * INTERMEDIATE * sizeof<i16>());
  qkv = take(tokens * QKV_BYTES);
  context = take(tokens * HIDDEN_BYTES);
  intermediate = take(tokens * INTERMEDIATE * FLOAT);
  keysTransposed = take(POSITIONS * HEAD_SIZE * FLOAT);
  scores = take(POSITIONS * FLOAT);
  embeddings = take(tokens * HIDDEN_BYTES);
}

/** Call once: takes new memory for batches of at most `maxTokens` tokens. The parameters, at `from`, are those of all threads. */
export function reserve(from: usize, maxTokens: i32): void {
  parameters = from;
  layOut(maxTokens, 0); // tells how much
  const page = memory.grow(<i32>((top + 0xffff) >> 16)); // no other thread gets these pages
  if (page < 0) unreachable();
  layOut(maxTokens, <usize>page << 16);
}

export function tokenIdsAt(): usize { return tokenIds; }
export function textLengthsAt(): usize { return textLengths; }
export function embeddingsAt(): usize { return embeddings; }
@inline function lengthOf(text: i32): i32 { return load<i32>(textLengths + text * sizeof<i32>()); }

// ---- Four lanes at a time. ----

@inline function largestLane(v: v128): f32 {
  const low = max(f32x4.extract_lane(v, 0), f32x4.extract_lane(v, 1));
  return max(low, max(f32x4.extract_lane(v, 2), f32x4.extract_lane(v, 3)));
}

/** Sixteen lanes: 0-7 plus 8-15, then 0-3 plus 4-7, and so on. native.c sums in this order too. */
@inline function sumOfLanes(v0: v128, v1: v128, v2: v128, v3: v128): f32 {
  const v = f32x4.add(f32x4.add(v0, v2), f32x4.add(v1, v3));
  return (f32x4.extract_lane(v, 0) + f32x4.extract_lane(v, 2)) + (f32x4.extract_lane(v, 1) + f32x4.extract_lane(v, 3));
}

@inline function multiplyAdd(a: v128, b: v128, c: v128): v128 { return f32x4.add(f32x4.mul(a, b), c); }
@inline function addSquare(a: v128, c: v128): v128 { return multiplyAdd(a, a, c); }

@inline function storeFour(to: usize, v0: v128, v1: v128, v2: v128, v3: v128): void {
  v128.store(to, v0);
  v128.store(to, v1, 16);
  v128.store(to, v2, 32);
  v128.store(to, v3, 48);
}

/** Σ x over so many bytes of numbers, a multiple of 64. */
function sumOf(from: usize, bytes: i32): f32 {
  let s0 = f32x4.splat(0), s1 = s0, s2 = s0, s3 = s0;
  for (let at = from; at < from + bytes; at += 64) {
    s0 = f32x4.add(s0, v128.load(at));
    s1 = f32x4.add(s1, v128.load(at, 16));
    s2 = f32x4.add(s2, v128.load(at, 32));
    s3 = f32x4.add(s3, v128.load(at, 48));
  }
  return sumOfLanes(s0, s1, s2, s3);
}

/** Σ (x - from)² over a row of HIDDEN numbers. */
function sumOfSquares(row: usize, from: v128): f32 {
  let s0 = f32x4.splat(0), s1 = s0, s2 = s0, s3 = s0;
  for (let at = row; at < row + HIDDEN_BYTES; at += 64) {
    s0 = addSquare(f32x4.sub(v128.load(at), from), s0);
    s1 = addSquare(f32x4.sub(v128.load(at, 16), from), s1);
    s2 = addSquare(f32x4.sub(v128.load(at, 32), from), s2);
    s3 = addSquare(f32x4.sub(v128.load(at, 48), from), s3);
  }
  return sumOfLanes(s0, s1, s2, s3);
}

/** eˣ for x ≤ 88 (Cephes' expf): x = n·ln 2 + r, a polynomial for eʳ, and 2ⁿ put straight into the exponent bits. */
@inline function exponential(value: v128): v128 {
  const x = f32x4.max(value, f32x4.splat(-87)); // below it 2ⁿ would leave the exponent's range
  const n = f32x4.nearest(f32x4.mul(x, f32x4.splat(1.4426950408889634)));
  // ln 2 in two parts, the first with so few bits that n times it is exact.
  let r = f32x4.sub(x, f32x4.mul(n, f32x4.splat(0.693359375)));
  r = f32x4.sub(r, f32x4.mul(n, f32x4.splat(-2.1219444e-4)));
  let p = f32x4.splat(1.987569150e-4);
  p = multiplyAdd(p, r, f32x4.splat(1.3981999507e-3));
  p = multiplyAdd(p, r, f32x4.splat(8.3334519073e-3));
  p = multiplyAdd(p, r, f32x4.splat(4.1665795894e-2));
  p = multiplyAdd(p, r, f32x4.splat(1.6666665459e-1));
  p = multiplyAdd(p, r, f32x4.splat(5.0000001201e-1));
  p = f32x4.add(multiplyAdd(f32x4.mul(p, r), r, r), f32x4.splat(1));
  const powerOfTwo = i32x4.shl(i32x4.add(i32x4.trunc_sat_f32x4_s(n), i32x4.splat(127)), 23);
  return f32x4.mul(p, powerOfTwo);
}

/** GELU as the model was trained with it: x/2 · (1 + erf(x/√2)), erf by Abramowitz & Stegun 7.1.26 (error < 1.5e-7). */
@inline function gelu(x: v128): v128 {
  const z = f32x4.mul(f32x4.abs(x), f32x4.splat(0.7071067811865476));
  const t = f32x4.div(f32x4.splat(1), multiplyAdd(z, f32x4.splat(0.3275911), f32x4.splat(1)));
  let p = f32x4.splat(1.061405429);
  p = multiplyAdd(p, t, f32x4.splat(-1.453152027));
  p = multiplyAdd(p, t, f32x4.splat(1.421413741));
  p = multiplyAdd(p, t, f32x4.splat(-0.284496736));
  p = multiplyAdd(p, t, f32x4.splat(0.254829592));
  const tail = f32x4.mul(f32x4.mul(p, t), exponential(f32x4.neg(f32x4.mul(z, z))));
  const erf = v128.bitselect(x, f32x4.sub(f32x4.splat(1), tail), f32x4.splat(-0.0)); // erf is odd: x lends its sign
  return f32x4.mul(f32x4.mul(x, f32x4.splat(0.5)), f32x4.add(f32x4.splat(1), erf));
}

// ---- The stages. ----

/** hidden[token] = word embedding (int8 row × its scale) + position embedding (f32, the constant token type added in). */
function lookUpEmbeddings(texts: i32, words: usize, wordScales: usize, positions: usize): void {
  for (let text = 0, token = 0; text < texts; text++) {
    const length = lengthOf(text);
    for (let place = 0; place < length; place++, token++) {
      const id = load<i32>(tokenIds + token * sizeof<i32>());
      const scale = v128.load32_splat(wordScales + id * FLOAT);
      const word = words + id * HIDDEN;
      const position = positions + place * HIDDEN_BYTES;
      const row = hidden + token * HIDDEN_BYTES;
      for (let i = 0; i < HIDDEN; i += 8) {
        const eight = v128.load_ext<i8>(word + i);
        const low = f32x4.convert_i32x4_s(i32x4.extend_low_i16x8_s(eight));
        const high = f32x4.convert_i32x4_s(i32x4.extend_high_i16x8_s(eight));
        v128.store(row + i * FLOAT, multiplyAdd(low, scale, v128.load(position + i * FLOAT)));
        v128.store(row + i * FLOAT, multiplyAdd(high, scale, v128.load(position + i * FLOAT, 16)), 16);
      }
    }
  }
}

/**
 * Each row of `hidden` to mean 0 and variance 1, times the gain, plus the bias.
 * @returns the address after the gain and the bias (f32 [HIDDEN] each)
 */
function normaliseLayer(tokens: i32, gain: usize): usize {
  const bias = gain + HIDDEN_BYTES;
  for (let token = 0; token < tokens; token++) {
    const row = hidden + token * HIDDEN_BYTES;
    const mean = f32x4.splat(sumOf(row, HIDDEN_BYTES) / <f32>HIDDEN);
    const inverse = f32x4.splat(1 / sqrt<f32>(sumOfSquares(row, mean) / <f32>HIDDEN + 1e-12));
    for (let i = 0; i < HIDDEN_BYTES; i += 16) {
      const unit = f32x4.mul(f32x4.sub(v128.load(row + i), mean), inverse);
      v128.store(row + i, multiplyAdd(unit, v128.load(gain + i), v128.load(bias + i)));
    }
  }
  return bias + HIDDEN_BYTES;
}

/** f32 rows [token][columns] → int16, each row scaled by its own largest number, never by its neighbours'. */
function quantise(rows: usize, tokens: i32, columns: i32): void {
  for (let token = 0; token < tokens; token++) {
    const row = rows + token * columns * FLOAT;
    let largest = f32x4.splat(1e-20); // a row of zeros must not divide by zero
    for (let i = 0; i < columns; i += 4) largest = f32x4.max(largest, f32x4.abs(v128.load(row + i * FLOAT)));
    const limit = largestLane(largest);
    store<f32>(quantisedScales + token * FLOAT, limit / ACTIVATION_LIMIT);
    const scale = f32x4.splat(ACTIVATION_LIMIT / limit);
    const to = quantised + token * columns * sizeof<i16>();
    for (let i = 0; i < columns; i += 8) {
      const from = row + i * FLOAT;
      const low = i32x4.trunc_sat_f32x4_s(f32x4.nearest(f32x4.mul(v128.load(from), scale)));
      const high = i32x4.trunc_sat_f32x4_s(f32x4.nearest(f32x4.mul(v128.load(from, 16), scale)));
      v128.store(to + i * sizeof<i16>(), i16x8.narrow_i32x4_s(low, high));
    }
  }
}

/** What becomes of a linear layer's sums: stored, passed through GELU, or added to what the place holds (the residual). */
const STORE: i32 = 0, GELU: i32 = 1, ADD: i32 = 2;
@inline function finish(to: usize, sums: v128, tokenScale: v128, scales: usize, biases: usize, ending: i32): void {
  let value = multiplyAdd(f32x4.convert_i32x4_s(sums), f32x4.mul(tokenScale, v128.load(scales)), v128.load(biases));
  if (ending == GELU) value = gelu(value);
  else if (ending == ADD) value = f32x4.add(value, v128.load(to));
  v128.store(to, value);
}

@inline function finishRow(to: usize, s0: v128, s1: v128, s2: v128, s3: v128, token: v128, scales: usize, biases: usize, ending: i32): void {
  finish(to, s0, token, scales, biases, ending);
  finish(to + 16, s1, token, scales + 16, biases + 16, ending);
  finish(to + 32, s2, token, scales + 32, biases + 32, ending);
  finish(to + 48, s3, token, scales + 48, biases + 48, ending);
}

/** A panel of weights from int8 to int16, once for all tokens: in the inner loop it would cost a tenth of the time. */
function widen(panel: usize, panelEnd: usize): void {
  for (let to = widePanel; panel < panelEnd; panel += 8, to += 16) v128.store(to, v128.load_ext<i8>(panel));
}

/**
 * to[token][output] = Σ quantised[token][input] · weight[output][input], scaled back, + bias[output].
 *
 * Weights are int8 in panels of sixteen outputs, two inputs at a time:
 *
 *   outputs 0-15:  o0i0 o0i1 o1i0 o1i1 … o15i0 o15i1 | o0i2 o0i3 o1i2 … o15i3 | … ; then outputs 16-31
 *
 * One load gives four outputs × two inputs, one splat a token's same two inputs, dot_i16x8 four sums of two products.
 * The block is 2 tokens × 16 outputs: eight accumulators, four weights and a splat stay in the sixteen SIMD registers of x86.
 * Larger blocks and unrolling were measured slower: registers spill.
 * @returns the address after the weights, the scales (f32 [output]) and the biases (f32 [output])
 */
function linear(tokens: i32, inputs: i32, weights: usize, outputs: i32, to: usize, ending: i32): usize {
  const scales = weights + outputs * inputs;
  const biases = scales + outputs * FLOAT;
  const wideEnd = widePanel + PANEL * inputs * sizeof<i16>();
  for (let output = 0; output < outputs; output += PANEL) {
    const panel = weights + output * inputs;
    widen(panel, panel + PANEL * inputs);
    for (let token = 0; token < tokens; token += 2) {
      let a0 = i32x4.splat(0), a1 = a0, a2 = a0, a3 = a0; // the first token's sums
      let b0 = a0, b1 = a0, b2 = a0, b3 = a0; // the second's
      let a = quantised + token * inputs * sizeof<i16>();
      let b = a + inputs * sizeof<i16>();
      for (let w = widePanel; w < wideEnd; w += 64, a += 4, b += 4) {
        const w0 = v128.load(w), w1 = v128.load(w, 16), w2 = v128.load(w, 32), w3 = v128.load(w, 48);
        let pair = v128.load32_splat(a);
        a0 = i32x4.add(a0, i32x4.dot_i16x8_s(w0, pair));
        a1 = i32x4.add(a1, i32x4.dot_i16x8_s(w1, pair));
        a2 = i32x4.add(a2, i32x4.dot_i16x8_s(w2, pair));
        a3 = i32x4.add(a3, i32x4.dot_i16x8_s(w3, pair));
        pair = v128.load32_splat(b);
        b0 = i32x4.add(b0, i32x4.dot_i16x8_s(w0, pair));
        b1 = i32x4.add(b1, i32x4.dot_i16x8_s(w1, pair));
        b2 = i32x4.add(b2, i32x4.dot_i16x8_s(w2, pair));
        b3 = i32x4.add(b3, i32x4.dot_i16x8_s(w3, pair));
      }
      const at = to + (token * outputs + output) * FLOAT, xs = quantisedScales + token * FLOAT;
      const scale = scales + output * FLOAT, bias = biases + output * FLOAT;
      finishRow(at, a0, a1, a2, a3, v128.load32_splat(xs), scale, bias, ending);
      finishRow(at + outputs * FLOAT, b0, b1, b2, b3, v128.load32_splat(xs, 4), scale, bias, ending);
    }
  }
  return biases + outputs * FLOAT;
}

/** One head's keys of one text, transposed so that sixteen scores are summed side by side. */
function transposeKeys(keys: usize, length: i32, padded: i32): void {
  for (let key = 0; key < length; key++, keys += QKV_BYTES) {
    let to = keysTransposed + key * FLOAT;
    for (let d = 0; d < HEAD_SIZE; d++, to += padded * FLOAT) store<f32>(to, load<f32>(keys + d * FLOAT));
  }
}

/** scores[key] = query · key; the 1/√32 of attention is in the query's weights already. */
function scoreKeys(query: usize, padded: i32): void {
  for (let key = 0; key < padded; key += 16) {
    let s0 = f32x4.splat(0), s1 = s0, s2 = s0, s3 = s0;
    let column = keysTransposed + key * FLOAT;
    for (let d = 0; d < HEAD_SIZE; d++, column += padded * FLOAT) {
      const q = v128.load32_splat(query + d * FLOAT);
      s0 = multiplyAdd(q, v128.load(column), s0);
      s1 = multiplyAdd(q, v128.load(column, 16), s1);
      s2 = multiplyAdd(q, v128.load(column, 32), s2);
      s3 = multiplyAdd(q, v128.load(column, 48), s3);
    }
    storeFour(scores + key * FLOAT, s0, s1, s2, s3);
  }
}

/** Softmax without its division; returns what to divide by. The largest score becomes 1: nothing overflows. */
function exponentiateScores(length: i32, padded: i32): f32 {
  const end = scores + padded * FLOAT;
  // No key: must not be the largest. Its weight is then e⁻⁸⁷, which is in the sum, and in no other number.
  for (let at = scores + length * FLOAT; at < end; at += FLOAT) store<f32>(at, -1e30);
  let largest = f32x4.splat(-1e30);
  for (let at = scores; at < end; at += 16) largest = f32x4.max(largest, v128.load(at));
  const shift = f32x4.splat(largestLane(largest));
  for (let at = scores; at < end; at += 16) v128.store(at, exponential(f32x4.sub(v128.load(at), shift)));
  return sumOf(scores, padded * FLOAT);
}

/** to = Σ scores[key] · value[key] / total, for one head. */
function weighValues(values: usize, length: i32, total: f32, to: usize): void {
  let c0 = f32x4.splat(0), c1 = c0, c2 = c0, c3 = c0, c4 = c0, c5 = c0, c6 = c0, c7 = c0;
  for (let key = 0; key < length; key++, values += QKV_BYTES) {
    const weight = v128.load32_splat(scores + key * FLOAT);
    c0 = multiplyAdd(weight, v128.load(values), c0);
    c1 = multiplyAdd(weight, v128.load(values, 16), c1);
    c2 = multiplyAdd(weight, v128.load(values, 32), c2);
    c3 = multiplyAdd(weight, v128.load(values, 48), c3);
    c4 = multiplyAdd(weight, v128.load(values, 64), c4);
    c5 = multiplyAdd(weight, v128.load(values, 80), c5);
    c6 = multiplyAdd(weight, v128.load(values, 96), c6);
    c7 = multiplyAdd(weight, v128.load(values, 112), c7);
  }
  const inverse = f32x4.splat(1 / total);
  storeFour(to, f32x4.mul(c0, inverse), f32x4.mul(c1, inverse), f32x4.mul(c2, inverse), f32x4.mul(c3, inverse));
  storeFour(to + 64, f32x4.mul(c4, inverse), f32x4.mul(c5, inverse), f32x4.mul(c6, inverse), f32x4.mul(c7, inverse));
}

/** One text's attention: rows first … first + length of `qkv` → the same rows of `context`. */
function attend(first: i32, length: i32): void {
  const padded = (length + 15) & ~15;
  memory.fill(keysTransposed, 0, padded * HEAD_SIZE * FLOAT); // what no key fills is never rewritten
  for (let head = 0; head < HEADS; head++) {
    const queries = qkv + first * QKV_BYTES + head * HEAD_SIZE * FLOAT;
    const keys = queries + HIDDEN_BYTES, values = keys + HIDDEN_BYTES;
    transposeKeys(keys, length, padded);
    for (let i = 0; i < length; i++) {
      scoreKeys(queries + i * QKV_BYTES, padded);
      const total = exponentiateScores(length, padded);
      weighValues(values, length, total, context + (first + i) * HIDDEN_BYTES + head * HEAD_SIZE * FLOAT);
    }
  }
}

/** embeddings[text] = its tokens' rows summed, at unit length: the mean's division would cancel out. */
function pool(texts: i32): void {
  for (let text = 0, row = hidden; text < texts; text++) {
    const length = lengthOf(text), embedding = embeddings + text * HIDDEN_BYTES;
    memory.fill(embedding, 0, HIDDEN_BYTES);
    for (let token = 0; token < length; token++, row += HIDDEN_BYTES) {
      for (let i = 0; i < HIDDEN_BYTES; i += 16) v128.store(embedding + i, f32x4.add(v128.load(embedding + i), v128.load(row + i)));
    }
    const inverse = f32x4.splat(1 / sqrt<f32>(max<f32>(sumOfSquares(embedding, f32x4.splat(0)), 1e-24)));
    for (let i = 0; i < HIDDEN_BYTES; i += 16) v128.store(embedding + i, f32x4.mul(v128.load(embedding + i), inverse));
  }
}

/** Embeds `texts` texts: ids at `tokenIdsAt()`, lengths (1 … 256 each) at `textLengthsAt()`; vectors come at `embeddingsAt()`. */
export function embed(texts: i32): void {
  let tokens = 0;
  for (let text = 0; text < texts; text++) tokens += lengthOf(text);
  const rows = wholePairs(tokens);
  // An odd batch has a spare row, which goes through the linear layers too: zeros, not an earlier batch's leavings.
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

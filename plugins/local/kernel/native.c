/*
 * The forward pass of kernel.ts once more, for processors that do more at once; it gives the same bits. Compiled for each kind of
 * processor with its own lanes-*.h, which has all that differs between them. It uses no library, not even C's own.
 * After any change run `bun plugins/local/kernel/build.ts`. What changes a number must change in kernel.ts too.
 *
 * The rule is kernel.ts's: one token's numbers come from its own text only, by the same operations in the same order wherever its
 * row lies. No operation may be fused or reordered (-ffp-contract=off), and sums over lanes have one order (`sum_of`).
 */
#include <stddef.h>
#include <stdint.h>
#include LANES

enum { HIDDEN = 384, INTERMEDIATE = 1536, LAYERS = 6, HEADS = 12, HEAD_SIZE = 32, VOCABULARY = 30522, POSITIONS = 256 };
enum { QKV = 3 * HIDDEN }; /* a token's query, key and value lie side by side */
enum { PANEL = 16 };       /* outputs side by side in a packed weight matrix: as many as there are lanes */
enum { QUERIES = 8 };      /* that attention takes at once: the rows of EACH_ROW */

/* kernel.ts says why no sum of such products overflows. */
static const float ACTIVATION_LIMIT = 8191;

typedef struct {
  float *hidden;         /* [token][HIDDEN]: what the layers hand on */
  int16_t *quantised;    /* [token][column] */
  float *scales;         /* [token]: what one step of its row in `quantised` is worth */
  float *qkv;            /* [token][query | key | value][HEADS][HEAD_SIZE] */
  float *context;        /* [token][HIDDEN]: what attention made of the values */
  float *intermediate;   /* [token][INTERMEDIATE] */
  float *keys;           /* [HEAD_SIZE][key]: one head's keys of one text, transposed */
  float *values;         /* [key][HEAD_SIZE]: its values, close together */
  float *scores;         /* [query][key]: scores, then softmax weights before their division */
} scratch;

INLINE int padded(int count, int to) { return (count + to - 1) / to * to; }

/* Hands out memory piece by piece, each at the start of a cache line. */
static void *take(uintptr_t *next, size_t bytes) {
  const uintptr_t piece = (*next + 63) & ~(uintptr_t)63;
  *next = piece + bytes;
  return (void *)piece;
}

/* Returns the address after the last piece. */
static uintptr_t lay_out(scratch *s, uintptr_t memory, int tokens) {
  uintptr_t next = memory;
  s->hidden = take(&next, sizeof(float) * HIDDEN * tokens);
  s->quantised = take(&next, sizeof(int16_t) * INTERMEDIATE * tokens);
  s->scales = take(&next, sizeof(float) * tokens);
  s->qkv = take(&next, sizeof(float) * QKV * tokens);
  s->context = take(&next, sizeof(float) * HIDDEN * tokens);
  s->intermediate = take(&next, sizeof(float) * INTERMEDIATE * tokens);
  s->keys = take(&next, sizeof(float) * HEAD_SIZE * POSITIONS);
  s->values = take(&next, sizeof(float) * HEAD_SIZE * POSITIONS);
  s->scores = take(&next, sizeof(float) * QUERIES * POSITIONS);
  return next + 64; /* where `memory` itself does not start a cache line */
}

/* ---- Sixteen numbers at a time. ---- */

INLINE lanes multiply_add(lanes a, lanes b, lanes c) { return add(multiply(a, b), c); }

/* 1 / root of x. The square root is one instruction, exact to the last bit. */
INLINE float inverse_root(float x) { return 1 / _mm_cvtss_f32(_mm_sqrt_ss(_mm_set_ss(x))); }

/* As in kernel.ts, with the same constants in the same order. */
INLINE lanes exponential(lanes value) {
  lanes x = larger(value, fill(-87));
  lanes n = nearest(multiply(x, fill(1.4426950408889634f)));
  lanes r = subtract(x, multiply(n, fill(0.693359375f)));
  r = subtract(r, multiply(n, fill(-2.1219444e-4f)));
  lanes p = fill(1.987569150e-4f);
  p = multiply_add(p, r, fill(1.3981999507e-3f));
  p = multiply_add(p, r, fill(8.3334519073e-3f));
  p = multiply_add(p, r, fill(4.1665795894e-2f));
  p = multiply_add(p, r, fill(1.6666665459e-1f));
  p = multiply_add(p, r, fill(5.0000001201e-1f));
  p = add(multiply_add(multiply(p, r), r, r), fill(1));
  return multiply(p, power_of_two(n));
}

INLINE lanes gelu(lanes x) {
  lanes z = multiply(magnitude(x), fill(0.7071067811865476f));
  lanes t = divide(fill(1), multiply_add(z, fill(0.3275911f), fill(1)));
  lanes p = fill(1.061405429f);
  p = multiply_add(p, t, fill(-1.453152027f));
  p = multiply_add(p, t, fill(1.421413741f));
  p = multiply_add(p, t, fill(-0.284496736f));
  p = multiply_add(p, t, fill(0.254829592f));
  lanes tail = multiply(multiply(p, t), exponential(subtract(fill(-0.0f), multiply(z, z))));
  lanes erf = with_sign(magnitude(subtract(fill(1), tail)), x);
  return multiply(multiply(x, fill(0.5f)), add(fill(1), erf));
}

/* ---- The stages. ---- */

static void look_up(const int32_t *ids, const int32_t *lengths, int texts, const int8_t *words, const float *word_scales,
                    const float *positions, float *row) {
  for (int text = 0; text < texts; text++) {
    for (int place = 0; place < lengths[text]; place++, ids++, row += HIDDEN) {
      const int8_t *word = words + (size_t)*ids * HIDDEN;
      lanes scale = fill(word_scales[*ids]);
      for (int i = 0; i < HIDDEN; i += 16)
        store(row + i, multiply_add(from_bytes(word + i), scale, load(positions + place * HIDDEN + i)));
    }
  }
}

/* Each row to mean 0 and variance 1, times the gain, plus the bias. Returns the address after the two. */
static const float *normalise(float *row, int tokens, const float *gain) {
  const float *bias = gain + HIDDEN;
  for (; tokens > 0; tokens--, row += HIDDEN) {
    lanes sum = fill(0), squares = sum;
    for (int i = 0; i < HIDDEN; i += 16) sum = add(sum, load(row + i));
    lanes mean = fill(sum_of(sum) / HIDDEN);
    for (int i = 0; i < HIDDEN; i += 16) {
      lanes distance = subtract(load(row + i), mean);
      squares = multiply_add(distance, distance, squares);
    }
    lanes inverse = fill(inverse_root(sum_of(squares) / HIDDEN + 1e-12f));
    for (int i = 0; i < HIDDEN; i += 16) {
      lanes unit = multiply(subtract(load(row + i), mean), inverse);
      store(row + i, multiply_add(unit, load(gain + i), load(bias + i)));
    }
  }
  return bias + HIDDEN;
}

/* float rows to int16, each scaled by its own largest number. */
static void quantise(const scratch *s, const float *row, int tokens, int columns) {
  int16_t *to = s->quantised;
  for (int token = 0; token < tokens; token++, row += columns, to += columns) {
    lanes largest = fill(1e-20f); /* a row of zeros must not divide by zero */
    for (int i = 0; i < columns; i += 16) largest = larger(largest, magnitude(load(row + i)));
    float limit = largest_of(largest);
    s->scales[token] = limit / ACTIVATION_LIMIT;
    lanes scale = fill(ACTIVATION_LIMIT / limit);
    for (int i = 0; i < columns; i += 16) store_shorts(to + i, multiply(load(row + i), scale));
  }
}

/* What becomes of a linear layer's sums: stored, passed through GELU, or added to what the place holds (the residual). */
enum ending { STORE, GELU, ADD };

typedef struct {
  const int8_t *weights; /* packed as kernel.ts shows at `linear` */
  const float *scales, *biases;
  int inputs, outputs;
  float *to;
  enum ending ending;
} layer;

/* Not inlined: its constants would take the registers that the sums need. */
static __attribute__((noinline)) void finish(const layer *l, const int32_t *sum, const float *token_scale, int rows, float *to,
                                             int output) {
  for (int row = 0; row < rows; row++, to += l->outputs, token_scale++) {
    for (int panel = 0; panel < TILE_PANELS; panel++, sum += PANEL) {
      float *at = to + panel * PANEL;
      int first = output + panel * PANEL;
      lanes scale = multiply(fill(*token_scale), load(l->scales + first));
      lanes value = multiply_add(from_integers(sum), scale, load(l->biases + first));
      if (l->ending == GELU) value = gelu(value);
      else if (l->ending == ADD) value = add(value, load(at));
      store(at, value);
    }
  }
}

/* Written out register by register, because the compiler keeps an array in memory, and names in registers. */
#define EACH_ROW(DO) DO(0) DO(1) DO(2) DO(3) DO(4) DO(5) DO(6) DO(7)

/* The sums of `rows` tokens by TILE_PANELS panels of outputs. `rows` is a constant wherever this is inlined. */
INLINE void multiply_tile(const int rows, const layer *l, const int16_t *tokens, int output, int32_t *to) {
#define CLEAR(row, number) integers sum_##row##_##number = no_integers();
#define CLEAR_ROW(row) EACH_TILE_REGISTER(CLEAR, row)
  EACH_ROW(CLEAR_ROW)
  const int inputs = l->inputs, panel_bytes = PANEL * inputs;
  const int8_t *weights = l->weights + (size_t)output * inputs;
  const int16_t *const end = tokens + inputs;
  do {
#define WIDEN(row, number) const integers wide##number = load_weights(weights, number, panel_bytes);
    EACH_TILE_REGISTER(WIDEN, _)
#define MULTIPLY(row, number) sum_##row##_##number = add_products(sum_##row##_##number, wide##number, pair);
#define MULTIPLY_ROW(row) \
    if (row < rows) { \
      const integers pair = fill_pair(tokens + row * inputs); \
      EACH_TILE_REGISTER(MULTIPLY, row) \
    }
    EACH_ROW(MULTIPLY_ROW)
    weights += 2 * PANEL;
    tokens += 2;
  } while (tokens < end);
#define KEEP(row, number) store_integers(to + (row * TILE_REGISTERS + number) * REGISTER_FLOATS, sum_##row##_##number);
#define KEEP_ROW(row) if (row < rows) { EACH_TILE_REGISTER(KEEP, row) }
  EACH_ROW(KEEP_ROW)
}

/* Functions of their own, or the compiler shares the registers out among all of them and has too few for each. */
#define OF_ROWS(count) \
  static __attribute__((noinline)) void multiply_##count(const layer *l, const int16_t *tokens, int output, int32_t *to) { \
    multiply_tile(count, l, tokens, output, to); \
  }
OF_ROWS(1) OF_ROWS(2) OF_ROWS(3) OF_ROWS(4) OF_ROWS(5) OF_ROWS(6) OF_ROWS(7) OF_ROWS(8)

/* Returns the address after the layer's weights, scales and biases. */
static const float *linear(const scratch *s, int tokens, int inputs, const void *weights, int outputs, float *to,
                           enum ending ending) {
  const float *scales = (const float *)((const int8_t *)weights + (size_t)outputs * inputs);
  const layer l = {weights, scales, scales + outputs, inputs, outputs, to, ending};
  for (int output = 0; output < outputs; output += TILE_PANELS * PANEL) {
    for (int token = 0; token < tokens; token += TILE_TOKENS) {
      int32_t tile[TILE_TOKENS * TILE_PANELS * PANEL];
      const int16_t *from = s->quantised + (size_t)token * inputs;
      int rows = tokens - token < TILE_TOKENS ? tokens - token : TILE_TOKENS;
      switch (rows) {
#define ROWS(count) case count: multiply_##count(&l, from, output, tile); break
        ROWS(1); ROWS(2); ROWS(3); ROWS(4); ROWS(5); ROWS(6); ROWS(7); ROWS(8);
      }
      finish(&l, tile, s->scales + token, rows, to + (size_t)token * outputs + output, output);
    }
  }
  return scales + 2 * outputs;
}

/* One head's keys of one text, transposed four by four, and its values beside one another. */
static void gather(const scratch *s, const float *keys, const float *values, int length, int width) {
  for (int key = 0; key < length; key += 4) {
    const float *row[4];
    /* Past the last key its row again: the scores of such keys are written over, `exponentiate` says with what. */
    for (int i = 0; i < 4; i++) row[i] = keys + (size_t)(key + i < length ? key + i : length - 1) * QKV;
    for (int i = 0; i < HEAD_SIZE; i += 4) {
      __m128 a = _mm_loadu_ps(row[0] + i), b = _mm_loadu_ps(row[1] + i), c = _mm_loadu_ps(row[2] + i), d = _mm_loadu_ps(row[3] + i);
      _MM_TRANSPOSE4_PS(a, b, c, d);
      float *to = s->keys + i * width + key;
      _mm_storeu_ps(to, a);
      _mm_storeu_ps(to + width, b);
      _mm_storeu_ps(to + 2 * width, c);
      _mm_storeu_ps(to + 3 * width, d);
    }
  }
  for (int key = 0; key < length; key++, values += QKV)
    for (int i = 0; i < HEAD_SIZE; i += 16) store(s->values + key * HEAD_SIZE + i, load(values + i));
}

/* scores[query][key] = query x key; the 1/root of 32 of attention is in the query's weights already. */
static void score_keys(const scratch *s, const float *const *queries, int width) {
  for (int key = 0; key < width; key += REGISTER_FLOATS) {
#define NO_SUM(row) floats sum_##row = fill_floats(0);
    EACH_ROW(NO_SUM)
    const float *column = s->keys + key;
    for (int i = 0; i < HEAD_SIZE; i++, column += width) {
      const floats keys = load_floats(column);
#define SCORE(row) sum_##row = multiply_add_floats(fill_floats(queries[row][i]), keys, sum_##row);
      EACH_ROW(SCORE)
    }
#define KEEP_SCORES(row) store_floats(s->scores + row * width + key, sum_##row);
    EACH_ROW(KEEP_SCORES)
  }
}

/* Softmax without its division; returns what to divide by. */
static float exponentiate(float *scores, int length, int width) {
  for (int key = length; key < width; key++) scores[key] = -1e30f; /* no key: must not be the largest */
  lanes largest = fill(-1e30f), sum = fill(0);
  for (int key = 0; key < width; key += 16) largest = larger(largest, load(scores + key));
  lanes shift = fill(largest_of(largest));
  for (int key = 0; key < width; key += 16) {
    lanes weight = exponential(subtract(load(scores + key), shift));
    store(scores + key, weight);
    sum = add(sum, weight);
  }
  return sum_of(sum);
}

/* to[query] = sum of scores[query][key] x value[key], over the total. */
static void weigh_values(const scratch *s, const float *totals, int length, int width, float *const *to) {
  for (int part = 0; part < HEAD_SIZE; part += REGISTER_FLOATS) {
    EACH_ROW(NO_SUM)
    const float *value = s->values + part;
    for (int key = 0; key < length; key++, value += HEAD_SIZE) {
      const floats values = load_floats(value);
#define WEIGH(row) sum_##row = multiply_add_floats(fill_floats(s->scores[row * width + key]), values, sum_##row);
      EACH_ROW(WEIGH)
    }
#define KEEP_VALUES(row) store_floats(to[row] + part, multiply_floats(sum_##row, fill_floats(1 / totals[row])));
    EACH_ROW(KEEP_VALUES)
  }
}

/* One text's attention: rows first ... first + length of `qkv` to the same rows of `context`. */
static void attend(const scratch *s, int first, int length) {
  const int width = padded(length, 16);
  for (int head = 0; head < HEADS; head++) {
    const float *rows = s->qkv + (size_t)first * QKV + head * HEAD_SIZE;
    gather(s, rows + HIDDEN, rows + 2 * HIDDEN, length, width);
    for (int block = 0; block < length; block += QUERIES) {
      const float *queries[QUERIES];
      float *to[QUERIES];
      float totals[QUERIES];
      for (int query = 0; query < QUERIES; query++) {
        /* A block with queries to spare does the last one again: the same numbers, to the same place. */
        int token = block + query < length ? block + query : length - 1;
        queries[query] = rows + (size_t)token * QKV;
        to[query] = s->context + (size_t)(first + token) * HIDDEN + head * HEAD_SIZE;
      }
      score_keys(s, queries, width);
      for (int query = 0; query < QUERIES; query++) totals[query] = exponentiate(s->scores + query * width, length, width);
      weigh_values(s, totals, length, width, to);
    }
  }
}

/* The sum of each text's rows, at unit length. */
static void pool(const float *row, const int32_t *lengths, int texts, float *embedding) {
  for (int text = 0; text < texts; text++, embedding += HIDDEN) {
    lanes squares = fill(0);
    for (int i = 0; i < HIDDEN; i += 16) {
      lanes sum = fill(0);
      for (int token = 0; token < lengths[text]; token++) sum = add(sum, load(row + token * HIDDEN + i));
      store(embedding + i, sum);
      squares = multiply_add(sum, sum, squares);
    }
    row += lengths[text] * HIDDEN;
    float square = sum_of(squares);
    lanes inverse = fill(inverse_root(square > 1e-24f ? square : 1e-24f));
    for (int i = 0; i < HIDDEN; i += 16) store(embedding + i, multiply(load(embedding + i), inverse));
  }
}

/* The memory that `embed` works in, for batches of at most `tokens` tokens. */
uint64_t OF_VARIANT(scratch_bytes)(int tokens) {
  scratch s;
  return lay_out(&s, 0, tokens);
}

/* Embeds `texts` texts: their ids one text after another, their lengths (1 ... 256 each); vectors come to [text][HIDDEN]. */
void OF_VARIANT(embed)(const uint8_t *parameters, const int32_t *ids, const int32_t *lengths, int texts, void *memory,
                       float *embeddings) {
  int tokens = 0;
  for (int text = 0; text < texts; text++) tokens += lengths[text];
  scratch s;
  lay_out(&s, (uintptr_t)memory, tokens);

  const float *word_scales = (const float *)(parameters + padded(VOCABULARY * HIDDEN, 16));
  const float *positions = word_scales + padded(VOCABULARY, 4);
  const float *next = positions + POSITIONS * HIDDEN;
  look_up(ids, lengths, texts, (const int8_t *)parameters, word_scales, positions, s.hidden);
  next = normalise(s.hidden, tokens, next);
  for (int layer = 0; layer < LAYERS; layer++) {
    quantise(&s, s.hidden, tokens, HIDDEN);
    next = linear(&s, tokens, HIDDEN, next, QKV, s.qkv, STORE);
    for (int text = 0, first = 0; text < texts; first += lengths[text++]) attend(&s, first, lengths[text]);
    quantise(&s, s.context, tokens, HIDDEN);
    next = linear(&s, tokens, HIDDEN, next, HIDDEN, s.hidden, ADD);
    next = normalise(s.hidden, tokens, next);
    quantise(&s, s.hidden, tokens, HIDDEN);
    next = linear(&s, tokens, HIDDEN, next, INTERMEDIATE, s.intermediate, GELU);
    quantise(&s, s.intermediate, tokens, INTERMEDIATE);
    next = linear(&s, tokens, INTERMEDIATE, next, HIDDEN, s.hidden, ADD);
    next = normalise(s.hidden, tokens, next);
  }
  pool(s.hidden, lengths, texts, embeddings);
}

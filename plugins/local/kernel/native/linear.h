/*
 * Linear layers: activations are quantised to integers, multiplied by packed int8 weights, and scaled back.
 * ../portable/simd/linear.ts is its counterpart and describes how weights are packed: change both if a change alters a number.
 */

/* linear.ts shows that no sum of such products overflows. */
static const float ACTIVATION_LIMIT = 8191;

/* Quantises float rows to int16, each scaled by its own largest absolute value. */
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

/* What happens to a linear layer's result: it is stored, passed through GELU and stored, or added to the value there (the residual). */
enum ending { STORE, GELU, ADD };

typedef struct {
  const int8_t *weights; /* packed as described at `linear` in linear.ts */
  const float *scales, *biases;
  int inputs, outputs;
  float *to;
  enum ending ending;
} layer;

/* Not inlined, as its constants would take registers that the sums need. */
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

/* One variable per register, as the compiler would keep an array in memory. */
#define EACH_ROW(DO) DO(0) DO(1) DO(2) DO(3) DO(4) DO(5) DO(6) DO(7)

/* The sums of `rows` tokens by TILE_PANELS panels of outputs. `rows` must be a constant wherever this is inlined. */
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

/* One function per number of rows: in one function the compiler would distribute the registers over all cases, and have too few for each. */
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

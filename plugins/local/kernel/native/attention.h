/*
 * Attention: one text and one head at a time, eight queries at once.
 * ../portable/simd/attention.ts is its counterpart: change both if a change alters a number.
 */

/* Copies one head's keys of one text, transposed in blocks of 4 x 4, and its values, without gaps. */
static void gather(const scratch *s, const float *keys, const float *values, int length, int width) {
  for (int key = 0; key < length; key += 4) {
    const float *row[4];
    /* After the last key its row is repeated: `exponentiate` overwrites the scores of these keys. */
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

/* scores[query][key] = query x key. The query's weights already include the factor 1/root of 32. */
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

/* Softmax without the division; returns the divisor. */
static float exponentiate(float *scores, int length, int width) {
  for (int key = length; key < width; key++) scores[key] = -1e30f; /* padding, which must not be the largest score */
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

/* to[query] = the sum of scores[query][key] x value[key], divided by the total. */
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

/* One text's attention, from rows first ... first + length of `qkv` to the same rows of `context`. */
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
        /* The last block repeats the last query: the same numbers are written to the same place. */
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

/*
 * The forward pass of ../portable/ in C, for processors with wider SIMD; its results have the same bits. It is compiled once per instruction
 * set, each time with that set's lanes-*.h, which has everything that differs. The other headers are the stages, each with a counterpart in
 * ../portable/: change both if a change alters a number. It uses no library, not even C's own. After any change run
 * `bun plugins/local/kernel/build.ts`.
 *
 * The rule of ../portable/kernel.ts applies: a token's numbers depend only on its own text, computed by the same operations in the same order
 * wherever its row is. No operation may be fused or reordered (-ffp-contract=off), and sums over lanes have one order (`sum_of`).
 */
#include <stddef.h>
#include <stdint.h>
#include LANES
#include "memory.h"
#include "arithmetic.h"
#include "linear.h"
#include "attention.h"

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

/* Scales each row to mean 0 and variance 1, times the gain, plus the bias. Returns the address after gain and bias. */
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

/* Sums each text's rows and scales the sum to length 1. */
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

/* How many bytes `embed` needs for batches of at most `tokens` tokens. */
uint64_t OF_VARIANT(scratch_bytes)(int tokens) {
  scratch s;
  return lay_out(&s, 0, tokens);
}

/* Embeds `texts` texts: `ids` has the token ids of all texts in a row, `lengths` 1 ... 256 each; `embeddings` is [text][HIDDEN]. */
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

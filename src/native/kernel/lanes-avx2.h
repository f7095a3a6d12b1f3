/*
 * Four 64-bit numbers, or 32 bytes, in one register, with AVX2.
 * Every function exists in lanes-avx512.h with the same result: add a new one to both.
 */
#include <immintrin.h>

#define OF_VARIANT(name) name##_avx2
enum { LANES = 4, REGISTER_BYTES = 32 };
typedef __m256i lanes;

INLINE lanes load(const void *from) { return _mm256_loadu_si256(from); }
INLINE void store(void *to, lanes a) { _mm256_storeu_si256(to, a); }
INLINE lanes fill(uint64_t number) { return _mm256_set1_epi64x((long long)number); }
INLINE lanes fill_shorts(uint16_t number) { return _mm256_set1_epi16((short)number); }
/* Loads four 32-bit numbers. */
INLINE lanes load_words(const uint32_t *from) { return _mm256_cvtepu32_epi64(_mm_loadu_si128((const void *)from)); }

INLINE lanes add(lanes a, lanes b) { return _mm256_add_epi64(a, b); }
INLINE lanes subtract(lanes a, lanes b) { return _mm256_sub_epi64(a, b); }
INLINE lanes both(lanes a, lanes b) { return _mm256_and_si256(a, b); }
INLINE lanes either(lanes a, lanes b) { return _mm256_or_si256(a, b); }
#define up(a, bits) _mm256_slli_epi64(a, bits)
#define down(a, bits) _mm256_srli_epi64(a, bits)
INLINE lanes up_each(lanes a, lanes bits) { return _mm256_sllv_epi64(a, bits); }

/* Products of 32-bit numbers; and of a 64-bit by a 25-bit number, where the product fits 64 bits. */
INLINE lanes multiply(lanes a, lanes b) { return _mm256_mul_epu32(a, b); }
INLINE lanes multiply_wide(lanes wide, lanes b) {
  return add(multiply(wide, b), up(multiply(down(wide, 32), b), 32));
}
/* The upper and the lower half of the products of 16-bit numbers. */
INLINE lanes multiply_shorts_high(lanes a, lanes b) { return _mm256_mulhi_epu16(a, b); }
INLINE lanes multiply_shorts(lanes a, lanes b) { return _mm256_mullo_epi16(a, b); }
#define down_shorts(a, bits) _mm256_srli_epi16(a, bits)

/* a where x is zero, otherwise b; a where x > y (signed), otherwise b. */
INLINE lanes where_zero(lanes x, lanes a, lanes b) {
  return _mm256_blendv_epi8(b, a, _mm256_cmpeq_epi64(x, _mm256_setzero_si256()));
}
INLINE lanes where_greater(lanes x, lanes y, lanes a, lanes b) { return _mm256_blendv_epi8(b, a, _mm256_cmpgt_epi64(x, y)); }
/* Whether all are below the limit; values and limit must be below 2^63. */
INLINE int all_below(lanes a, uint64_t limit) {
  return _mm256_movemask_epi8(_mm256_cmpgt_epi64(fill(limit), a)) == -1;
}

/* table[place] for each lane. */
INLINE lanes look_up(const uint64_t *table, lanes place) {
  uint64_t places[LANES];
  store(places, place);
  return _mm256_setr_epi64x((long long)table[places[0]], (long long)table[places[1]], (long long)table[places[2]], (long long)table[places[3]]);
}

/* ---- Base64: 32 characters and their 24 bytes. ---- */

INLINE lanes no_fault(void) { return _mm256_setzero_si256(); }
INLINE int is_fault(lanes fault) { return !_mm256_testz_si256(fault, fault); }

INLINE lanes twice(__m128i a) { return _mm256_broadcastsi128_si256(a); }

/* Decodes 32 characters to the first 24 bytes; `fault` collects a bit for each character that is not base64. */
INLINE lanes bytes_of(lanes text, lanes *fault) {
  /* The two halves of a character show whether it is invalid (a common bit), and what must be added to it. */
  const lanes lower = twice(_mm_setr_epi8(21, 17, 17, 17, 17, 17, 17, 17, 17, 17, 19, 26, 27, 27, 27, 26));
  const lanes upper = twice(_mm_setr_epi8(16, 16, 1, 2, 4, 8, 4, 8, 16, 16, 16, 16, 16, 16, 16, 16));
  const lanes added = twice(_mm_setr_epi8(0, 16, 19, 4, -65, -65, -71, -71, 0, 0, 0, 0, 0, 0, 0, 0));
  const lanes half = _mm256_set1_epi8(15);
  lanes high = both(_mm256_srli_epi32(text, 4), half);
  lanes none = both(_mm256_shuffle_epi8(lower, both(text, half)), _mm256_shuffle_epi8(upper, high));
  *fault = either(*fault, none);
  lanes is_slash = _mm256_cmpeq_epi8(text, _mm256_set1_epi8('/'));
  lanes sixes = _mm256_add_epi8(text, _mm256_shuffle_epi8(added, _mm256_add_epi8(high, is_slash)));
  lanes twelves = _mm256_maddubs_epi16(sixes, _mm256_set1_epi32(0x01400140));
  lanes triples = _mm256_madd_epi16(twelves, _mm256_set1_epi32(0x00011000));
  lanes close = _mm256_shuffle_epi8(triples, twice(_mm_setr_epi8(2, 1, 0, 6, 5, 4, 10, 9, 8, 14, 13, 12, -1, -1, -1, -1)));
  return _mm256_permutevar8x32_epi32(close, _mm256_setr_epi32(0, 1, 2, 4, 5, 6, 7, 7));
}

/* Encodes the 24 bytes at an address to 32 characters; it reads a whole register. */
INLINE lanes text_of(const uint8_t *bytes) {
  lanes halves = _mm256_permutevar8x32_epi32(load(bytes), _mm256_setr_epi32(0, 1, 2, 2, 3, 4, 5, 5));
  lanes spread = _mm256_shuffle_epi8(halves, twice(_mm_setr_epi8(1, 0, 2, 1, 4, 3, 5, 4, 7, 6, 8, 7, 10, 9, 11, 10)));
  lanes first = _mm256_mulhi_epu16(both(spread, _mm256_set1_epi32(0x0fc0fc00)), _mm256_set1_epi32(0x04000040));
  lanes second = _mm256_mullo_epi16(both(spread, _mm256_set1_epi32(0x003f03f0)), _mm256_set1_epi32(0x01000010));
  lanes sixes = either(first, second);
  /* The kind of each character: 13 for an upper-case letter, 0 for a lower-case one, 1 to 12 for digits, '+' and '/'. */
  lanes kind = _mm256_subs_epu8(sixes, _mm256_set1_epi8(51));
  lanes is_capital = _mm256_cmpgt_epi8(_mm256_set1_epi8(26), sixes);
  kind = either(kind, both(is_capital, _mm256_set1_epi8(13)));
  const lanes added = twice(_mm_setr_epi8(71, -4, -4, -4, -4, -4, -4, -4, -4, -4, -4, -19, -16, 65, 0, 0));
  return _mm256_add_epi8(sixes, _mm256_shuffle_epi8(added, kind));
}

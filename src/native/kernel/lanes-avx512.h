/*
 * Eight 64-bit numbers, or 64 bytes, in one register, with AVX-512 and VBMI.
 * Every function exists in lanes-avx2.h with the same result: add a new one to both.
 */
#include <immintrin.h>

#define OF_VARIANT(name) name##_avx512
enum { LANES = 8, REGISTER_BYTES = 64 };
typedef __m512i lanes;

INLINE lanes load(const void *from) { return _mm512_loadu_si512(from); }
INLINE void store(void *to, lanes a) { _mm512_storeu_si512(to, a); }
INLINE lanes fill(uint64_t number) { return _mm512_set1_epi64((long long)number); }
INLINE lanes fill_shorts(uint16_t number) { return _mm512_set1_epi16((short)number); }
/* Loads eight 32-bit numbers. */
INLINE lanes load_words(const uint32_t *from) { return _mm512_cvtepu32_epi64(_mm256_loadu_si256((const void *)from)); }

INLINE lanes add(lanes a, lanes b) { return _mm512_add_epi64(a, b); }
INLINE lanes subtract(lanes a, lanes b) { return _mm512_sub_epi64(a, b); }
INLINE lanes both(lanes a, lanes b) { return _mm512_and_si512(a, b); }
INLINE lanes either(lanes a, lanes b) { return _mm512_or_si512(a, b); }
#define up(a, bits) _mm512_slli_epi64(a, bits)
#define down(a, bits) _mm512_srli_epi64(a, bits)
INLINE lanes up_each(lanes a, lanes bits) { return _mm512_sllv_epi64(a, bits); }

/* Products of 32-bit numbers; and of a 64-bit by a 25-bit number, where the product fits 64 bits. */
INLINE lanes multiply(lanes a, lanes b) { return _mm512_mul_epu32(a, b); }
INLINE lanes multiply_wide(lanes wide, lanes b) { return _mm512_mullo_epi64(wide, b); }
/* The upper and the lower half of the products of 16-bit numbers. */
INLINE lanes multiply_shorts_high(lanes a, lanes b) { return _mm512_mulhi_epu16(a, b); }
INLINE lanes multiply_shorts(lanes a, lanes b) { return _mm512_mullo_epi16(a, b); }
#define down_shorts(a, bits) _mm512_srli_epi16(a, bits)

/* a where x is zero, otherwise b; a where x > y (signed), otherwise b. */
INLINE lanes where_zero(lanes x, lanes a, lanes b) { return _mm512_mask_blend_epi64(_mm512_testn_epi64_mask(x, x), b, a); }
INLINE lanes where_greater(lanes x, lanes y, lanes a, lanes b) {
  return _mm512_mask_blend_epi64(_mm512_cmpgt_epi64_mask(x, y), b, a);
}
/* Whether all are below the limit. */
INLINE int all_below(lanes a, uint64_t limit) { return _mm512_cmpge_epu64_mask(a, fill(limit)) == 0; }

/* table[place] for each lane, of at most 24 entries. */
INLINE lanes look_up(const uint64_t *table, lanes place) {
  lanes lower = _mm512_permutex2var_epi64(load(table), place, load(table + 8));
  return _mm512_mask_permutexvar_epi64(lower, _mm512_test_epi64_mask(place, fill(16)), place, load(table + 16));
}

/* ---- Base64: 64 characters and their 48 bytes. ---- */

INLINE lanes no_fault(void) { return _mm512_setzero_si512(); }
INLINE int is_fault(lanes fault) { return _mm512_movepi8_mask(fault) != 0; }

/* Decodes 64 characters to the first 48 bytes; `fault` collects the highest bit for each character that is not base64. */
INLINE lanes bytes_of(lanes text, lanes *fault) {
  lanes sixes = _mm512_permutex2var_epi8(load(MEANINGS), text, load(MEANINGS + 64));
  *fault = _mm512_ternarylogic_epi32(*fault, text, sixes, 0xfe);
  lanes twelves = _mm512_maddubs_epi16(sixes, _mm512_set1_epi32(0x01400140));
  lanes triples = _mm512_madd_epi16(twelves, _mm512_set1_epi32(0x00011000));
  return _mm512_permutexvar_epi8(load(TRIPLES), triples);
}

/* Encodes the 48 bytes at an address to 64 characters; it reads a whole register. */
INLINE lanes text_of(const uint8_t *bytes) {
  lanes spread = _mm512_permutexvar_epi8(load(SPREAD), load(bytes));
  lanes sixes = _mm512_multishift_epi64_epi8(_mm512_set1_epi64(0x3036242a1016040a), spread);
  return _mm512_permutexvar_epi8(sixes, load(CHARACTERS));
}

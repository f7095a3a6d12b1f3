/*
 * Sixteen lanes in two registers, with AVX2, which nearly every x86 processor since 2013 has.
 * Every function exists in the other lanes-*.h with the same results, bit for bit: add a new one to all.
 */
#include <immintrin.h>

#define OF_VARIANT(name) name##_avx2
/* The block of sums that is kept in the 16 registers: 6 tokens x 1 panel of 16 outputs, two registers per panel. */
#define TILE_TOKENS 6
#define TILE_PANELS 1
#define TILE_REGISTERS 2
#define EACH_TILE_REGISTER(DO, row) DO(row, 0) DO(row, 1)
#define REGISTER_FLOATS 8
#define INLINE static inline __attribute__((always_inline))

typedef struct { __m256 low, high; } lanes;

#define EACH(instruction, a, b) ((lanes){instruction((a).low, (b).low), instruction((a).high, (b).high)})

INLINE lanes fill(float value) { return (lanes){_mm256_set1_ps(value), _mm256_set1_ps(value)}; }
INLINE lanes load(const float *from) { return (lanes){_mm256_loadu_ps(from), _mm256_loadu_ps(from + 8)}; }
INLINE void store(float *to, lanes a) {
  _mm256_storeu_ps(to, a.low);
  _mm256_storeu_ps(to + 8, a.high);
}
INLINE lanes add(lanes a, lanes b) { return EACH(_mm256_add_ps, a, b); }
INLINE lanes subtract(lanes a, lanes b) { return EACH(_mm256_sub_ps, a, b); }
INLINE lanes multiply(lanes a, lanes b) { return EACH(_mm256_mul_ps, a, b); }
INLINE lanes divide(lanes a, lanes b) { return EACH(_mm256_div_ps, a, b); }
INLINE lanes larger(lanes a, lanes b) { return EACH(_mm256_max_ps, a, b); }
INLINE lanes magnitude(lanes a) {
  lanes sign = fill(-0.0f);
  return EACH(_mm256_andnot_ps, sign, a);
}

/* a with the sign of `sign`; a must not be negative. */
INLINE lanes with_sign(lanes a, lanes sign) {
  lanes bit = fill(-0.0f);
  bit = EACH(_mm256_and_ps, sign, bit);
  return EACH(_mm256_or_ps, a, bit);
}

/* Rounds to the nearest integer, halves to the even one. */
INLINE lanes nearest(lanes a) {
  const int way = _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC;
  return (lanes){_mm256_round_ps(a.low, way), _mm256_round_ps(a.high, way)};
}
INLINE __m256 eight_powers_of_two(__m256 whole) {
  return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_add_epi32(_mm256_cvtps_epi32(whole), _mm256_set1_epi32(127)), 23));
}
/* 2 to the power of whole numbers in [-126, 127]. */
INLINE lanes power_of_two(lanes whole) {
  return (lanes){eight_powers_of_two(whole.low), eight_powers_of_two(whole.high)};
}

INLINE __m256 eight_from_bytes(const int8_t *from) {
  return _mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(_mm_loadl_epi64((const __m128i *)from)));
}
INLINE lanes from_bytes(const int8_t *from) { return (lanes){eight_from_bytes(from), eight_from_bytes(from + 8)}; }
INLINE void store_shorts(int16_t *to, lanes a) {
  /* `packs` works within halves of a register: the quarters come out as 0 2 1 3. */
  __m256i mixed = _mm256_packs_epi32(_mm256_cvtps_epi32(a.low), _mm256_cvtps_epi32(a.high));
  _mm256_storeu_si256((__m256i *)to, _mm256_permute4x64_epi64(mixed, _MM_SHUFFLE(3, 1, 2, 0)));
}

/* Lanes 0-7 plus 8-15, then 0-3 plus 4-7, and so on: the same order as in ../portable/simd/arithmetic.ts. */
INLINE float sum_of(lanes a) {
  __m256 eight = _mm256_add_ps(a.low, a.high);
  __m128 four = _mm_add_ps(_mm256_castps256_ps128(eight), _mm256_extractf128_ps(eight, 1));
  __m128 two = _mm_add_ps(four, _mm_movehl_ps(four, four));
  return _mm_cvtss_f32(_mm_add_ss(two, _mm_shuffle_ps(two, two, 1)));
}
INLINE float largest_of(lanes a) {
  __m256 eight = _mm256_max_ps(a.low, a.high);
  __m128 four = _mm_max_ps(_mm256_castps256_ps128(eight), _mm256_extractf128_ps(eight, 1));
  __m128 two = _mm_max_ps(four, _mm_movehl_ps(four, four));
  return _mm_cvtss_f32(_mm_max_ss(two, _mm_shuffle_ps(two, two, 1)));
}

/* Converts sixteen integers, each to the nearest float. */
INLINE __m256 eight_from_integers(const int32_t *from) { return _mm256_cvtepi32_ps(_mm256_loadu_si256((const __m256i *)from)); }
INLINE lanes from_integers(const int32_t *from) { return (lanes){eight_from_integers(from), eight_from_integers(from + 8)}; }

/* ---- For the innermost loops: single registers, so that all of them can be used. ---- */

typedef __m256 floats;
typedef __m256i integers; /* eight int32, or sixteen int16: two for each of eight sums */

INLINE floats fill_floats(float value) { return _mm256_set1_ps(value); }
INLINE floats load_floats(const float *from) { return _mm256_loadu_ps(from); }
INLINE void store_floats(float *to, floats a) { _mm256_storeu_ps(to, a); }
INLINE floats multiply_floats(floats a, floats b) { return _mm256_mul_ps(a, b); }
INLINE floats multiply_add_floats(floats a, floats b, floats c) { return _mm256_add_ps(_mm256_mul_ps(a, b), c); }

INLINE integers no_integers(void) { return _mm256_setzero_si256(); }
INLINE void store_integers(int32_t *to, integers a) { _mm256_storeu_si256((__m256i *)to, a); }
/* Register `number` of the weights of TILE_PANELS panels of outputs, two inputs each: here half a panel. */
INLINE integers load_weights(const int8_t *from, int number, int panel_bytes) {
  (void)panel_bytes;
  return _mm256_cvtepi8_epi16(_mm_loadu_si128((const __m128i *)(from + 16 * number)));
}
INLINE integers fill_pair(const int16_t *from) { return _mm256_set1_epi32(*(const int32_t *)from); }
/* sum + first of a x first of b + second of a x second of b, for each sum. */
INLINE integers add_products(integers sum, integers a, integers b) { return _mm256_add_epi32(sum, _mm256_madd_epi16(a, b)); }

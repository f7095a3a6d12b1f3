/*
 * Sixteen lanes in one register, and integer dot products in one instruction, with AVX-512 and VNNI.
 * Every function exists in the other lanes-*.h with the same results, bit for bit: add a new one to all.
 */
#include <immintrin.h>

#define OF_VARIANT(name) name##_avx512
/* The block of sums that is kept in the 32 registers: 8 tokens x 3 panels of 16 outputs, one register per panel. */
#define TILE_TOKENS 8
#define TILE_PANELS 3
#define TILE_REGISTERS 3
#define EACH_TILE_REGISTER(DO, row) DO(row, 0) DO(row, 1) DO(row, 2)
#define REGISTER_FLOATS 16
#define INLINE static inline __attribute__((always_inline))

typedef __m512 lanes;

INLINE lanes fill(float value) { return _mm512_set1_ps(value); }
INLINE lanes load(const float *from) { return _mm512_loadu_ps(from); }
INLINE void store(float *to, lanes a) { _mm512_storeu_ps(to, a); }
INLINE lanes add(lanes a, lanes b) { return _mm512_add_ps(a, b); }
INLINE lanes subtract(lanes a, lanes b) { return _mm512_sub_ps(a, b); }
INLINE lanes multiply(lanes a, lanes b) { return _mm512_mul_ps(a, b); }
INLINE lanes divide(lanes a, lanes b) { return _mm512_div_ps(a, b); }
INLINE lanes larger(lanes a, lanes b) { return _mm512_max_ps(a, b); }
INLINE lanes magnitude(lanes a) { return _mm512_abs_ps(a); }

/* a with the sign of `sign`; a must not be negative. */
INLINE lanes with_sign(lanes a, lanes sign) {
  __m512i bit = _mm512_and_si512(_mm512_castps_si512(sign), _mm512_set1_epi32((int)0x80000000));
  return _mm512_castsi512_ps(_mm512_or_si512(_mm512_castps_si512(a), bit));
}

/* Rounds to the nearest integer, halves to the even one. */
INLINE lanes nearest(lanes a) { return _mm512_roundscale_ps(a, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC); }
/* 2 to the power of whole numbers in [-126, 127]. */
INLINE lanes power_of_two(lanes whole) {
  return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_add_epi32(_mm512_cvtps_epi32(whole), _mm512_set1_epi32(127)), 23));
}

INLINE lanes from_bytes(const int8_t *from) {
  return _mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(_mm_loadu_si128((const __m128i *)from)));
}
INLINE void store_shorts(int16_t *to, lanes a) {
  _mm256_storeu_si256((__m256i *)to, _mm512_cvtsepi32_epi16(_mm512_cvtps_epi32(a)));
}

/* Lanes 0-7 plus 8-15, then 0-3 plus 4-7, and so on: the same order as in ../portable/simd/arithmetic.ts. */
INLINE float sum_of(lanes a) {
  __m256 eight = _mm256_add_ps(_mm512_castps512_ps256(a), _mm512_extractf32x8_ps(a, 1));
  __m128 four = _mm_add_ps(_mm256_castps256_ps128(eight), _mm256_extractf128_ps(eight, 1));
  __m128 two = _mm_add_ps(four, _mm_movehl_ps(four, four));
  return _mm_cvtss_f32(_mm_add_ss(two, _mm_shuffle_ps(two, two, 1)));
}
INLINE float largest_of(lanes a) { return _mm512_reduce_max_ps(a); }

/* Converts sixteen integers, each to the nearest float. */
INLINE lanes from_integers(const int32_t *from) { return _mm512_cvtepi32_ps(_mm512_loadu_si512(from)); }

/* ---- For the innermost loops: single registers, so that all of them can be used. ---- */

typedef __m512 floats;
typedef __m512i integers; /* sixteen int32, or thirty-two int16: two for each of sixteen sums */

INLINE floats fill_floats(float value) { return _mm512_set1_ps(value); }
INLINE floats load_floats(const float *from) { return _mm512_loadu_ps(from); }
INLINE void store_floats(float *to, floats a) { _mm512_storeu_ps(to, a); }
INLINE floats multiply_floats(floats a, floats b) { return _mm512_mul_ps(a, b); }
INLINE floats multiply_add_floats(floats a, floats b, floats c) { return _mm512_add_ps(_mm512_mul_ps(a, b), c); }

INLINE integers no_integers(void) { return _mm512_setzero_si512(); }
INLINE void store_integers(int32_t *to, integers a) { _mm512_storeu_si512(to, a); }
/* Register `number` of the weights of TILE_PANELS panels of outputs, two inputs each. */
INLINE integers load_weights(const int8_t *from, int number, int panel_bytes) {
  return _mm512_cvtepi8_epi16(_mm256_loadu_si256((const __m256i *)(from + number * panel_bytes)));
}
INLINE integers fill_pair(const int16_t *from) { return _mm512_set1_epi32(*(const int32_t *)from); }
/* sum + first of a x first of b + second of a x second of b, for each sum. */
INLINE integers add_products(integers sum, integers a, integers b) { return _mm512_dpwssd_epi32(sum, a, b); }

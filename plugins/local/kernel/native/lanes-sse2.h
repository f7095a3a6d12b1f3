/*
 * Sixteen lanes in four registers, with SSE2, which every x86-64 processor has, even those without AVX (virtual machines with Proxmox' default
 * CPU type, Celerons), where WebAssembly has no SIMD either.
 * Every function exists in the other lanes-*.h with the same results, bit for bit: add a new one to all.
 */
#include <emmintrin.h>

#define OF_VARIANT(name) name##_sse2
/* The block of sums that is kept in the 16 registers: 2 tokens x 1 panel of 16 outputs, four registers per panel. */
#define TILE_TOKENS 2
#define TILE_PANELS 1
#define TILE_REGISTERS 4
#define EACH_TILE_REGISTER(DO, row) DO(row, 0) DO(row, 1) DO(row, 2) DO(row, 3)
#define REGISTER_FLOATS 4
#define INLINE static inline __attribute__((always_inline))

typedef struct { __m128 v0, v1, v2, v3; } lanes;

#define EACH(instruction, a, b) \
  ((lanes){instruction((a).v0, (b).v0), instruction((a).v1, (b).v1), instruction((a).v2, (b).v2), instruction((a).v3, (b).v3)})
#define EACH_OF_ONE(function, a) ((lanes){function((a).v0), function((a).v1), function((a).v2), function((a).v3)})

INLINE lanes fill(float value) {
  const __m128 four = _mm_set1_ps(value);
  return (lanes){four, four, four, four};
}
INLINE lanes load(const float *from) {
  return (lanes){_mm_loadu_ps(from), _mm_loadu_ps(from + 4), _mm_loadu_ps(from + 8), _mm_loadu_ps(from + 12)};
}
INLINE void store(float *to, lanes a) {
  _mm_storeu_ps(to, a.v0);
  _mm_storeu_ps(to + 4, a.v1);
  _mm_storeu_ps(to + 8, a.v2);
  _mm_storeu_ps(to + 12, a.v3);
}
INLINE lanes add(lanes a, lanes b) { return EACH(_mm_add_ps, a, b); }
INLINE lanes subtract(lanes a, lanes b) { return EACH(_mm_sub_ps, a, b); }
INLINE lanes multiply(lanes a, lanes b) { return EACH(_mm_mul_ps, a, b); }
INLINE lanes divide(lanes a, lanes b) { return EACH(_mm_div_ps, a, b); }
INLINE lanes larger(lanes a, lanes b) { return EACH(_mm_max_ps, a, b); }
INLINE lanes magnitude(lanes a) {
  lanes sign = fill(-0.0f);
  return EACH(_mm_andnot_ps, sign, a);
}

/* a with the sign of `sign`; a must not be negative. */
INLINE lanes with_sign(lanes a, lanes sign) {
  lanes bit = fill(-0.0f);
  bit = EACH(_mm_and_ps, sign, bit);
  return EACH(_mm_or_ps, a, bit);
}

/* Rounds to the nearest integer, halves to the even one. It goes through int32, so -0 becomes 0, which changes no result. */
INLINE __m128 four_nearest(__m128 a) { return _mm_cvtepi32_ps(_mm_cvtps_epi32(a)); }
INLINE lanes nearest(lanes a) { return EACH_OF_ONE(four_nearest, a); }
/* 2 to the power of whole numbers in [-126, 127]. */
INLINE __m128 four_powers_of_two(__m128 whole) {
  return _mm_castsi128_ps(_mm_slli_epi32(_mm_add_epi32(_mm_cvtps_epi32(whole), _mm_set1_epi32(127)), 23));
}
INLINE lanes power_of_two(lanes whole) { return EACH_OF_ONE(four_powers_of_two, whole); }

/* SSE2 has no instruction that widens: each number is doubled, and then shifted down with its sign. */
INLINE __m128i low_bytes_widened(__m128i a) { return _mm_srai_epi16(_mm_unpacklo_epi8(a, a), 8); }
INLINE __m128i high_bytes_widened(__m128i a) { return _mm_srai_epi16(_mm_unpackhi_epi8(a, a), 8); }
INLINE __m128 low_shorts_as_floats(__m128i a) { return _mm_cvtepi32_ps(_mm_srai_epi32(_mm_unpacklo_epi16(a, a), 16)); }
INLINE __m128 high_shorts_as_floats(__m128i a) { return _mm_cvtepi32_ps(_mm_srai_epi32(_mm_unpackhi_epi16(a, a), 16)); }
INLINE lanes from_bytes(const int8_t *from) {
  const __m128i sixteen = _mm_loadu_si128((const __m128i *)from);
  const __m128i low = low_bytes_widened(sixteen), high = high_bytes_widened(sixteen);
  return (lanes){low_shorts_as_floats(low), high_shorts_as_floats(low), low_shorts_as_floats(high), high_shorts_as_floats(high)};
}
INLINE void store_shorts(int16_t *to, lanes a) {
  _mm_storeu_si128((__m128i *)to, _mm_packs_epi32(_mm_cvtps_epi32(a.v0), _mm_cvtps_epi32(a.v1)));
  _mm_storeu_si128((__m128i *)(to + 8), _mm_packs_epi32(_mm_cvtps_epi32(a.v2), _mm_cvtps_epi32(a.v3)));
}

/* Lanes 0-7 plus 8-15, then 0-3 plus 4-7, and so on: the same order as in ../portable/simd/arithmetic.ts. */
INLINE float sum_of(lanes a) {
  __m128 four = _mm_add_ps(_mm_add_ps(a.v0, a.v2), _mm_add_ps(a.v1, a.v3));
  __m128 two = _mm_add_ps(four, _mm_movehl_ps(four, four));
  return _mm_cvtss_f32(_mm_add_ss(two, _mm_shuffle_ps(two, two, 1)));
}
INLINE float largest_of(lanes a) {
  __m128 four = _mm_max_ps(_mm_max_ps(a.v0, a.v2), _mm_max_ps(a.v1, a.v3));
  __m128 two = _mm_max_ps(four, _mm_movehl_ps(four, four));
  return _mm_cvtss_f32(_mm_max_ss(two, _mm_shuffle_ps(two, two, 1)));
}

/* Converts sixteen integers, each to the nearest float. */
INLINE __m128 four_from_integers(const int32_t *from) { return _mm_cvtepi32_ps(_mm_loadu_si128((const __m128i *)from)); }
INLINE lanes from_integers(const int32_t *from) {
  return (lanes){four_from_integers(from), four_from_integers(from + 4), four_from_integers(from + 8), four_from_integers(from + 12)};
}

/* ---- For the innermost loops: single registers, so that all of them can be used. ---- */

typedef __m128 floats;
typedef __m128i integers; /* four int32, or eight int16: two for each of four sums */

INLINE floats fill_floats(float value) { return _mm_set1_ps(value); }
INLINE floats load_floats(const float *from) { return _mm_loadu_ps(from); }
INLINE void store_floats(float *to, floats a) { _mm_storeu_ps(to, a); }
INLINE floats multiply_floats(floats a, floats b) { return _mm_mul_ps(a, b); }
INLINE floats multiply_add_floats(floats a, floats b, floats c) { return _mm_add_ps(_mm_mul_ps(a, b), c); }

INLINE integers no_integers(void) { return _mm_setzero_si128(); }
INLINE void store_integers(int32_t *to, integers a) { _mm_storeu_si128((__m128i *)to, a); }
/* Register `number` of the weights of TILE_PANELS panels of outputs, two inputs each: here a quarter of a panel. */
INLINE integers load_weights(const int8_t *from, int number, int panel_bytes) {
  (void)panel_bytes;
  return low_bytes_widened(_mm_loadl_epi64((const __m128i *)(from + 8 * number)));
}
INLINE integers fill_pair(const int16_t *from) { return _mm_set1_epi32(*(const int32_t *)from); }
/* sum + first of a x first of b + second of a x second of b, for each sum. */
INLINE integers add_products(integers sum, integers a, integers b) { return _mm_add_epi32(sum, _mm_madd_epi16(a, b)); }

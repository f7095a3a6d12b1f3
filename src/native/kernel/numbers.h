/*
 * Reads a list of numbers in JSON as float32, with the rule and the arithmetic of ../../replies/kernel/numbers.ts, which explains why each has
 * the same bits as `Math.fround(Number(text))`. Both accept the same texts: change both together.
 */

/* How reading ended, for ../native.ts. */
enum {
  CLOSED = 0, /* the list ended */
  SHORT = 1,  /* fewer than AHEAD bytes are left */
  NO_LIST = 2,
  LONG = 3,  /* the next number is longer than AHEAD allows: the caller reads it */
  FULL = 4,  /* there is no room for another value */
  DOUBT = 5, /* the caller must read the last number exactly; the list continues */
  LAST_DOUBT = 6, /* as DOUBT, and the list ended */
};

/* How many characters of a number are read: a sign, WHOLE digits, a point, FURTHER digits, an exponent and the character after it. */
enum { AHEAD = 64, WHOLE = 18, FURTHER = 32, EXPONENT = 6 };

/* Below this value another digit still fits. */
#define ROOM_FOR_A_DIGIT 922337203685477580u /* (2^63 - 1) / 10 */

enum { LEAST_POWER = -60, POWERS = 91 };
static const double POWER[POWERS] = {
  1e-60, 1e-59, 1e-58, 1e-57, 1e-56, 1e-55, 1e-54, 1e-53, 1e-52, 1e-51, 1e-50, 1e-49, 1e-48, 1e-47, 1e-46, 1e-45, 1e-44, 1e-43, 1e-42,
  1e-41, 1e-40, 1e-39, 1e-38, 1e-37, 1e-36, 1e-35, 1e-34, 1e-33, 1e-32, 1e-31, 1e-30, 1e-29, 1e-28, 1e-27, 1e-26, 1e-25, 1e-24, 1e-23,
  1e-22, 1e-21, 1e-20, 1e-19, 1e-18, 1e-17, 1e-16, 1e-15, 1e-14, 1e-13, 1e-12, 1e-11, 1e-10, 1e-9, 1e-8, 1e-7, 1e-6, 1e-5, 1e-4, 1e-3,
  1e-2, 1e-1, 1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21,
  1e22, 1e23, 1e24, 1e25, 1e26, 1e27, 1e28, 1e29, 1e30,
};

/* Sixteen bytes of 0, then sixteen of 255: a load from 16 - n masks all but the first n bytes. */
static const uint8_t COVER[32] = {[16] = 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255};

INLINE int is_digit(uint8_t character) { return (uint8_t)(character - '0') < 10; }
INLINE int is_space(uint8_t character) { return character == 32 || character == 10 || character == 13 || character == 9; }

/* How many of the 32 bytes, with '0' subtracted, come before the first that is not a digit. */
INLINE uint32_t digits_in(__m256i bytes) {
  const __m256i is = _mm256_cmpeq_epi8(_mm256_min_epu8(bytes, _mm256_set1_epi8(9)), bytes);
  return (uint32_t)__builtin_ctzll(~(uint64_t)(uint32_t)_mm256_movemask_epi8(is));
}

/* Sixteen digits, most significant first, as one number. */
INLINE uint64_t joined(__m128i digits) {
  const __m128i pairs = _mm_maddubs_epi16(digits, _mm_set1_epi16(0x010a));
  const __m128i fours = _mm_madd_epi16(pairs, _mm_set1_epi32(0x00010064));
  const __m128i eights = _mm_madd_epi16(_mm_packus_epi32(fours, fours), _mm_set1_epi32(0x00012710));
  const uint64_t halves = (uint64_t)_mm_cvtsi128_si64(eights);
  return (halves & 0xffffffff) * 100000000 + (halves >> 32);
}

/* digits * 10^power, or 0 if the result is not precise enough. */
INLINE double scaled(uint64_t digits, int32_t power, int is_cut) {
  const uint32_t place = (uint32_t)(power - LEAST_POWER);
  if (place >= POWERS || (is_cut && digits < (1ull << 38))) return 0;
  return (double)(int64_t)digits * POWER[place];
}

/* Whether the result of `scaled` is far enough from the midpoint between two float32, and both are within the normal range. */
INLINE int is_sure(double value) {
  uint64_t bits;
  __builtin_memcpy(&bits, &value, 8);
  return value > 1.2e-38 && value < 3.4e38 && ((uint32_t)bits & 0x1fffffff) - 0xfff0000 > 0x20000;
}

/* One bit for each comma among 64 characters. */
INLINE uint64_t commas_in(const uint8_t *at) {
  const __m256i comma = _mm256_set1_epi8(',');
  const __m256i lower = _mm256_cmpeq_epi8(_mm256_loadu_si256((const void *)at), comma);
  const __m256i upper = _mm256_cmpeq_epi8(_mm256_loadu_si256((const void *)(at + 32)), comma);
  return (uint32_t)_mm256_movemask_epi8(lower) | (uint64_t)(uint32_t)_mm256_movemask_epi8(upper) << 32;
}

/* Up to sixteen digits of 32 characters, with '0' subtracted, treated as sixteen digits: those after the first `some` count as zeros. */
INLINE uint64_t first_digits(__m256i next, uint32_t some) {
  const __m128i cover = _mm_loadu_si128((const void *)(COVER + 16 - (some < 16 ? some : 16)));
  return joined(_mm_andnot_si128(cover, _mm256_castsi256_si128(next)));
}

/*
 * Reads the usual form: one digit, a point and up to 31 more digits, followed by a comma. The commas show where numbers begin, so that the
 * processor need not finish one number before the next. Stops at any other form, and returns where.
 */
INLINE const uint8_t *read_usual(const uint8_t *at, const uint8_t *last, float **to, const float *limit) {
  const uint8_t *block = at;
  float *next_to = *to;
  if (at > last) return at;
  uint64_t commas = commas_in(block);
  while (at <= last && next_to < limit) {
    while (commas == 0) {
      block += 64;
      if (block > last) goto end;
      commas = commas_in(block);
    }
    const uint8_t *const comma = block + __builtin_ctzll(commas);
    commas &= commas - 1;
    const uint8_t *first = at + (*at == ' ');
    const uint32_t is_negative = *first == '-'; /* no branch: the sign is unpredictable */
    first += is_negative;
    const __m256i next = _mm256_sub_epi8(_mm256_loadu_si256((const void *)(first + 2)), _mm256_set1_epi8('0'));
    const uint32_t some = digits_in(next);
    if (!is_digit(*first) || first[1] != '.' || some == 0 || first + 2 + some != comma) break;
    const uint64_t digits = (uint64_t)(*first - '0') * 10000000000000000 + first_digits(next, some);
    const double value = scaled(digits, -16, some >= 16);
    if (!is_sure(value)) break;
    *next_to++ = is_negative ? -(float)value : (float)value;
    at = comma + 1;
  }
end:
  *to = next_to;
  return at;
}

/*
 * Reads numbers from progress[0] on, where a number must be, to values[progress[1]] and on, up to the bracket that closes the list, and updates
 * both. If it returns DOUBT or LAST_DOUBT, the text of the last number is between progress[2] and progress[3].
 */
int OF_VARIANT(read)(const uint8_t *bytes, uint32_t end, float *values, uint32_t room, uint32_t *progress) {
  if (end < AHEAD) return SHORT;
  const uint8_t *at = bytes + progress[0], *const last = bytes + end - AHEAD;
  uint32_t count = progress[1];
  int how = SHORT;
  while (at <= last) {
    float *to = values + count;
    at = read_usual(at, last, &to, values + room);
    count = (uint32_t)(to - values);
    if (at > last) break;
    const uint8_t *const first = at;
    if (count == room) { how = FULL; break; }
    while (at < last && is_space(*at)) at++;
    if (is_space(*at)) { at = first; how = LONG; break; }
    const uint8_t *const begin = at;
    const uint32_t is_negative = *at == '-'; /* no branch: the sign is unpredictable */
    at += is_negative;
    uint8_t c = *at;
    uint64_t digits = 0;
    int32_t power = 0;
    int is_cut = 0;
    if (!is_digit(c)) { how = NO_LIST; break; }
    if (at[1] == '.') {
      digits = c - '0';
      c = '.';
      at++;
    } else if (c == '0') c = *++at;
    else {
      const uint8_t *const bound = at + WHOLE;
      do {
        digits = digits * 10 + (c - '0');
        c = *++at;
      } while (is_digit(c) && at < bound);
      if (is_digit(c)) { at = first; how = LONG; break; }
    }
    if (c == '.') {
      at++;
      if (!is_digit(*at)) { how = NO_LIST; break; }
      if (digits < 100) {
        const __m256i next = _mm256_sub_epi8(_mm256_loadu_si256((const void *)at), _mm256_set1_epi8('0'));
        const uint32_t some = digits_in(next);
        digits = digits * 10000000000000000 + first_digits(next, some);
        power -= 16;
        is_cut = some >= 16;
        at += some;
        c = *at;
      } else {
        const uint8_t *const bound = at + FURTHER;
        c = *at;
        do {
          if (digits < ROOM_FOR_A_DIGIT) { digits = digits * 10 + (c - '0'); power--; }
          else is_cut = 1;
          c = *++at;
        } while (is_digit(c) && at < bound);
      }
      if (is_digit(c)) { at = first; how = LONG; break; }
    }
    const uint8_t *number_end = at;
    if (c != ',') {
      if ((c | 32) == 'e') {
        c = *++at;
        const int is_down = c == '-';
        if (is_down || c == '+') c = *++at;
        if (!is_digit(c)) { how = NO_LIST; break; }
        int32_t exponent = 0;
        const uint8_t *const bound = at + EXPONENT;
        do {
          exponent = exponent * 10 + (c - '0');
          c = *++at;
        } while (is_digit(c) && at < bound);
        if (is_digit(c)) { at = first; how = LONG; break; }
        power += is_down ? -exponent : exponent;
        number_end = at;
      }
      while (is_space(c) && at + 1 < bytes + end) c = *++at;
      if (c != ',' && c != ']') { how = NO_LIST; break; }
    }
    at++;
    const double value = scaled(digits, power, is_cut);
    const int is_closed = c == ']';
    if (is_sure(value)) values[count++] = is_negative ? -(float)value : (float)value;
    else if (digits == 0 && !is_cut) values[count++] = is_negative ? -0.0f : 0.0f;
    else {
      progress[2] = (uint32_t)(begin - bytes);
      progress[3] = (uint32_t)(number_end - bytes);
      count++;
      how = is_closed ? LAST_DOUBT : DOUBT;
      break;
    }
    if (is_closed) { how = CLOSED; break; }
  }
  progress[0] = (uint32_t)(at - bytes);
  progress[1] = count;
  return how;
}

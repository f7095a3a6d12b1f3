/*
 * Prints float32 values as the shortest decimals that read back to them, with the arithmetic of ../../printing/digits/kernel.ts, which explains
 * why it is exact, for LANES values at once. Both write the same bytes: change both together.
 */

/* From 10^-6, below which JavaScript writes an exponent, to 2^23, from which on all values are integers: as bits. */
#define FIRST 0x358637bdu
#define ONE 0x3f800000u
#define LAST 0x4b000000u

/*
 * For each exponent from FIRST's on: half a step of the mantissa, in units of 2^-36 of the last printed place. Its five lowest bits are zero, and
 * hold the number of printed places instead.
 */
enum { FIRST_EXPONENT = 107 };
#define HALF(exponent, places, five) (((uint64_t)five << (exponent - 115 + places)) | places)
static const uint64_t STEPS[] = {
  HALF(107, 13, 1220703125), HALF(108, 13, 1220703125), HALF(109, 13, 1220703125), HALF(110, 13, 1220703125),
  HALF(111, 12, 244140625), HALF(112, 12, 244140625), HALF(113, 12, 244140625), HALF(114, 11, 48828125), HALF(115, 11, 48828125),
  HALF(116, 11, 48828125), HALF(117, 10, 9765625), HALF(118, 10, 9765625), HALF(119, 10, 9765625), HALF(120, 10, 9765625),
  HALF(121, 9, 1953125), HALF(122, 9, 1953125), HALF(123, 9, 1953125), HALF(124, 8, 390625), HALF(125, 8, 390625),
  HALF(126, 8, 390625), HALF(127, 7, 78125), HALF(128, 7, 78125), HALF(129, 7, 78125), HALF(130, 7, 78125), HALF(131, 6, 15625),
  HALF(132, 6, 15625), HALF(133, 6, 15625), HALF(134, 5, 3125), HALF(135, 5, 3125), HALF(136, 5, 3125), HALF(137, 4, 625),
  HALF(138, 4, 625), HALF(139, 4, 625), HALF(140, 4, 625), HALF(141, 3, 125), HALF(142, 3, 125), HALF(143, 3, 125), HALF(144, 2, 25),
  HALF(145, 2, 25), HALF(146, 2, 25), HALF(147, 1, 5), HALF(148, 1, 5), HALF(149, 1, 5),
};
#define PLACES 31u

/* 0.000000 and -0.00000: the most that comes before the last eight digits, with thirteen places. */
#define POSITIVE 0x3030303030302e30
#define NEGATIVE 0x30303030302e302d

/* How printing ended, for ../native.ts: everything is printed; the caller must print the next value; there is too little room. */
enum { ALL = 0, OTHER = 1, NO_ROOM = 2 };

/* The longest text is "-0.", thirteen digits and a comma. Digits are written eight at a time, up to BEYOND bytes past the end. */
enum { TEXT_MAX = 17, BEYOND = 8 };

/* Writes `units` / 10^places, where that is 1 or more. Returns the end of the text. */
static uint8_t *write_mixed(uint32_t units, uint32_t places, uint8_t *at) {
  uint32_t power = 1;
  for (uint32_t i = 0; i < places; i++) power *= 10;
  const uint32_t whole = units / power;
  uint32_t rest = units - whole * power;
  uint8_t *end = at + 1;
  for (uint32_t bound = 10; whole >= bound; bound *= 10) end++;
  uint32_t number = whole;
  for (uint8_t *place = end; place > at; number /= 10) *--place = '0' + number % 10;
  if (rest == 0) return end;
  *end++ = '.';
  while (rest > 0) {
    power /= 10;
    const uint32_t digit = rest / power;
    *end++ = '0' + digit;
    rest -= digit * power;
  }
  return end;
}

/* Eight digits, one per byte, the first in the lowest. */
INLINE uint64_t eight_digits(uint32_t number) {
  const uint32_t high = (uint32_t)(((uint64_t)number * 0xd1b71759) >> 45);
  const uint64_t fours = high | ((uint64_t)(number - high * 10000) << 32);
  const uint64_t hundreds = ((fours * 10486) >> 20) & 0x0000007f0000007f;
  const uint64_t twos = ((fours - hundreds * 100) << 16) + hundreds;
  const uint64_t tens = ((twos * 103) >> 10) & 0x000f000f000f000f;
  return ((twos - tens * 10) << 8) + tens;
}

/*
 * Writes a number below 1 and a comma, without trailing zeros. `head` is the text before the last eight digits; these are `digits`, and begin
 * `tail` bytes after `to`.
 */
INLINE uint8_t *write_fraction(uint64_t head, uint64_t tail, uint64_t digits, uint8_t *to) {
  const uint64_t text = digits | 0x3030303030303030;
  __builtin_memcpy(to, &head, 8);
  __builtin_memcpy(to + tail, &text, 8);
  to += tail + 9 - (_lzcnt_u64(digits) >> 3);
  to[-1] = ',';
  return to;
}
/* Writes one value of the range and a comma. */
static uint8_t *write_one(uint32_t bits, uint8_t *to) {
  const uint32_t size = bits & 0x7fffffff, mantissa = size & 0x7fffff;
  const uint64_t step = STEPS[(size >> 23) - FIRST_EXPONENT];
  const uint32_t places = step & PLACES;
  const uint64_t half = step - places, exact = ((uint64_t)(mantissa | 0x800000) << 1) * half;
  const uint64_t above = half - (exact >> 52) - 1, below = mantissa != 0 ? above : above >> 1;
  const uint64_t tens = ((((exact + above) >> 36) * 0xcccccccd) >> 35) * 10, nearest = (exact + (1ull << 35)) >> 36;
  const uint32_t units = (uint32_t)((tens << 36) + below > exact ? tens : nearest);
  if (size < ONE) {
    const uint32_t first = units >= 100000000;
    const uint64_t head = (bits >> 31 ? NEGATIVE : POSITIVE) + ((uint64_t)first << (places + (bits >> 31) - 7) * 8);
    return write_fraction(head, places + (bits >> 31) - 6, eight_digits(units - first * 100000000), to);
  }
  *to = '-';
  to = write_mixed(units, places, to + (bits >> 31));
  *to++ = ',';
  return to;
}

/* Writes LANES values from FIRST to below ONE, with the same result as write_one. */
INLINE uint8_t *write_lanes(lanes bits, lanes size, uint8_t *to) {
  const lanes step = look_up(STEPS, subtract(down(size, 23), fill(FIRST_EXPONENT)));
  const lanes places = both(step, fill(PLACES)), half = subtract(step, places);
  const lanes mantissa = both(size, fill(0x7fffff));
  const lanes exact = multiply_wide(half, up(either(mantissa, fill(0x800000)), 1));
  const lanes above = subtract(subtract(half, down(exact, 52)), fill(1));
  const lanes below = where_zero(mantissa, down(above, 1), above);
  const lanes ten = down(multiply(down(add(exact, above), 36), fill(0xcccccccd)), 35);
  const lanes tens = multiply(ten, fill(10));
  const lanes nearest = down(add(exact, fill(1ull << 35)), 36);
  /* Either may have its highest bit set, but their difference is small, so that a signed comparison works. */
  const lanes over = subtract(add(up(tens, 36), below), exact);
  lanes units = where_greater(over, fill(0), tens, nearest);
  const lanes first = where_greater(units, fill(99999999), fill(1), fill(0));
  const lanes minus = down(bits, 31), tail = subtract(add(places, minus), fill(6));
  const lanes head = add(where_zero(minus, fill(POSITIVE), fill(NEGATIVE)), up_each(first, up(subtract(tail, fill(1)), 3)));
  units = subtract(units, multiply(first, fill(100000000)));
  const lanes high = down(multiply(units, fill(0xd1b71759)), 45);
  const lanes fours = either(high, up(subtract(units, multiply(high, fill(10000))), 32));
  const lanes hundreds = down_shorts(multiply_shorts_high(fours, fill_shorts(5243)), 3);
  const lanes twos = add(up(subtract(fours, multiply_shorts(hundreds, fill_shorts(100))), 16), hundreds);
  const lanes ones = down_shorts(multiply_shorts(twos, fill_shorts(103)), 10);
  const lanes digits = add(up(subtract(twos, multiply_shorts(ones, fill_shorts(10))), 8), ones);
  uint64_t heads[LANES], tails[LANES], all_digits[LANES];
  store(heads, head);
  store(tails, tail);
  store(all_digits, digits);
#pragma GCC unroll 8
  for (int i = 0; i < LANES; i++) to = write_fraction(heads[i], tails[i], all_digits[i], to);
  return to;
}

/*
 * Prints values from progress[0] on to bytes[progress[1]] and on, a comma after each, and updates both. It stops before a value outside the range
 * other than zero, which the caller must print. Returns how it ended.
 */
int OF_VARIANT(print)(const uint32_t *values, uint32_t count, uint8_t *bytes, uint32_t room, uint32_t *progress) {
  uint32_t next = progress[0];
  uint8_t *to = bytes + progress[1];
  const uint8_t *limit = bytes + room;
  int how = ALL;
  while (next < count) {
    if (count - next >= LANES && limit - to >= LANES * TEXT_MAX + BEYOND) {
      const lanes bits = load_words(values + next), size = both(bits, fill(0x7fffffff));
      if (all_below(both(subtract(size, fill(FIRST)), fill(0x7fffffffffffffff)), ONE - FIRST)) {
        to = write_lanes(bits, size, to);
        next += LANES;
        continue;
      }
    }
    /* Prints LANES values one by one, and then tries the lanes again. */
    const uint32_t last = count - next < LANES ? count : next + LANES;
    for (; next < last; next++) {
      if (limit - to < TEXT_MAX + BEYOND) { how = NO_ROOM; break; }
      const uint32_t bits = values[next], size = bits & 0x7fffffff;
      if (size == 0) {
        *to = '-';
        to += bits >> 31;
        *to++ = '0';
        *to++ = ',';
      } else if (size - FIRST < LAST - FIRST) to = write_one(bits, to);
      else { how = OTHER; break; }
    }
    if (how != ALL) break;
  }
  progress[0] = next;
  progress[1] = (uint32_t)(to - bytes);
  return how;
}

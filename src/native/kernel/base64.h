/*
 * Base64 to bytes and back, a register of characters at a time, and the last ones with a table. It works on the caller's memory, without copies.
 * What counts as base64 is the same as in ../../replies/kernel/numbers.ts: whole groups of four, the last one padded if necessary.
 */

INLINE uint32_t meaning_of(uint8_t character) { return character < 128 ? MEANINGS[character] : NONE; }

/* Decodes whole groups. Returns the bytes written, or -1 for a character that is not base64. `to` has exactly the room for the bytes. */
int OF_VARIANT(decode)(const uint8_t *from, uint32_t characters, uint8_t *to) {
  const uint8_t *end = from + characters, *start = to;
  /* A whole register is stored; the next one overwrites the surplus bytes. */
  lanes fault = no_fault();
  for (; end - from >= REGISTER_BYTES + REGISTER_BYTES / 2; from += REGISTER_BYTES, to += REGISTER_BYTES / 4 * 3)
    store(to, bytes_of(load(from), &fault));
  if (is_fault(fault)) return -1;
  for (; from < end; from += 4) {
    const int is_last = from + 4 == end;
    const int padding = is_last && from[3] == '=' ? (from[2] == '=' ? 2 : 1) : 0;
    uint32_t group = 0, bad = 0;
    for (int i = 0; i < 4; i++) {
      const uint32_t six = i >= 4 - padding ? 0 : meaning_of(from[i]);
      bad |= six;
      group = group << 6 | (six & 63);
    }
    if (bad & NONE) return -1;
    *to++ = group >> 16;
    if (padding < 2) *to++ = group >> 8;
    if (padding < 1) *to++ = group;
  }
  return (int)(to - start);
}

/* Encodes with padding. Returns the characters written. */
int OF_VARIANT(encode)(const uint8_t *from, uint32_t bytes, uint8_t *to) {
  const uint8_t *end = from + bytes, *start = to;
  for (; end - from >= REGISTER_BYTES; from += REGISTER_BYTES / 4 * 3, to += REGISTER_BYTES) store(to, text_of(from));
  for (; end - from >= 3; from += 3) {
    const uint32_t group = (uint32_t)from[0] << 16 | from[1] << 8 | from[2];
    for (int shift = 18; shift >= 0; shift -= 6) *to++ = CHARACTERS[group >> shift & 63];
  }
  if (from < end) {
    const uint32_t group = (uint32_t)from[0] << 16 | (end - from == 2 ? from[1] << 8 : 0);
    *to++ = CHARACTERS[group >> 18];
    *to++ = CHARACTERS[group >> 12 & 63];
    *to++ = end - from == 2 ? CHARACTERS[group >> 6 & 63] : '=';
    *to++ = '=';
  }
  return (int)(to - start);
}

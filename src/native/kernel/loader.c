/*
 * What a process calls: which variants this processor can run, and each function in the variant that the caller names.
 * Compiled for any x86-64. To add a variant, add a line to `kernels`, to `can_run` and to ../build.ts.
 */
#include <stdint.h>

#define EXPORT __attribute__((visibility("default")))

typedef int print(const uint32_t *, uint32_t, uint8_t *, uint32_t, uint32_t *);
typedef int recode(const uint8_t *, uint32_t, uint8_t *);
typedef int read(const uint8_t *, uint32_t, float *, uint32_t, uint32_t *);
print print_avx2, print_avx512;
recode decode_avx2, decode_avx512, encode_avx2, encode_avx512;
read read_avx2, read_avx512;

static const struct { print *print; recode *decode, *encode; read *read; } kernels[] = {
  {print_avx2, decode_avx2, encode_avx2, read_avx2},
  {print_avx512, decode_avx512, encode_avx512, read_avx512},
};

/* Whether this processor has a variant's instructions and the operating system saves their registers. */
EXPORT int can_run(int kernel) {
  __builtin_cpu_init();
#define HAS(instructions) __builtin_cpu_supports(instructions)
  if (!HAS("avx2") || !HAS("lzcnt")) return 0;
  if (kernel == 0) return 1;
  return HAS("avx512f") && HAS("avx512dq") && HAS("avx512bw") && HAS("avx512vl") && HAS("avx512vbmi");
}

EXPORT int print_floats(int kernel, const uint32_t *values, uint32_t count, uint8_t *bytes, uint32_t room, uint32_t *progress) {
  return kernels[kernel].print(values, count, bytes, room, progress);
}

EXPORT int decode_base64(int kernel, const uint8_t *bytes, uint32_t from, uint32_t characters, uint8_t *to) {
  return kernels[kernel].decode(bytes + from, characters, to);
}

EXPORT int encode_base64(int kernel, const uint8_t *from, uint32_t count, uint8_t *bytes, uint32_t at) {
  return kernels[kernel].encode(from, count, bytes + at);
}

EXPORT int read_numbers(int kernel, const uint8_t *bytes, uint32_t end, float *values, uint32_t room, uint32_t *progress) {
  return kernels[kernel].read(bytes, end, values, room, progress);
}

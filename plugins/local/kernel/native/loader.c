/*
 * What a process calls before it embeds: which variants of the kernel this processor can run, and mapping the weights into memory.
 * Compiled for any x86-64. To add a variant, add a line to `kernels`, a check to `can_run`, and an object to build.ts.
 */
#include <cpuid.h>
#include <stddef.h>
#include <stdint.h>

#define EXPORT __attribute__((visibility("default")))

typedef void embed(const void *, const void *, const void *, int, void *, void *);
typedef uint64_t scratch_bytes(int);
embed embed_sse2, embed_avx2, embed_avx512;
scratch_bytes scratch_bytes_sse2, scratch_bytes_avx2, scratch_bytes_avx512;

static const struct { embed *embed; scratch_bytes *scratch_bytes; } kernels[] = {
  {embed_sse2, scratch_bytes_sse2},
  {embed_avx2, scratch_bytes_avx2},
  {embed_avx512, scratch_bytes_avx512},
};

/* Which registers the operating system saves: instructions that use other registers must not be used. */
static uint32_t saved_registers(void) {
  uint32_t low, high;
  __asm__("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
  return low;
}

static int can_run(int kernel) {
  if (kernel == 0) return 1;
  uint32_t a, b, c, d;
  if (!__get_cpuid(1, &a, &b, &c, &d) || !(c & bit_OSXSAVE) || !(c & bit_AVX)) return 0;
  const uint32_t saved = saved_registers();
  if (!__get_cpuid_count(7, 0, &a, &b, &c, &d)) return 0;
  if (kernel == 1) return (saved & 0x06) == 0x06 && (b & bit_AVX2);
  const uint32_t needed = bit_AVX512F | bit_AVX512DQ | bit_AVX512BW | bit_AVX512VL;
  return (saved & 0xe6) == 0xe6 && (b & needed) == needed && (c & bit_AVX512VNNI);
}

/* The address of a kernel's `embed`; NULL if this processor cannot run it. */
EXPORT const void *kernel_at(int kernel) { return can_run(kernel) ? (const void *)kernels[kernel].embed : NULL; }

/* How many bytes of memory it needs for batches of at most `tokens` tokens. */
EXPORT uint32_t kernel_scratch_bytes(int kernel, int tokens) { return (uint32_t)kernels[kernel].scratch_bytes(tokens); }

/*
 * Maps a file's bytes from `offset` (a multiple of 4096) on, read-only and never unmapped. Processes that map the same file share its memory.
 * Returns NULL on failure.
 */
EXPORT const void *map_file(int file, uint64_t offset, uint64_t bytes) {
  enum { MMAP = 9, READ = 1, SHARED = 1 };
  int64_t result;
  register int64_t flags __asm__("r10") = SHARED;
  register int64_t descriptor __asm__("r8") = file;
  register uint64_t from __asm__("r9") = offset;
  __asm__ volatile("syscall"
                   : "=a"(result)
                   : "a"(MMAP), "D"(NULL), "S"(bytes), "d"(READ), "r"(flags), "r"(descriptor), "r"(from)
                   : "rcx", "r11", "memory");
  return result < 0 ? NULL : (const void *)result;
}

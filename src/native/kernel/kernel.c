/*
 * Numbers in JSON and base64 with SIMD. It is compiled once per instruction set, each time with that set's lanes-*.h, which has everything that
 * differs. It uses no library, not even C's own. After any change run `bun src/native/build.ts`.
 */
#include <stdint.h>

#define INLINE static inline __attribute__((always_inline))

#include "tables.h"
#include LANES_OF
#include "print.h"
#include "base64.h"
#include "numbers.h"

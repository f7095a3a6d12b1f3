/*
 * Numbers and base64 in the instructions of one kind of processor. Compiled for each kind with its own lanes-*.h, which has all that differs
 * between them. It uses no library, not even C's own. After any change run `bun src/native/build.ts`.
 */
#include <stdint.h>

#define INLINE static inline __attribute__((always_inline))

#include "tables.h"
#include LANES_OF
#include "print.h"
#include "base64.h"
#include "numbers.h"

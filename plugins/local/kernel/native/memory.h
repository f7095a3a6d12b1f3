/*
 * What is where in the memory that one batch is embedded in, and the model's sizes. ../portable/memory.ts is its twin.
 * A further piece is a line of `scratch` and of `lay_out`.
 */

enum { HIDDEN = 384, INTERMEDIATE = 1536, LAYERS = 6, HEADS = 12, HEAD_SIZE = 32, VOCABULARY = 30522, POSITIONS = 256 };
enum { QKV = 3 * HIDDEN }; /* a token's query, key and value lie side by side */
enum { PANEL = 16 };       /* outputs side by side in a packed weight matrix: as many as there are lanes */
enum { QUERIES = 8 };      /* that attention takes at once: the rows of EACH_ROW */

typedef struct {
  float *hidden;         /* [token][HIDDEN]: what the layers hand on */
  int16_t *quantised;    /* [token][column] */
  float *scales;         /* [token]: what one step of its row in `quantised` is worth */
  float *qkv;            /* [token][query | key | value][HEADS][HEAD_SIZE] */
  float *context;        /* [token][HIDDEN]: what attention made of the values */
  float *intermediate;   /* [token][INTERMEDIATE] */
  float *keys;           /* [HEAD_SIZE][key]: one head's keys of one text, transposed */
  float *values;         /* [key][HEAD_SIZE]: its values, close together */
  float *scores;         /* [query][key]: scores, then softmax weights before their division */
} scratch;

INLINE int padded(int count, int to) { return (count + to - 1) / to * to; }

/* Hands out memory piece by piece, each at the start of a cache line. */
static void *take(uintptr_t *next, size_t bytes) {
  const uintptr_t piece = (*next + 63) & ~(uintptr_t)63;
  *next = piece + bytes;
  return (void *)piece;
}

/* Returns the address after the last piece. */
static uintptr_t lay_out(scratch *s, uintptr_t memory, int tokens) {
  uintptr_t next = memory;
  s->hidden = take(&next, sizeof(float) * HIDDEN * tokens);
  s->quantised = take(&next, sizeof(int16_t) * INTERMEDIATE * tokens);
  s->scales = take(&next, sizeof(float) * tokens);
  s->qkv = take(&next, sizeof(float) * QKV * tokens);
  s->context = take(&next, sizeof(float) * HIDDEN * tokens);
  s->intermediate = take(&next, sizeof(float) * INTERMEDIATE * tokens);
  s->keys = take(&next, sizeof(float) * HEAD_SIZE * POSITIONS);
  s->values = take(&next, sizeof(float) * HEAD_SIZE * POSITIONS);
  s->scores = take(&next, sizeof(float) * QUERIES * POSITIONS);
  return next + 64; /* where `memory` itself does not start a cache line */
}

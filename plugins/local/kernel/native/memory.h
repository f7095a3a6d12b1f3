/*
 * The layout of the memory for one batch, and the model's sizes. ../portable/memory.ts is its counterpart.
 * To add a region, add a line to `scratch` and to `lay_out`.
 */

enum { HIDDEN = 384, INTERMEDIATE = 1536, LAYERS = 6, HEADS = 12, HEAD_SIZE = 32, VOCABULARY = 30522, POSITIONS = 256 };
enum { QKV = 3 * HIDDEN }; /* a token's query, key and value are adjacent */
enum { PANEL = 16 };       /* adjacent outputs in a packed weight matrix: as many as lanes */
enum { QUERIES = 8 };      /* queries that attention handles at once: the rows of EACH_ROW */

typedef struct {
  float *hidden;         /* [token][HIDDEN]: input and output of the layers */
  int16_t *quantised;    /* [token][column] */
  float *scales;         /* [token]: the value of one step of its row in `quantised` */
  float *qkv;            /* [token][query | key | value][HEADS][HEAD_SIZE] */
  float *context;        /* [token][HIDDEN]: the result of attention */
  float *intermediate;   /* [token][INTERMEDIATE] */
  float *keys;           /* [HEAD_SIZE][key]: one head's keys of one text, transposed */
  float *values;         /* [key][HEAD_SIZE]: its values, without gaps */
  float *scores;         /* [query][key]: scores, then softmax weights before their division */
} scratch;

INLINE int padded(int count, int to) { return (count + to - 1) / to * to; }

/* Allocates a region that starts at a cache line. */
static void *take(uintptr_t *next, size_t bytes) {
  const uintptr_t piece = (*next + 63) & ~(uintptr_t)63;
  *next = piece + bytes;
  return (void *)piece;
}

/* Returns the address after the last region. */
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
  return next + 64; /* `memory` itself may not start at a cache line */
}

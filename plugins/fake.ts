/**
 * A provider without a network, for tests and demos: predictable vectors for any text, and every failure, chosen by the model's name.
 * `fake` and `fake-8` answer well; `fake-nan`, `fake-slow` … fail as their name says. A new failure is a row of FAULTS.
 */
import type { EmbedCall, EmbedReply, Host, IndexedVector, Input, Plugin } from "../src/plugin";

const DIMENSIONS = 16;

/** The faults that a correct reply can be given, by the word after `fake-`. */
function faults(host: Host, attemptsOf: (call: EmbedCall) => number): Record<string, Fault> {
  const replace = (
    change: (vector: IndexedVector, all: readonly IndexedVector[]) => IndexedVector,
  ): Fault => ({
    spoil: (reply) => ({ ...reply, vectors: reply.vectors.map((vector) => change(vector, reply.vectors)) }),
  });
  const withFirst = (values: Float32Array, first: number) => Float32Array.of(first, ...values.subarray(1));
  return {
    // Valid, but in another order, with indices: the gateway must sort it.
    shuffled: {
      spoil: (reply) => ({ ...reply, vectors: [...reply.vectors].sort(() => host.random() - 0.5) }),
    },
    // Valid, but without a token count.
    uncounted: { spoil: (reply) => ({ ...reply, tokens: undefined }) },
    // Wrong vectors.
    short: { spoil: (reply) => ({ ...reply, vectors: reply.vectors.slice(1) }) },
    long: { spoil: (reply) => ({ ...reply, vectors: [...reply.vectors, ...reply.vectors.slice(0, 1)] }) },
    empty: { spoil: (reply) => ({ ...reply, vectors: [] }) },
    duplicate: replace(({ values }) => ({ index: 0, values })),
    misplaced: replace(({ index, values }) => ({ index: index + 1, values })),
    narrow: replace(({ index, values }) => ({ index, values: values.subarray(1) })),
    nan: replace(({ index, values }) => ({ index, values: withFirst(values, Number.NaN) })),
    infinite: replace(({ index, values }) => ({
      index,
      values: withFirst(values, Number.POSITIVE_INFINITY),
    })),
    zero: replace(({ index, values }) => ({ index, values: new Float32Array(values.length) })),
    foreign: { spoil: (reply) => ({ ...reply, model: "text-embedding-3-large" }) },
    // No vectors.
    slow: { before: (call) => host.sleep(60_000, call.signal) },
    stuck: { before: () => new Promise(() => undefined) },
    flaky: {
      before: async (call) => {
        if (attemptsOf(call) === 1) throw host.failure("unavailable", "The connection broke.");
      },
    },
    overloaded: failing(() => host.failure("overloaded", "Too many requests.", { retryAfterMs: 20 })),
    down: failing(() => host.failure("unavailable", "The service is down.")),
    unauthorized: failing(() => host.failure("unauthorized", "The API key is wrong.")),
    missing: failing((call) => host.failure("not_found", `There is no model ${call.model}.`)),
    invalid: failing(() => host.failure("invalid", "The first input is not valid.", { input: 0 })),
    buggy: failing(() => new TypeError("undefined is not a vector")),
  };
}

interface Fault {
  readonly before?: (call: EmbedCall) => Promise<unknown>;
  readonly spoil?: (reply: EmbedReply) => EmbedReply;
}

const failing = (error: (call: EmbedCall) => Error): Fault => ({
  before: async (call) => {
    throw error(call);
  },
});

const plugin: Plugin = (host) =>
  host.provider({
    id: "fake",
    isBuiltIn: true,
    options: host.t.Object({}, { additionalProperties: false }),
    tasks: { words: { query: "query", document: "document" } },
    fields: { title: host.t.String({ maxLength: 100, expected: "a string of at most 100 characters" }) },
    isIndivisible: ({ extraBody }) => extraBody.late_chunking === true,
    open() {
      const attempts = new Map<string, number>();
      const byName = faults(host, (call) => {
        const key = call.inputs.join("\n");
        const attempt = (attempts.get(key) ?? 0) + 1;
        attempts.set(key, attempt);
        return attempt;
      });
      return {
        describe: (model) => ({
          dimensions: dimensionsOf(model),
          dimensions_allowed: { min: 1, max: 4096 },
          normalized: true,
          price: 0,
        }),
        async embed(call) {
          const fault = byName[call.model.replace(/^fake-?/, "")] ?? {};
          call.signal.throwIfAborted();
          await fault.before?.(call);
          const reply = embedExactly(call);
          return fault.spoil?.(reply) ?? reply;
        },
      };
    },
  });

export default plugin;

/** `fake-8` returns vectors of 8 dimensions. */
function dimensionsOf(model: string): number {
  const size = Number(/^fake-(\d+)$/.exec(model)?.[1] ?? DIMENSIONS);
  return Math.max(1, Math.min(4096, size));
}

function embedExactly(call: EmbedCall): EmbedReply {
  const size = call.dimensions ?? dimensionsOf(call.model);
  return {
    vectors: call.inputs.map((input, index) => ({ index, values: exactVector(textOf(input, call), size) })),
    model: call.model,
    tokens: call.inputs.reduce((sum, input) => sum + wordsOf(input), 0),
    tokensSource: "provider",
  };
}

/** A task and a title change the vector of the same text, as they do at real vendors. */
function textOf(input: Input, { task, fields }: EmbedCall): string {
  const text = typeof input === "string" ? input : `ids ${input.join(" ")}`;
  const before = [task, fields.title].filter((word) => word !== undefined);
  return before.length === 0 ? text : `${before.join(": ")}: ${text}`;
}

/** One token per word, so that a test can predict what is billed. */
const wordsOf = (input: Input) =>
  typeof input === "string" ? input.split(/\s+/).filter(Boolean).length : input.length;

/**
 * A unit vector that depends on the text alone, so that a test can compute it too.
 * Numbers from a 32-bit xorshift seeded by FNV-1a of the UTF-8 bytes, in [-1, 1), then normalised.
 */
export function exactVector(text: string, dimensions: number): Float32Array {
  let state = 0x811c9dc5;
  for (const byte of new TextEncoder().encode(text)) state = Math.imul(state ^ byte, 0x01000193) >>> 0;
  state ||= 1;
  const raw = new Float64Array(dimensions);
  let sum = 0;
  for (let i = 0; i < dimensions; i++) {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    const value = (state | 0) / 2 ** 31;
    raw[i] = value;
    sum += value * value;
  }
  const norm = Math.sqrt(sum) || 1;
  return Float32Array.from(raw, (value) => value / norm);
}

/**
 * The built-in model: all-MiniLM-L6-v2, 384 dimensions, int8, run in Workers by our own kernel. It needs no key and no network.
 * A second built-in model would be a second folder like this one; this model's facts are in `FACTS`.
 */
import type { EmbedCall, EmbedReply, Host, KnownFacts, Plugin } from "../../src/plugin";
import { chooseKernel, KERNELS } from "./kernel-choice";
import type { Embedded } from "./messages";
import { Pool } from "./pool";
import { DIMENSIONS, MAX_INPUT_TOKENS } from "./sizes";

const MODEL = "all-MiniLM-L6-v2";

const FACTS: KnownFacts = {
  dimensions: DIMENSIONS,
  max_inputs: 32,
  max_input_tokens: MAX_INPUT_TOKENS,
  long_input: "average",
  normalized: true,
  price: 0,
  // Callers send OpenAI's token ids, which are decoded to text. With `native` in the routing file ids are WordPiece ids.
  token_ids: "decode",
};

const plugin: Plugin = (host) =>
  host.provider({
    id: "local",
    options: host.t.Object(
      {
        workers: host.t.Optional(
          host.t.Integer({
            minimum: 1,
            maximum: 64,
            description:
              "Threads that embed in parallel, 13 MB each once used. Default: one per core, divided among the gateway's processes.",
          }),
        ),
        kernel: host.t.Optional(
          host.t.Union(
            KERNELS.map((kernel) => host.t.Literal(kernel)),
            {
              description:
                "The code that computes: wasm on any CPU, slower without AVX; sse2, avx2 or avx512 on x86-64 Linux. All give the same bits. Default: the fastest that works; a kernel set here that does not work is an error.",
            },
          ),
        ),
      },
      { additionalProperties: false },
    ),
    countsTokens: true,
    isBuiltIn: true,
    coalesce: true,
    // Two calls per core: one is embedded while the other waits, so that no thread is idle between calls.
    concurrency: 2 * navigator.hardwareConcurrency,
    open({ workers = host.cores, kernel }) {
      const pool = new Pool(workers, () => chooseKernel(kernel), host.failure);
      return {
        describe: (model) => (model === MODEL ? FACTS : undefined),
        async embed(call) {
          refuseWhatItIsNot(call, host);
          return reply(await pool.run(call));
        },
        close: async () => pool.close(),
      };
    },
  });

export default plugin;

function refuseWhatItIsNot({ model, dimensions }: EmbedCall, host: Host): void {
  if (model !== MODEL) {
    throw host.failure("not_found", `This plugin serves ${MODEL} only; it has no model ${model}.`, {
      field: "model",
    });
  }
  if (dimensions !== undefined && dimensions !== DIMENSIONS) {
    throw host.failure("invalid", `${MODEL} makes ${DIMENSIONS} dimensions, not ${dimensions}.`, {
      field: "dimensions",
    });
  }
}

function reply({ vectors, tokensByInput, truncated, averaged }: Embedded): EmbedReply {
  const count = vectors.length / DIMENSIONS;
  return {
    // `slice`, not `subarray`: keeping one vector does not keep its whole batch in memory.
    vectors: Array.from({ length: count }, (_, index) => ({
      index,
      values: vectors.slice(index * DIMENSIONS, (index + 1) * DIMENSIONS),
    })),
    tokens: tokensByInput.reduce((sum, tokens) => sum + tokens, 0),
    tokensByInput,
    tokensSource: "counted",
    truncated,
    averaged,
  };
}

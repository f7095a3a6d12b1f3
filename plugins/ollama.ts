/**
 * Ollama's own API: POST /api/embed, which returns vectors in the order of the inputs, without an index.
 * Source: ollama/ollama, server/routes.go (EmbedHandler) and api/types.go (EmbedRequest); errors only seen in practice name their source in place.
 */
import type { EmbedCall, EmbedReply, Explanation, Host, Plugin, Posted } from "../src/plugin";
import { withoutSlash } from "./base-url";
import { cutWhereRefused } from "./cut";
import { headersOf } from "./headers";
import { LOADING_MS } from "./loading";
import { addressOption, headersOption, queryOption, withQuery } from "./options";
import { tooLongIn } from "./refusals";
import { countAt } from "./usage";

const plugin: Plugin = (host) => {
  const { t } = host;
  const Reply = t.Object({
    model: t.Optional(t.String()),
    embeddings: t.Array(host.wireVector),
    // Left out where it is 0, as by servers before July 2024.
    prompt_eval_count: t.Optional(t.Unknown()),
  });
  return host.provider({
    id: "ollama",
    options: t.Object(
      {
        base_url: addressOption(host, "http://localhost:11434", "URL of the server, with or without /api."),
        query: queryOption(host),
        api_key: t.Optional(
          t.String({ minLength: 1, description: "Sent as a Bearer token; your own server needs none." }),
        ),
        keep_alive: t.Optional(
          t.Union([t.String({ minLength: 1 }), t.Integer()], {
            description: 'How long the model stays loaded after a call: "5m", or -1 for ever.',
          }),
        ),
        num_ctx: t.Optional(
          t.Integer({ minimum: 1, description: "Context window that models are loaded with, in tokens." }),
        ),
        headers: headersOption(host),
      },
      { additionalProperties: false },
    ),
    fields: {
      options: t.Object(
        {},
        {
          additionalProperties: true,
          expected: "an object of model options",
          description: "Ollama's model options, such as { num_ctx: 8192 }, where allow_fields names options.",
        },
      ),
    },
    // `keep_alive` is how long a model stays in memory; `options` may reload it and evict others (api/types.go, Runner).
    serverFields: ["keep_alive", "options"],
    // It computes OLLAMA_NUM_PARALLEL inputs at once and queues the rest.
    concurrency: 4,
    timeoutMs: LOADING_MS,
    open({ base_url, query, api_key, keep_alive, num_ctx, headers: further }) {
      const url = withQuery(base_url, query, (base) => `${withoutPath(base)}/api/embed`);
      const headers = headersOf(further, { authorization: api_key && `Bearer ${api_key}` });
      return {
        describe: () => LIMITS,
        async embed(call) {
          const asked = bodyOf(host, call, num_ctx);
          const explain = (refusal: Posted) => explained(host, refusal);
          return cutWhereRefused(host, call, explain, async (mayCut, explain) => {
            // Ollama's default truncates long texts silently.
            const body = {
              ...call.extraBody,
              ...asked,
              truncate: mayCut,
              ...(keep_alive === undefined ? {} : { keep_alive }),
            };
            const { bytes } = await host.post({ url, headers, body, signal: call.signal, explain });
            const { embeddings, prompt_eval_count } = await host.readReply(Reply, bytes);
            const tokens = countAt(prompt_eval_count);
            refuseNone(host, call, embeddings.length);
            return {
              vectors: embeddings.map((values, index) => ({ index, values: host.vector(values) })),
              // The reply's `model` only repeats the requested name.
              tokens,
              tokensSource: "provider",
              ...(mayCut ? {} : cutAllTheSame(host, call, tokens)),
            };
          });
        },
      };
    },
  });
};

export default plugin;

/** Every vector is normalised, also a shortened one: "L2-normalized" (EmbedHandler's `normalize`). */
const LIMITS = {
  normalized: true,
  token_ids: "decode",
  // With `truncate: false` it refuses a text that is too long by its own count.
  uncounted: "send",
  wire_encoding: "float",
} as const;

const withoutPath = (base_url: string) => withoutSlash(base_url).replace(/\/(?:api|v1)$/, "");

function bodyOf(host: Host, call: EmbedCall, num_ctx: number | undefined): Readonly<Record<string, unknown>> {
  const options = { ...(num_ctx === undefined ? {} : { num_ctx }), ...Object(call.fields.options) };
  return {
    model: call.model,
    // Always a list: a single "" is answered with no vectors at all, ["a", ""] with two.
    input: call.inputs.map((input) => {
      if (typeof input === "string") return input;
      throw host.failure("invalid", "Ollama takes texts, not token ids.");
    }),
    ...(call.dimensions === undefined ? {} : { dimensions: call.dimensions }),
    ...(Object.keys(options).length === 0 ? {} : { options }),
  };
}

/** Ollama answers 200 without vectors to input that it considers empty. */
function refuseNone(host: Host, { inputs }: EmbedCall, vectors: number): void {
  const input = inputs.indexOf("");
  if (vectors > 0 || input === -1) return;
  throw host.failure("invalid", "Ollama makes no vector of an empty text.", { input });
}

/**
 * Some versions and models truncate despite `truncate: false` (ollama/ollama#14259: 2048 tokens of a window of 8192). The token count shows it, since
 * it counts what was left. Which text was truncated is known only from a call with fewer texts.
 */
function cutAllTheSame(
  host: Host,
  call: EmbedCall,
  tokens: number | undefined,
): Pick<EmbedReply, "truncated"> {
  // An impossible count proves nothing.
  if (tokens === undefined || !(tokens >= call.inputs.length)) return {};
  if (tokens >= call.inputs.reduce((sum, input) => sum + tokensAtLeast(input), 0)) return {};
  if (call.longInput !== "truncate") {
    throw host.failure(
      "input_too_long",
      `Ollama counted ${tokens} tokens, fewer than the text has words: it truncated the text silently. A larger num_ctx may help`,
    );
  }
  if (call.inputs.length > 1) throw host.failure("too_many_tokens", "Ollama truncated one of several texts.");
  return { truncated: [0] };
}

/** In all common vocabularies a text has at least as many tokens as words, and as a quarter of its Chinese or Japanese characters. */
function tokensAtLeast(input: EmbedCall["inputs"][number]): number {
  if (typeof input !== "string") return 0;
  const words = input.split(/\s+/).filter((word) => /[\p{L}\p{N}]/u.test(word)).length;
  const characters = input.match(/[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}]/gu)?.length ?? 0;
  return Math.max(words, Math.floor(characters / 4));
}

function explained(host: Host, refusal: Posted): Explanation | undefined {
  const { t } = host;
  try {
    const { error } = host.read(t.Object({ error: t.String() }), refusal.bytes);
    return { message: error, ...meaningOf(error) };
  } catch {
    // Another envelope, or the HTML page of a proxy: the status decides, and the start of the body is quoted.
    return undefined;
  }
}

function meaningOf(error: string): Omit<Explanation, "message"> {
  const tooLong = tooLongIn(error);
  if (tooLong) return tooLong;
  // "server busy, please try again. maximum pending requests exceeded", with 503 (server/sched.go: ErrMaxQueue)
  if (/^server busy/.test(error)) return { kind: "overloaded" };
  // "this model does not support embeddings", with 500 or 501: a retry would not change that.
  if (/does not support embeddings/.test(error)) return { kind: "invalid" };
  return {};
}

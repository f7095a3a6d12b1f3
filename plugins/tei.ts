/**
 * Hugging Face's Text Embeddings Inference, by its own route: POST /embed. Its OpenAI route takes neither `prompt_name` nor `truncate`, whose default
 * truncates silently; on /embed the token count is in a header. The vectors come in the order of the inputs.
 * Source: huggingface/text-embeddings-inference, router/src/http (server.rs, types.rs), core/src/tokenization.rs.
 */
import type { EmbedCall, Explanation, Host, Plugin, Posted } from "../src/plugin";
import { withoutSlash } from "./base-url";
import { cutWhereRefused } from "./cut";
import { headersOf } from "./headers";
import { LOADING_MS } from "./loading";
import { addressOption, headersOption, queryOption, withQuery } from "./options";
import { tooLongIn } from "./refusals";

const plugin: Plugin = (host) => {
  const { t } = host;
  const Reply = t.Array(host.wireVector);
  return host.provider({
    id: "tei",
    options: t.Object(
      {
        base_url: addressOption(
          host,
          "http://localhost:8080",
          "URL of the server, with or without /embed or /v1.",
        ),
        query: queryOption(host),
        api_key: t.Optional(t.String({ minLength: 1, description: "The server's --api-key." })),
        prompts: t.Optional(
          t.Record(t.String(), t.String({ minLength: 1 }), {
            description: "The model's prompt names, where they differ: { document: passage }.",
          }),
        ),
        headers: headersOption(host),
      },
      { additionalProperties: false },
    ),
    // sentence-transformers' names for prompts; a model's names are in its config_sentence_transformers.json.
    tasks: {
      words: {
        query: "query",
        document: "document",
        similarity: "similarity",
        classification: "classification",
        clustering: "clustering",
      },
      others: true,
    },
    // --max-concurrent-requests is 512; above it every request is refused with 429.
    concurrency: 64,
    timeoutMs: LOADING_MS,
    open({ base_url, query, api_key, prompts, headers: further }) {
      const url = withQuery(base_url, query, (base) => `${withoutPath(base)}/embed`);
      const headers = headersOf(further, { authorization: api_key && `Bearer ${api_key}` });
      return {
        describe: () => LIMITS,
        embed(call) {
          const explain = (refusal: Posted) => explained(host, refusal);
          return cutWhereRefused(host, call, explain, async (mayCut, explain) => {
            const body = { ...bodyOf(call, prompts), truncate: mayCut };
            const posted = await host.post({ url, headers, body, signal: call.signal, explain });
            const vectors = await host.readReply(Reply, posted.bytes);
            return {
              vectors: vectors.map((values, index) => ({ index, values: host.vector(values) })),
              ...tokensOf(posted),
            };
          });
        },
      };
    },
  });
};

export default plugin;

/** The server's defaults; other settings go into the routing file. */
const LIMITS = {
  // --max-client-batch-size
  max_inputs: 32,
  // --payload-limit is 2,000,000 bytes; half of it is left for JSON's escapes.
  max_call_bytes: 1_000_000,
  // `normalize` is true unless a request says otherwise.
  normalized: true,
  token_ids: "decode",
  // It refuses a text that is too long by its own count.
  uncounted: "send",
  wire_encoding: "float",
} as const;

const withoutPath = (base_url: string) =>
  withoutSlash(base_url).replace(/\/(?:embed|v1(?:\/embeddings)?)$/, "");

/** No model field: the server serves the one model that it was started with. */
function bodyOf(
  call: EmbedCall,
  prompts: Readonly<Record<string, string>> = {},
): Readonly<Record<string, unknown>> {
  const { task, dimensions, extraBody, inputs } = call;
  const prompt = task !== undefined && Object.hasOwn(prompts, task) ? prompts[task] : task;
  return {
    ...extraBody,
    inputs: inputs.map((input) => (typeof input === "string" ? input : Array.from(input))),
    ...(prompt === undefined ? {} : { prompt_name: prompt }),
    ...(dimensions === undefined ? {} : { dimensions }),
  };
}

/** The sum for all inputs of the call: `x-compute-tokens` (router/src/lib.rs, ResponseMetadata). */
function tokensOf({ headers }: Posted) {
  const tokens = headers.get("x-compute-tokens") ?? "";
  return { tokens: /^[1-9]\d*$/.test(tokens) ? Number(tokens) : undefined, tokensSource: "header" as const };
}

function explained(host: Host, refusal: Posted): Explanation | undefined {
  const { t } = host;
  try {
    const Refusal = t.Object({ error: t.String(), error_type: t.Optional(t.String()) });
    const { error, error_type } = host.read(Refusal, refusal.bytes);
    return { message: error, ...meaningOf(error, error_type) };
  } catch {
    // axum's own errors are text, such as "Failed to buffer the request body: length limit exceeded" with 413; their status decides.
    return undefined;
  }
}

/** An invalid request is 422 in some versions and 413 in others; the messages are the same. */
function meaningOf(error: string, type: string | undefined): Omit<Explanation, "message"> {
  const tooLong = tooLongIn(error);
  if (tooLong) return tooLong;
  // "batch size 33 > maximum allowed batch size 32"
  if (/batch size \d+ > maximum allowed batch size/.test(error)) return { kind: "too_many_tokens" };
  if (/prompt.?name/i.test(error)) return { kind: "invalid", field: "prompt_name" };
  // 424: the model's own process failed, or the model does not support embeddings.
  if (/^backend$/i.test(type ?? "")) return { kind: "unavailable" };
  return {};
}

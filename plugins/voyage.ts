/**
 * Voyage AI: a reply in OpenAI's shape to its own form of request; it truncates long texts unless told not to.
 * Sources: docs.voyageai.com/reference/embeddings-api, docs.voyageai.com/docs/error-codes; refusals as seen in practice.
 */
import type { EmbedCall, Explanation, Host, Plugin, Posted } from "../src/plugin";
import { bearerOptions } from "./bearer";
import { cutOf, truncateField } from "./cutting";
import { readEnvelope } from "./envelope";
import { openaiBatches } from "./openai-batches";
import { openaiShaped } from "./openai-shaped";
import { ownAddressOption } from "./options";
import { refuseOwn, textsOf } from "./request-body";

/** Keys from MongoDB's console start with this, and only MongoDB's host accepts them: docs.litellm.ai/docs/providers/voyage. */
const MONGODB_KEY = /^al-/;
const MONGODB = "https://ai.mongodb.com/v1";
const VOYAGE = "https://api.voyageai.com/v1";

const plugin: Plugin = (host) => {
  const { t } = host;
  return host.provider({
    id: "voyage",
    options: t.Object(
      {
        ...bearerOptions(host, VOYAGE),
        base_url: t.Optional(
          ownAddressOption(
            host,
            `Base URL, with or without its version. Default: ${VOYAGE}, or ${MONGODB} for a key that starts with al-.`,
          ),
        ),
      },
      { additionalProperties: false },
    ),
    tasks: {
      words: {
        query: "query",
        document: "document",
        // Voyage has one kind of retrieval: every search is a query, and everything searched is a document.
        question_answering: "query",
        fact_verification: "query",
        code_query: "query",
        code_document: "document",
      },
    },
    fields: { truncate: truncateField(host, ["end"]) },
    concurrency: 32,
    open({ api_key, base_url = MONGODB_KEY.test(api_key) ? MONGODB : VOYAGE, headers, query }) {
      return openaiShaped(
        host,
        { api_key, base_url, headers, ...(query && { query }) },
        {
          // "The maximum length of the list is 1,000"; an unknown model is assumed to have the smallest of their token limits.
          facts: { max_inputs: 1000, max_call_tokens: 120_000 },
          bodyOf: (call) => bodyOf(host, call),
          explain: (refusal) => explained(host, refusal),
          batches: (at) =>
            openaiBatches(host, {
              ...at,
              explain: (refusal) => explained(host, refusal),
              // docs.voyageai.com/docs/batch-inference: a file of inputs only; the other fields are sent once for all of them.
              maxCalls: 100_000,
              maxBytes: 200_000_000,
              check: (call) => void bodyOf(host, call),
              line: ({ id, call }) => ({ custom_id: id, body: { input: bodyOf(host, call).input } }),
              batch([first]) {
                const { input: _, ...params } = first ? bodyOf(host, first.call) : {};
                return { completion_window: "12h", request_params: params };
              },
            }),
        },
      );
    },
  });
};

export default plugin;

function bodyOf(host: Host, call: EmbedCall): Record<string, unknown> {
  const { model, task, extraBody, dimensions, wireEncoding } = call;
  refuseOwn(host, call, { output_dimension: "dimensions", input_type: "input_type" });
  return {
    ...extraBody,
    model,
    input: textsOf(host, call),
    // Voyage's default true would silently truncate a text that is too long.
    truncation: cutOf(call) !== "none",
    output_dtype: "float",
    ...(task === undefined ? {} : { input_type: task }),
    ...(dimensions === undefined ? {} : { output_dimension: dimensions }),
    // null or base64: "float" is refused.
    ...(wireEncoding === "base64" ? { encoding_format: "base64" } : {}),
  };
}

function explained(host: Host, posted: Posted): Explanation | undefined {
  const { t } = host;
  const refusal = readEnvelope(host, t.Object({ detail: t.String() }), posted);
  return refusal && { message: refusal.detail, ...meaningOf(refusal.detail) };
}

function meaningOf(message: string): Pick<Explanation, "kind" | "input"> {
  // "… The example at index 0 in your batch has too many tokens and does not fit into the model's context window of 32000 tokens."
  // (latitude-dev/latitude-llm#3554)
  const place = /example at index (\d+) in your batch has too many tokens/.exec(message)?.[1];
  if (place !== undefined) return { kind: "input_too_long", input: Number(place) };
  // "The max allowed tokens per submitted batch is 120000. Your batch has 124302 tokens after truncation." (ramakay/claude-self-reflect#38)
  if (/max allowed tokens per submitted batch|batch size/i.test(message)) return { kind: "too_many_tokens" };
  // A 400: "Model voyage-3 is not supported. Supported models are ['…']."
  return /^Model \S+ is not supported/.test(message) ? { kind: "not_found" } : {};
}

/**
 * Cohere: POST {base_url}/embed of its v2 API, which requires a task (`input_type`) and truncates long texts unless told not to.
 * Sources: cohere-ai/cohere-developer-experience (cohere-openapi.yaml), cohere-ai 8.1.0, docs.cohere.com/reference/errors.
 */
import type { EmbedCall, Explanation, Host, Plugin, Posted } from "../src/plugin";
import { withVersion } from "./base-url";
import { bearerHeaders, bearerOptions } from "./bearer";
import { COHERE_WORDS } from "./cohere-words";
import { cutOf, truncateField } from "./cutting";
import { readEnvelope } from "./envelope";
import { withQuery } from "./options";
import { refuseOwn, textsOf } from "./request-body";
import { tooLongAmong } from "./too-long";
import { countAt } from "./usage";

const plugin: Plugin = (host) => {
  const { t } = host;
  const Reply = t.Object({
    embeddings: t.Object({ float: t.Array(host.wireVector) }),
    meta: t.Optional(t.Unknown()),
  });
  return host.provider({
    id: "cohere",
    options: t.Object(
      {
        ...bearerOptions(host, "https://api.cohere.com/v2"),
        input_type: t.Union(
          [
            t.Literal(COHERE_WORDS.document),
            t.Literal(COHERE_WORDS.query),
            t.Literal(COHERE_WORDS.classification),
            t.Literal(COHERE_WORDS.clustering),
          ],
          { default: COHERE_WORDS.document, description: "The task of requests that name none." },
        ),
      },
      { additionalProperties: false },
    ),
    tasks: {
      words: {
        ...COHERE_WORDS,
        // Cohere has one kind of retrieval: every search is a query, and everything searched is a document.
        question_answering: COHERE_WORDS.query,
        fact_verification: COHERE_WORDS.query,
        code_query: COHERE_WORDS.query,
        code_document: COHERE_WORDS.document,
      },
    },
    fields: {
      truncate: truncateField(host, ["end", "start"]),
      max_tokens: t.Integer({ minimum: 1, description: "Maximum tokens of each text that are embedded." }),
      priority: t.Integer({
        minimum: 0,
        maximum: 999,
        description: "Priority; 0, the default, is served first.",
      }),
    },
    concurrency: 32,
    open({ api_key, base_url, query, input_type, headers: further }) {
      const url = withQuery(base_url, query, (base) => `${withVersion(base, "v2")}/embed`);
      const headers = bearerHeaders(api_key, further);
      return {
        describe: () => ({ max_inputs: 96 }),
        async embed(call) {
          const explain = (refusal: Posted) => explained(host, refusal, call.inputs.length);
          const body = bodyOf(host, call, input_type);
          const posted = await host.post({ url, headers, body, signal: call.signal, explain });
          const { embeddings, meta } = await host.readReply(Reply, posted.bytes);
          return {
            // "An array of embeddings, … the length of the embeddings array will be the same as the length of the original texts array."
            vectors: embeddings.float.map((values, index) => ({ index, values: host.vector(values) })),
            tokens: countAt(meta, "billed_units", "input_tokens") ?? countAt(meta, "tokens", "input_tokens"),
            tokensSource: "provider",
          };
        },
      };
    },
  });
};

export default plugin;

function bodyOf(host: Host, call: EmbedCall, input_type: string): Record<string, unknown> {
  const { model, task, fields, extraBody, dimensions } = call;
  refuseOwn(host, call, { output_dimension: "dimensions", images: "input" });
  return {
    ...extraBody,
    ...fields,
    model,
    texts: textsOf(host, call),
    input_type: task ?? input_type,
    embedding_types: ["float"],
    // The API's default END would silently truncate a text that is too long.
    truncate: cutOf(call).toUpperCase(),
    ...(dimensions === undefined ? {} : { output_dimension: dimensions }),
  };
}

/** Statuses with a meaning of their own at Cohere: cohere-openapi.yaml, the responses of /v2/embed. */
const KINDS: Readonly<Record<number, Explanation["kind"]>> = {
  // "a request or response contains a deny-listed token"
  498: "invalid",
  // "a request is cancelled by the user": never by the gateway, which would not read the answer then.
  499: "unavailable",
  // The request asks for something that Cohere does not have; a retry would not change that.
  501: "invalid",
};

function explained(host: Host, posted: Posted, inputs: number): Explanation {
  const { t } = host;
  const refusal = readEnvelope(host, t.Object({ message: t.String() }), posted);
  if (!refusal) return kindOf(posted.status);
  const { message } = refusal;
  if (/^too many tokens/i.test(message)) return { message, ...tooLongAmong(inputs) };
  // "invalid request: total number of texts must be at most 96 - received 131" (misbahsy/RAGTune#2)
  if (/number of \w+ must be at most \d+/.test(message)) return { message, kind: "too_many_tokens" };
  return { message, ...kindOf(posted.status) };
}

function kindOf(status: number): Explanation {
  const kind = KINDS[status];
  return kind === undefined ? {} : { kind };
}

/**
 * Google's Gemini API: `:embedContent` for one text, `:batchEmbedContents` for several with an entry each, because several parts in one
 * content make one combined vector. Sources: ai.google.dev/api/embeddings, @google/genai 3.1.0; errors only seen in practice name theirs in place.
 */
import type { EmbedCall, EmbedReply, Explanation, Host, Plugin, Posted, WireVector } from "../src/plugin";
import { withVersion } from "./base-url";
import { geminiBatches } from "./gemini-batches";
import {
  isPrompted,
  prompted,
  type Refusal,
  refusalOf,
  retryAfter,
  TASKS,
  titleField,
  titleOf,
} from "./google";
import { headersOf } from "./headers";
import { addressOption, headersOption, queryOption, withQuery } from "./options";
import { refuseOwn } from "./request-body";
import { countAt } from "./usage";

const plugin: Plugin = (host) => {
  const { t } = host;
  const Embedding = t.Object({ values: host.wireVector });
  // gemini-embedding-001 reports no token count; its successor does, as `promptTokenCount` (maximhq/bifrost#7295).
  const usageMetadata = t.Optional(t.Unknown());
  const One = t.Object({ embedding: Embedding, usageMetadata });
  const Several = t.Object({ embeddings: t.Array(Embedding), usageMetadata });

  return host.provider({
    id: "gemini",
    telemetryName: "gcp.gemini",
    options: t.Object(
      {
        api_key: t.String({ minLength: 1, description: "Sent in the header x-goog-api-key." }),
        base_url: addressOption(
          host,
          "https://generativelanguage.googleapis.com/v1beta",
          "Base URL, with or without its version: /v1beta is added then.",
        ),
        query: queryOption(host),
        headers: headersOption(host),
      },
      { additionalProperties: false },
    ),
    tasks: TASKS,
    fields: { title: titleField(host) },
    concurrency: 32,
    open({ api_key, base_url, query, headers: further }) {
      const headers = headersOf(further, { "x-goog-api-key": api_key });
      return {
        describe: () => LIMITS,
        batches: geminiBatches(host, {
          urlOf: (path) => withQuery(base_url, query, (base) => `${withVersion(base, "v1beta")}${path}`),
          headers,
          explain: (refusal) => explained(host, refusal),
          bareName,
          entryOf: (call) => entriesOf(host, call)[0] ?? {},
        }),
        async embed(call) {
          const entries = entriesOf(host, call);
          const [only] = entries;
          const name = encodeURIComponent(bareName(call.model));
          const urlOf = (method: string) =>
            withQuery(base_url, query, (base) => `${withVersion(base, "v1beta")}/models/${name}:${method}`);
          const ask = async (method: string, body: unknown) => {
            const explain = (refusal: Posted) => explained(host, refusal);
            return host.post({ url: urlOf(method), headers, body, signal: call.signal, explain });
          };
          if (entries.length === 1) {
            const reply = await host.readReply(One, (await ask("embedContent", only)).bytes);
            return replyOf(host, [reply.embedding], reply.usageMetadata);
          }
          const { bytes } = await ask("batchEmbedContents", { requests: entries });
          const reply = await host.readReply(Several, bytes);
          return replyOf(host, reply.embeddings, reply.usageMetadata);
        },
      };
    },
  });
};

export default plugin;

/** Facts of every model there, including unknown ones. */
const LIMITS = {
  // "at most 100 requests can be in one batch" (geldata/gel#9032)
  max_inputs: 100,
  // The payload may have 4,194,304 bytes (quarkiverse/quarkus-langchain4j#1705): JSON's escapes and an entry's other fields take room too.
  max_call_bytes: 2_000_000,
} as const;

/** Clients of routers write `google/…`, Google's own clients `models/…`. */
const bareName = (model: string) => model.replace(/^(?:google|models)\//, "");

/** Fields that the caller may not set in `extra_body`. */
const OWN_FIELDS: Readonly<Record<string, string>> = {
  taskType: "task_type",
  title: "title",
  outputDimensionality: "dimensions",
  embedContentConfig: "dimensions",
};

/** One entry per input. A single entry is the body of `:embedContent`. */
function entriesOf(host: Host, call: EmbedCall): Readonly<Record<string, unknown>>[] {
  const { task, extraBody, dimensions } = call;
  const title = titleOf(host, call);
  refuseOwn(host, call, OWN_FIELDS);
  const model = bareName(call.model);
  const tellsInText = isPrompted(model);
  return call.inputs.map((input) => {
    if (typeof input !== "string") throw host.failure("invalid", "Gemini takes texts, not token ids.");
    return {
      ...extraBody,
      model: `models/${model}`,
      content: { parts: [{ text: tellsInText ? prompted(input, task, title) : input }] },
      ...(tellsInText || task === undefined ? {} : { taskType: task }),
      ...(tellsInText || title === undefined ? {} : { title }),
      ...(dimensions === undefined ? {} : { outputDimensionality: dimensions }),
    };
  });
}

/** "The embeddings for each request, in the same order as provided in the batch request": the reply has no index. */
function replyOf(
  host: Host,
  embeddings: readonly { readonly values: WireVector }[],
  usage: unknown,
): EmbedReply {
  return {
    vectors: embeddings.map(({ values }, index) => ({ index, values: host.vector(values) })),
    tokens: countAt(usage, "promptTokenCount"),
    tokensSource: "provider",
  };
}

function explained(host: Host, posted: Posted): Explanation | undefined {
  const refusal = refusalOf(host, posted);
  if (!refusal) return undefined;
  const { message } = refusal;
  const place = /requests\[(\d+)\]/.exec(message)?.[1];
  return {
    message,
    kind: kindOf(refusal),
    ...(place === undefined ? {} : { input: Number(place) }),
    ...retryAfter(refusal),
  };
}

function kindOf({ message, status, details }: Refusal): Explanation["kind"] {
  // A 400 with INVALID_ARGUMENT, but the key is at fault (cequence-io/openai-scala-client#109).
  if (details.some(({ reason }) => typeof reason === "string" && reason.startsWith("API_KEY_")))
    return "unauthorized";
  // "User location is not supported for the API use.": the fault of the gateway's account or location, not of the request (poenl/gemini-api#4).
  if (status === "FAILED_PRECONDITION") return "unauthorized";
  if (/input token count|number of tokens allowed/i.test(message)) return "input_too_long";
  if (/payload size exceeds|requests can be in one batch/i.test(message)) return "too_many_tokens";
  return undefined;
}

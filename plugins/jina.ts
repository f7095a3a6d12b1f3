/**
 * Jina AI: OpenAI's shape with its own tasks, late chunking and error codes; some models have other names for tasks.
 * Source: api.jina.ai/openapi.json, as tryAGI/Jina keeps it (src/libs/Jina/openapi.json); refusals as seen in practice.
 */
import type { EmbedCall, Explanation, Host, Plugin, Posted } from "../src/plugin";
import { bearerOptions } from "./bearer";
import { cutOf, truncateField } from "./cutting";
import { readEnvelope } from "./envelope";
import { openaiShaped } from "./openai-shaped";
import { refuseOwn, textsOf } from "./request-body";
import { tooLongAmong } from "./too-long";

const plugin: Plugin = (host) => {
  const { t } = host;
  return host.provider({
    id: "jina",
    options: t.Object(bearerOptions(host, "https://api.jina.ai/v1"), { additionalProperties: false }),
    tasks: {
      words: {
        query: "retrieval.query",
        document: "retrieval.passage",
        similarity: "text-matching",
        classification: "classification",
        clustering: "separation",
        code_query: "code.query",
        code_document: "code.passage",
      },
      // The models for code have further tasks: code2code.query, qa.passage …
      others: true,
    },
    fields: {
      truncate: truncateField(host, ["end"]),
      late_chunking: t.Boolean({
        description:
          "Late chunking: embeds the inputs as one text, so that each vector has the context of the others.",
      }),
      normalized: t.Boolean({ description: "Whether vectors are scaled to unit length; default true." }),
    },
    // "concatenates all inputs and processes as one sequence before splitting"
    isIndivisible: ({ fields, extraBody }) => (fields.late_chunking ?? extraBody.late_chunking) === true,
    concurrency: 32,
    open: (options) =>
      openaiShaped(host, options, {
        // "Each input list can contain at most 512 items" (langgenius/dify-official-plugins#1997).
        facts: { max_inputs: 512 },
        bodyOf: (call) => bodyOf(host, call),
        explain: (refusal, { inputs }) => explained(host, refusal, inputs.length),
      }),
  });
};

export default plugin;

function bodyOf(host: Host, call: EmbedCall): Record<string, unknown> {
  const { task, fields, extraBody, dimensions, wireEncoding } = call;
  refuseOwn(host, call, { task: "task" });
  const model = call.model.replace(/^jina-ai\//, "");
  return {
    ...extraBody,
    ...fields,
    model,
    input: textsOf(host, call),
    embedding_type: wireEncoding,
    truncate: cutOf(call) !== "none",
    ...(task === undefined ? {} : { task: wordAt(model, task) }),
    ...(dimensions === undefined ? {} : { dimensions }),
  };
}

/** Other names that some models have for a task. */
const OWN_WORDS: readonly (readonly [RegExp, Readonly<Record<string, string>>])[] = [
  [/-v5-/, { separation: "clustering" }],
  [
    /^jina-code-/,
    {
      "retrieval.query": "nl2code.query",
      "retrieval.passage": "nl2code.passage",
      "code.query": "nl2code.query",
      "code.passage": "nl2code.passage",
    },
  ],
];

function wordAt(model: string, task: string): string {
  const own = OWN_WORDS.find(([names]) => names.test(model))?.[1];
  return own?.[task] ?? task;
}

/** `{detail, code, request_id}` is documented, `{detail: {message, code, request_id}}` has been seen too. */
function explained(host: Host, posted: Posted, inputs: number): Explanation | undefined {
  const { t } = host;
  const code = t.Optional(t.Union([t.String(), t.Null()]));
  const Refusal = t.Object({ detail: t.Union([t.String(), t.Object({ message: t.String(), code })]), code });
  const refusal = readEnvelope(host, Refusal, posted);
  if (!refusal) return undefined;
  const { detail } = refusal;
  if (typeof detail === "string") return { message: detail, ...meaningOf(detail, refusal.code, inputs) };
  return { message: detail.message, ...meaningOf(detail.message, detail.code, inputs) };
}

function meaningOf(
  message: string,
  code: string | null | undefined,
  inputs: number,
): Pick<Explanation, "kind" | "input"> {
  if (code === "INPUT_MODEL_NOT_FOUND") return { kind: "not_found" };
  // This was also seen for all inputs together.
  if (code === "INPUT_TOKEN_LIMIT_EXCEEDED" || /exceeds the model's maximum of \d+ tokens/.test(message))
    return tooLongAmong(inputs);
  return /at most \d+ items|largest allowed size/.test(message) ? { kind: "too_many_tokens" } : {};
}

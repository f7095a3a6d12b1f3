/**
 * What Google's two APIs share for the same models: words for tasks, titles, the prompts of models that ignore the task field, errors.
 * What only one API has is in gemini.ts or vertex.ts.
 */
import type { EmbedCall, Explanation, Host, Posted, TaskWords } from "../src/plugin";
import { readEnvelope } from "./envelope";

const DOCUMENT = "RETRIEVAL_DOCUMENT";

export const TASKS: TaskWords = {
  words: {
    query: "RETRIEVAL_QUERY",
    document: DOCUMENT,
    similarity: "SEMANTIC_SIMILARITY",
    classification: "CLASSIFICATION",
    clustering: "CLUSTERING",
    question_answering: "QUESTION_ANSWERING",
    fact_verification: "FACT_VERIFICATION",
    code_query: "CODE_RETRIEVAL_QUERY",
    // "Use RETRIEVAL_DOCUMENT for code blocks to be retrieved": ai.google.dev/gemini-api/docs/embeddings
    code_document: DOCUMENT,
  },
};

export const titleField = ({ t }: Pick<Host, "t">) =>
  t.String({
    minLength: 1,
    maxLength: 2000,
    expected: "a string of at most 2000 characters",
    description: "The documents' title, for the task document only.",
  });

export function titleOf(host: Host, { task, fields }: Pick<EmbedCall, "task" | "fields">) {
  const title = typeof fields.title === "string" ? fields.title : undefined;
  if (title === undefined || task === DOCUMENT) return title;
  const message = "'title' is for the task document only: send task_type RETRIEVAL_DOCUMENT with it.";
  throw host.failure("invalid", message, { field: "title" });
}

/**
 * gemini-embedding-2 silently ignores `taskType` (embeddings-benchmark/mteb#4851), so its task goes into the text, in these words
 * of ai.google.dev/gemini-api/docs/embeddings.
 */
const PROMPTS: Readonly<Record<string, string>> = {
  RETRIEVAL_QUERY: "search result",
  SEMANTIC_SIMILARITY: "sentence similarity",
  CLASSIFICATION: "classification",
  CLUSTERING: "clustering",
  QUESTION_ANSWERING: "question answering",
  FACT_VERIFICATION: "fact checking",
  CODE_RETRIEVAL_QUERY: "code retrieval",
};

export const isPrompted = (model: string) => model.startsWith("gemini-embedding-2");

export function prompted(text: string, task: string | undefined, title: string | undefined): string {
  if (task === DOCUMENT) return `title: ${title ?? "none"} | text: ${text}`;
  const prompt = PROMPTS[task ?? ""];
  return prompt === undefined ? text : `task: ${prompt} | query: ${text}`;
}

type Details = readonly Readonly<Record<string, unknown>>[];

export interface Refusal {
  readonly message: string;
  readonly status: string | undefined;
  readonly details: Details;
}

/** google.rpc.Status in its envelope; undefined for another envelope. */
export function refusalOf(host: Host, posted: Posted): Refusal | undefined {
  const { t } = host;
  const Envelope = t.Object({
    error: t.Object({
      message: t.String(),
      status: t.Optional(t.String()),
      details: t.Optional(t.Array(t.Record(t.String(), t.Unknown()))),
    }),
  });
  const refusal = readEnvelope(host, Envelope, posted);
  if (!refusal) return undefined;
  const { message, status, details = [] } = refusal.error;
  return { message: message.trim(), status, details };
}

/** google.rpc.RetryInfo, for example "17s". */
export function retryAfter({ details }: Refusal): Pick<Explanation, "retryAfterMs"> {
  for (const { retryDelay } of details) {
    const seconds = typeof retryDelay === "string" ? /^(\d+(?:\.\d+)?)s$/.exec(retryDelay)?.[1] : undefined;
    if (seconds !== undefined) return { retryAfterMs: Number(seconds) * 1000 };
  }
  return {};
}

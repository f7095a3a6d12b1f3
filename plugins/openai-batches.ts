/**
 * OpenAI's batch service, and those of the same shape: POST {base}/files, POST {base}/batches, and the requests for their state and results.
 * Source: openai/openai-openapi (CreateBatch, Batch, BatchRequestOutput); what a vendor does differently is in `Words`.
 */
import type { BatchCall, BatchService, Explanation, Host, Posted } from "../src/plugin";
import { resultsIn, uploadLines } from "./batch-lines";

export interface Words {
  /** The URL of a path, which begins with a slash. */
  readonly urlOf: (path: string) => string;
  readonly headers: Readonly<Record<string, string>>;
  readonly explain: (refusal: Posted) => Explanation | undefined;
  readonly maxCalls: number;
  readonly maxBytes: number;
  readonly line: (call: BatchCall) => object;
  /** The body that creates a batch, without its input file and its tag. */
  readonly batch: (calls: readonly BatchCall[]) => object;
  /** Throws a failure where a call is invalid. */
  readonly check: BatchService["check"];
}

const TAG = "embedgate";
const PAGE = 100;
/** Only the latest batches are searched, since the batch was submitted recently. */
const PAGES_MAX = 20;

export function openaiBatches(host: Host, words: Words): BatchService {
  const { t } = host;
  const { urlOf, headers, explain } = words;
  const Batch = t.Object({
    id: t.String(),
    status: t.String(),
    output_file_id: t.Optional(t.Union([t.String(), t.Null()])),
    error_file_id: t.Optional(t.Union([t.String(), t.Null()])),
    errors: t.Optional(t.Unknown()),
    metadata: t.Optional(t.Union([t.Record(t.String(), t.Unknown()), t.Null()])),
  });
  const List = t.Object({ data: t.Array(Batch), has_more: t.Optional(t.Boolean()) });

  const get = async (path: string, signal: AbortSignal) =>
    (await host.send({ url: urlOf(path), method: "GET", headers, signal, explain })).bytes;
  const post = async (path: string, body: object, signal: AbortSignal) =>
    (await host.post({ url: urlOf(path), headers, body, signal, explain })).bytes;
  const at = (id: string) => `/batches/${encodeURIComponent(id)}`;

  return {
    maxCalls: words.maxCalls,
    maxBytes: words.maxBytes,
    check: words.check,
    async submit({ tag, calls, signal }) {
      const lines = calls.map(words.line);
      const file = await uploadLines(host, { url: urlOf("/files"), headers, signal, explain }, tag, lines);
      const body = {
        input_file_id: file,
        endpoint: "/v1/embeddings",
        metadata: { [TAG]: tag },
        ...words.batch(calls),
      };
      return host.read(Batch, await post("/batches", body, signal)).id;
    },
    async find(tag, signal) {
      let after = "";
      for (let page = 0; page < PAGES_MAX; page++) {
        const { data, has_more } = host.read(List, await get(`/batches?limit=${PAGE}${after}`, signal));
        const found = data.find(({ metadata }) => metadata?.[TAG] === tag);
        if (found) return found.id;
        const last = data.at(-1);
        if (has_more !== true || !last) return undefined;
        after = `&after=${encodeURIComponent(last.id)}`;
      }
      return undefined;
    },
    async look(id, signal) {
      const { status, errors } = host.read(Batch, await get(at(id), signal));
      if (status === "completed") return { state: "ended" };
      const why = errors ? `${status}: ${JSON.stringify(errors).slice(0, 300)}` : status;
      return ["failed", "expired", "cancelled"].includes(status)
        ? { state: "ended", why }
        : { state: "running" };
    },
    async results(id, signal) {
      const { output_file_id, error_file_id } = host.read(Batch, await get(at(id), signal));
      return resultsIn(host, [output_file_id, error_file_id], (path) => get(path, signal), explain);
    },
    async cancel(id, signal) {
      await post(`${at(id)}/cancel`, {}, signal);
    },
  };
}

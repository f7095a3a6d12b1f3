/**
 * Mistral's batch service: a file of lines, and a job that runs it for one model at half the price.
 * Source: @mistralai/mistralai 2.7.0 (CreateBatchJobRequest, BatchJob, BatchJobStatus).
 */
import type { BatchService, EmbedCall, Explanation, Host, Posted } from "../src/plugin";
import { resultsIn, uploadLines } from "./batch-lines";

export interface Words {
  readonly urlOf: (path: string) => string;
  readonly headers: Readonly<Record<string, string>>;
  readonly explain: (refusal: Posted) => Explanation | undefined;
  readonly bodyOf: (call: EmbedCall) => Record<string, unknown>;
}

const TAG = "embedgate";
const PAGE = 100;
const PAGES_MAX = 20;
const ENDED = ["SUCCESS", "FAILED", "TIMEOUT_EXCEEDED", "CANCELLED"];

export function mistralBatches(host: Host, { urlOf, headers, explain, bodyOf }: Words): BatchService {
  const { t } = host;
  const file = t.Optional(t.Union([t.String(), t.Null()]));
  const Job = t.Object({
    id: t.String(),
    status: t.String(),
    output_file: file,
    error_file: file,
    errors: t.Optional(t.Unknown()),
    metadata: t.Optional(t.Union([t.Record(t.String(), t.Unknown()), t.Null()])),
  });
  const List = t.Object({ data: t.Optional(t.Array(Job)) });
  const get = async (path: string, signal: AbortSignal) =>
    (await host.send({ url: urlOf(path), method: "GET", headers, signal, explain })).bytes;
  const post = async (path: string, body: object, signal: AbortSignal) =>
    (await host.post({ url: urlOf(path), headers, body, signal, explain })).bytes;
  const at = (id: string) => `/batch/jobs/${encodeURIComponent(id)}`;

  return {
    // "up to 1 M pending requests" a workspace.
    maxCalls: 100_000,
    maxBytes: 200_000_000,
    check: (call) => void bodyOf(call),
    async submit({ tag, model, calls, signal }) {
      const lines = calls.map(({ id, call }) => {
        // The job names the model, for all lines.
        const { model: _, ...body } = bodyOf(call);
        return { custom_id: id, body };
      });
      const input = await uploadLines(host, { url: urlOf("/files"), headers, signal, explain }, tag, lines);
      const body = {
        input_files: [input],
        endpoint: "/v1/embeddings",
        model,
        metadata: { [TAG]: tag },
        timeout_hours: 24,
      };
      return host.read(Job, await post("/batch/jobs", body, signal)).id;
    },
    async find(tag, signal) {
      for (let page = 0; page < PAGES_MAX; page++) {
        const { data = [] } = host.read(
          List,
          await get(`/batch/jobs?page=${page}&page_size=${PAGE}`, signal),
        );
        const found = data.find(({ metadata }) => metadata?.[TAG] === tag);
        if (found) return found.id;
        if (data.length < PAGE) return undefined;
      }
      return undefined;
    },
    async look(id, signal) {
      const { status, errors } = host.read(Job, await get(at(id), signal));
      if (status === "SUCCESS") return { state: "ended" };
      const why = errors ? `${status}: ${JSON.stringify(errors).slice(0, 300)}` : status;
      return ENDED.includes(status) ? { state: "ended", why } : { state: "running" };
    },
    async results(id, signal) {
      const { output_file, error_file } = host.read(Job, await get(at(id), signal));
      return resultsIn(host, [output_file, error_file], (path) => get(path, signal), explain);
    },
    async cancel(id, signal) {
      await post(`${at(id)}/cancel`, {}, signal);
    },
  };
}

/**
 * What batch services of several vendors share: an uploaded file of JSON lines, and a file of results, matched by
 * `custom_id`. Addresses, states and messages are in each plugin.
 */
import type { TSchema } from "@sinclair/typebox";
import type { BatchResult, Explanation, FailureKind, Host, Posted } from "../src/plugin";
import { openaiReply } from "./openai-wire";

const encoder = new TextEncoder();
const LINE_END = 10;

/** Uploads lines as a file. @returns its id */
export async function uploadLines(
  host: Host,
  call: {
    readonly url: string;
    readonly headers: Readonly<Record<string, string>>;
    readonly signal: AbortSignal;
    readonly explain: (refusal: Posted) => Explanation | undefined;
  },
  tag: string,
  lines: readonly object[],
): Promise<string> {
  // A boundary unique to this file: no text contains it.
  const boundary = `embedgate-${tag}`;
  const part = (about: string, content: string) =>
    `--${boundary}\r\ncontent-disposition: form-data; ${about}\r\n\r\n${content}\r\n`;
  const content = lines.map((line) => JSON.stringify(line)).join("\n");
  const file = `name="file"; filename="${tag}.jsonl"\r\ncontent-type: application/jsonl`;
  const { t } = host;
  const { bytes } = await host.send({
    ...call,
    method: "POST",
    headers: { ...call.headers, "content-type": `multipart/form-data; boundary=${boundary}` },
    body: `${part('name="purpose"', "batch")}${part(file, content)}--${boundary}--\r\n`,
  });
  return host.read(t.Object({ id: t.String() }), bytes).id;
}

/** The results in an answer's files, each of which may be missing. @param get fetches a path from the vendor */
export async function resultsIn(
  host: Host,
  files: readonly (string | null | undefined)[],
  get: (path: string) => Promise<Uint8Array>,
  explain: (refusal: Posted) => Explanation | undefined,
): Promise<BatchResult[]> {
  const results: BatchResult[] = [];
  for (const file of files)
    if (file)
      results.push(...readResults(host, await get(`/files/${encodeURIComponent(file)}/content`), explain));
  return results;
}

/** A file of results in OpenAI's shape: a line for each call, whose body is an answer's or an error's. */
function readResults(
  host: Host,
  bytes: Uint8Array,
  explain: (refusal: Posted) => Explanation | undefined,
): readonly BatchResult[] {
  const { t } = host;
  const reply = openaiReply(host);
  const Good = t.Object({
    custom_id: t.String(),
    response: t.Object({ status_code: t.Optional(t.Integer()), body: reply.schema }),
  });
  const Other = t.Object({
    custom_id: t.String(),
    response: t.Optional(
      t.Union([t.Object({ status_code: t.Optional(t.Integer()), body: t.Optional(t.Unknown()) }), t.Null()]),
    ),
    error: t.Optional(t.Unknown()),
  });
  const results: BatchResult[] = [];
  for (const line of linesOf(bytes)) {
    const good = readOr(host, Good, line);
    const status = good?.response.status_code ?? 200;
    if (good && status < 300) {
      results.push({ id: good.custom_id, reply: reply.replyOf(good.response.body) });
      continue;
    }
    const { custom_id: id, response, error } = host.read(Other, line);
    const failed = response?.status_code ?? 500;
    const said = response?.body ?? error ?? {};
    const body = encoder.encode(JSON.stringify(said));
    const {
      kind = kindOf(failed),
      message,
      ...about
    } = explain({ status: failed, headers: new Headers(), bytes: body }) ?? {};
    const words = message ?? JSON.stringify(said).slice(0, 300);
    results.push({ id, failure: host.failure(kind, `The provider answered ${failed}: ${words}`, about) });
  }
  return results;
}

function* linesOf(bytes: Uint8Array): Generator<Uint8Array> {
  for (let from = 0; from < bytes.length; ) {
    const end = bytes.indexOf(LINE_END, from);
    const to = end === -1 ? bytes.length : end;
    if (to > from) yield bytes.subarray(from, to);
    from = to + 1;
  }
}

function readOr<Schema extends TSchema>(host: Host, schema: Schema, bytes: Uint8Array) {
  try {
    return host.read(schema, bytes);
  } catch {
    return undefined;
  }
}

function kindOf(status: number): FailureKind {
  if (status === 429) return "overloaded";
  if (status === 401 || status === 403) return "unauthorized";
  if (status === 404) return "not_found";
  return status < 500 ? "invalid" : "unavailable";
}

/**
 * Providers' batch services as strict fakes: whatever their documentation does not allow is refused, and each counts what was submitted. A
 * batch is done after it was looked at twice. Each text has its own vector and count; `spoil` changes a line of the results.
 */
import { type Static, type TSchema, Type } from "@sinclair/typebox";
import { Value } from "@sinclair/typebox/value";
import { vectorOf } from "../serving";

export const closed = { additionalProperties: false };

export interface Service {
  readonly fetch: (url: string, init: RequestInit) => Promise<Response>;
  /** Texts, once for each submission that contained them. */
  readonly submitted: string[];
  /** Texts that came as live calls. */
  readonly live: string[];
  readonly cancelled: string[];
  /** Whether batches end when they are looked at. */
  endsWhenLooked: boolean;
  /** What happens to the next submission after it was accepted: the connection breaks, or no answer comes. */
  breaksAfter: boolean;
  hangsAfter: boolean;
  /** Whether a batch ignores a request to cancel it. */
  ignoresCancel: boolean;
}

export interface Spoiling {
  /** Changes a line of the results: undefined leaves it out. */
  readonly spoil?: (line: Readonly<Record<string, unknown>>, text: string) => object | undefined;
}

export interface Batch {
  readonly id: string;
  readonly tag: string;
  readonly lines: readonly { readonly id: string; readonly texts: readonly string[] }[];
  looks: number;
  isCancelled: boolean;
}

export function checked<Schema extends TSchema>(schema: Schema, value: unknown): Static<Schema> {
  if (Value.Check(schema, value)) return value;
  const first = Value.Errors(schema, value).First();
  throw new Error(`${first?.path} ${first?.message}: ${JSON.stringify(value).slice(0, 300)}`);
}

export function base(
  answer: (state: State, path: string, init: RequestInit, url: URL) => Promise<object | string | undefined>,
): Service {
  const state: State = {
    batches: [],
    files: new Map(),
    submitted: [],
    live: [],
    cancelled: [],
    endsWhenLooked: true,
    breaksAfter: false,
    hangsAfter: false,
    ignoresCancel: false,
  };
  return Object.assign(state, {
    async fetch(url: string, init: RequestInit): Promise<Response> {
      const parsed = new URL(url);
      const headers = new Headers(init.headers);
      if (!/secret/.test(`${headers.get("authorization")}${headers.get("x-goog-api-key")}`))
        return new Response("{}", { status: 401 });
      try {
        const found = await answer(state, `${init.method} ${parsed.pathname}`, init, parsed);
        if (found === undefined)
          return new Response(JSON.stringify({ error: { message: `no ${init.method} ${url}` } }), {
            status: 404,
          });
        const isSubmission = init.method === "POST" && /batches$|jobs$|Content$/.test(parsed.pathname);
        if (isSubmission && state.hangsAfter) {
          state.hangsAfter = false;
          return await new Promise((_, reject) =>
            init.signal?.addEventListener("abort", () => reject(init.signal?.reason)),
          );
        }
        if (state.breaksAfter && init.method === "POST" && /batches$|jobs$|Content$/.test(parsed.pathname)) {
          state.breaksAfter = false;
          throw Object.assign(new Error("broken"), { code: "ECONNRESET" });
        }
        return typeof found === "string" ? new Response(found) : Response.json(found);
      } catch (thrown) {
        if (thrown instanceof Error && "code" in thrown) throw thrown;
        return Response.json({ error: { message: String(thrown) } }, { status: 400 });
      }
    },
  });
}

export interface State extends Omit<Service, "fetch"> {
  readonly batches: Batch[];
  readonly files: Map<string, string>;
}

export const answerTo = (texts: readonly string[], model: string) => ({
  object: "list",
  data: texts.map((text, index) => ({ object: "embedding", index, embedding: vectorOf(text) })),
  model,
  usage: { prompt_tokens: texts.length, total_tokens: texts.length },
});

export async function live(state: State, init: RequestInit) {
  const { input, model } = checked(
    Type.Object({ input: Type.Array(Type.String()), model: Type.String() }),
    JSON.parse(String(init.body)),
  );
  state.live.push(...input);
  return answerTo(input, model);
}

/** A form with a purpose and one file, which is stored. */
export async function upload(state: State, init: RequestInit): Promise<object> {
  const form = await new Response(String(init.body), { headers: new Headers(init.headers) }).formData();
  const file = form.get("file");
  if (
    [...form.keys()].toSorted().join() !== "file,purpose" ||
    form.get("purpose") !== "batch" ||
    !(file instanceof Blob)
  )
    throw new Error("the form is wrong");
  const id = `file-${state.files.size}`;
  state.files.set(id, await file.text());
  return { id, object: "file", purpose: "batch" };
}

export function linesIn<Schema extends TSchema>(
  state: State,
  file: string,
  schema: Schema,
): Static<Schema>[] {
  const text = state.files.get(file);
  if (text === undefined) throw new Error(`no file ${file}`);
  return text.split("\n").map((line) => checked(schema, JSON.parse(line)));
}

export function begin(state: State, tag: string, lines: Batch["lines"]): Batch {
  const batch: Batch = { id: `upstream-${state.batches.length}`, tag, lines, looks: 0, isCancelled: false };
  state.batches.push(batch);
  state.submitted.push(...lines.flatMap(({ texts }) => texts));
  return batch;
}

export function find(state: State, id: string): Batch {
  const batch = state.batches.find((one) => one.id === id);
  if (!batch) throw new Error(`no batch ${id}`);
  return batch;
}

export const isDone = (state: State, batch: Batch) =>
  batch.isCancelled || (state.endsWhenLooked && batch.looks > 1);
export const hasDone = ({ isCancelled, lines }: Batch) => (isCancelled ? lines.slice(0, 1) : lines);

export function cancel(state: State, id: string): Batch {
  const batch = find(state, id);
  batch.isCancelled = !state.ignoresCancel;
  state.cancelled.push(id);
  return batch;
}

export const Metadata = Type.Object({ embedgate: Type.String() }, closed);

/** OpenAI's service, and Voyage's, whose lines contain inputs only. */
export function openaiService(
  vendor: "openai" | "voyage",
  { spoil = (line) => line }: Spoiling = {},
): Service {
  const isVoyage = vendor === "voyage";
  const Line = isVoyage
    ? Type.Object(
        { custom_id: Type.String(), body: Type.Object({ input: Type.Array(Type.String()) }, closed) },
        closed,
      )
    : Type.Object(
        {
          custom_id: Type.String(),
          method: Type.Literal("POST"),
          url: Type.Literal("/v1/embeddings"),
          body: Type.Object(
            {
              model: Type.Literal("up"),
              input: Type.Array(Type.String()),
              encoding_format: Type.Literal("float"),
              dimensions: Type.Optional(Type.Integer()),
            },
            closed,
          ),
        },
        closed,
      );
  const Create = Type.Object(
    {
      input_file_id: Type.String(),
      endpoint: Type.Literal("/v1/embeddings"),
      completion_window: Type.Literal(isVoyage ? "12h" : "24h"),
      metadata: Metadata,
      ...(isVoyage && {
        request_params: Type.Object(
          {
            model: Type.Literal("up"),
            truncation: Type.Literal(false),
            output_dtype: Type.Literal("float"),
            input_type: Type.Optional(Type.String()),
          },
          closed,
        ),
      }),
    },
    closed,
  );
  const shown = (state: State, batch: Batch) => ({
    id: batch.id,
    object: "batch",
    status: isDone(state, batch) ? (batch.isCancelled ? "cancelled" : "completed") : "in_progress",
    output_file_id: isDone(state, batch) ? `output-${batch.id}` : null,
    error_file_id: null,
    metadata: { embedgate: batch.tag },
  });
  return base(async (state, path, init, { searchParams }) => {
    const [, id = ""] = /\/v1\/(?:batches|files)\/([^/]+)/.exec(path) ?? [];
    if (path === "POST /v1/embeddings") return live(state, init);
    if (path === "POST /v1/files") return upload(state, init);
    if (path === "POST /v1/batches") {
      const { input_file_id, metadata } = checked(Create, JSON.parse(String(init.body)));
      const lines = linesIn(state, input_file_id, Line).map(({ custom_id, body }) => ({
        id: custom_id,
        texts: body.input,
      }));
      return shown(state, begin(state, metadata.embedgate, lines));
    }
    if (path === "GET /v1/batches") {
      const after = searchParams.get("after");
      const from = after === null ? 0 : state.batches.findIndex((one) => one.id === after) + 1;
      // One entry per page, so that there are several pages.
      const data = state.batches.slice(from, from + 1).map((batch) => shown(state, batch));
      return { object: "list", data, has_more: from + 1 < state.batches.length };
    }
    if (path.startsWith("GET /v1/batches/")) {
      const batch = find(state, id);
      batch.looks += 1;
      return shown(state, batch);
    }
    if (path.endsWith("/cancel")) return shown(state, cancel(state, id));
    if (path === `GET /v1/files/${id}/content`) {
      // In random order.
      const lines = hasDone(find(state, id.replace("output-", ""))).toReversed();
      return lines
        .flatMap((line) => {
          const whole = {
            id: `r-${line.id}`,
            custom_id: line.id,
            response: { status_code: 200, request_id: "x", body: answerTo(line.texts, "up") },
            error: null,
          };
          return spoil(whole, line.texts[0] ?? "") ?? [];
        })
        .map((line) => JSON.stringify(line))
        .join("\n");
    }
    return undefined;
  });
}

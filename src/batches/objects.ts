/**
 * Files and batches as OpenAI's API returns them: the bodies of answers, and their schemas for the OpenAPI document.
 * Source: openai/openai-openapi (OpenAIFile, Batch, BatchRequestOutput), openai 3.54.0 for Python.
 */
import { type Static, Type } from "@sinclair/typebox";
import type { BatchRecord, FileRecord } from "../books/batch-records";

const seconds = (description: string) => Type.Integer({ description: `Seconds since 1970: ${description}` });
const nullable = <Schema extends ReturnType<typeof Type.Integer> | ReturnType<typeof Type.String>>(
  schema: Schema,
) => Type.Union([schema, Type.Null()]);

export const FileObject = Type.Object(
  {
    id: Type.String(),
    object: Type.Literal("file"),
    bytes: Type.Integer({ minimum: 0 }),
    created_at: seconds("when it was created."),
    expires_at: Type.Optional(seconds("when it is deleted.")),
    filename: Type.String(),
    purpose: Type.Union([Type.Literal("batch"), Type.Literal("batch_output")]),
    status: Type.Literal("processed"),
    status_details: Type.Null(),
  },
  {
    description: "A file of batches.",
    examples: [
      {
        id: "file-0123",
        object: "file",
        bytes: 4096,
        created_at: 1780000000,
        expires_at: 1782592000,
        filename: "requests.jsonl",
        purpose: "batch",
        status: "processed",
        status_details: null,
      },
    ],
  },
);

export const FileDeleted = Type.Object(
  { id: Type.String(), object: Type.Literal("file"), deleted: Type.Literal(true) },
  { examples: [{ id: "file-0123", object: "file", deleted: true }] },
);

const BatchError = Type.Object({
  code: Type.String(),
  message: Type.String(),
  param: nullable(Type.String()),
  line: nullable(Type.Integer({ description: "Number of the line in the input file, from 1." })),
});
export type BatchError = Static<typeof BatchError>;

const STATUSES = [
  "validating",
  "failed",
  "in_progress",
  "finalizing",
  "completed",
  "expired",
  "cancelling",
  "cancelled",
] as const;

export const BatchObject = Type.Object(
  {
    id: Type.String(),
    object: Type.Literal("batch"),
    endpoint: Type.Literal("/v1/embeddings"),
    model: nullable(Type.String({ description: "The model, if all lines name the same one." })),
    errors: Type.Union([
      Type.Object({ object: Type.Literal("list"), data: Type.Array(BatchError) }),
      Type.Null({ description: "Errors in the input file." }),
    ]),
    input_file_id: Type.String(),
    completion_window: Type.Literal("24h"),
    status: Type.Union(STATUSES.map((status) => Type.Literal(status))),
    output_file_id: nullable(Type.String({ description: "The file of answered lines, in input order." })),
    error_file_id: nullable(
      Type.String({ description: "The file of lines that were not answered, in input order." }),
    ),
    created_at: seconds("when it was created."),
    in_progress_at: nullable(seconds("when its lines began to run.")),
    expires_at: seconds("when lines that are not done expire."),
    finalizing_at: nullable(seconds("when all its lines were done.")),
    completed_at: nullable(seconds("when its output files were complete.")),
    failed_at: nullable(seconds("when its input file was refused.")),
    expired_at: nullable(seconds("when it expired.")),
    cancelling_at: nullable(seconds("when its cancellation was requested.")),
    cancelled_at: nullable(seconds("when it was cancelled.")),
    request_counts: Type.Object({
      total: Type.Integer({ minimum: 0 }),
      completed: Type.Integer({ minimum: 0 }),
      failed: Type.Integer({ minimum: 0 }),
    }),
    usage: Type.Object({
      input_tokens: Type.Integer({ minimum: 0 }),
      input_tokens_details: Type.Object({ cached_tokens: Type.Integer() }),
      output_tokens: Type.Literal(0),
      output_tokens_details: Type.Object({ reasoning_tokens: Type.Literal(0) }),
      total_tokens: Type.Integer({ minimum: 0 }),
    }),
    metadata: Type.Union([Type.Record(Type.String(), Type.String()), Type.Null()]),
  },
  {
    description: "A batch of requests.",
    examples: [
      {
        id: "batch_0123",
        object: "batch",
        endpoint: "/v1/embeddings",
        model: "all-MiniLM-L6-v2",
        errors: null,
        input_file_id: "file-0123",
        completion_window: "24h",
        status: "completed",
        output_file_id: "file-4567",
        error_file_id: null,
        created_at: 1780000000,
        in_progress_at: 1780000001,
        expires_at: 1780086400,
        finalizing_at: 1780000060,
        completed_at: 1780000061,
        failed_at: null,
        expired_at: null,
        cancelling_at: null,
        cancelled_at: null,
        request_counts: { total: 2, completed: 2, failed: 0 },
        usage: {
          input_tokens: 8,
          input_tokens_details: { cached_tokens: 0 },
          output_tokens: 0,
          output_tokens_details: { reasoning_tokens: 0 },
          total_tokens: 8,
        },
        metadata: null,
      },
    ],
  },
);

const listOf = (schema: string) =>
  Type.Object({
    object: Type.Literal("list"),
    data: Type.Array(Type.Ref(`#/components/schemas/${schema}`)),
    first_id: nullable(Type.String()),
    last_id: nullable(Type.String()),
    has_more: Type.Boolean(),
  });
export const FileList = listOf("File");
export const BatchList = listOf("Batch");

const inSeconds = (ms: number) => Math.floor(ms / 1000);
const maybe = (ms: number | null) => (ms === null ? null : inSeconds(ms));

export const fileObject = (file: FileRecord): Static<typeof FileObject> => ({
  id: file.id,
  object: "file",
  bytes: file.bytes,
  created_at: inSeconds(file.created_at),
  ...(file.expires_at !== null && { expires_at: inSeconds(file.expires_at) }),
  filename: file.filename,
  purpose: file.purpose,
  status: "processed",
  status_details: null,
});

export function batchObject(batch: BatchRecord): Static<typeof BatchObject> {
  const errors: BatchError[] | null = batch.errors === null ? null : JSON.parse(batch.errors);
  return {
    id: batch.id,
    object: "batch",
    endpoint: "/v1/embeddings",
    model: batch.model,
    errors: errors && { object: "list", data: errors },
    input_file_id: batch.input_file_id,
    completion_window: "24h",
    status: batch.status,
    output_file_id: batch.output_file_id,
    error_file_id: batch.error_file_id,
    created_at: inSeconds(batch.created_at),
    in_progress_at: maybe(batch.in_progress_at),
    expires_at: inSeconds(batch.expires_at),
    finalizing_at: maybe(batch.finalizing_at),
    completed_at: maybe(batch.completed_at),
    failed_at: maybe(batch.failed_at),
    expired_at: maybe(batch.expired_at),
    cancelling_at: maybe(batch.cancelling_at),
    cancelled_at: maybe(batch.cancelled_at),
    request_counts: { total: batch.lines, completed: batch.lines_completed, failed: batch.lines_failed },
    usage: {
      input_tokens: batch.tokens,
      input_tokens_details: { cached_tokens: 0 },
      output_tokens: 0,
      output_tokens_details: { reasoning_tokens: 0 },
      total_tokens: batch.tokens,
    },
    metadata: batch.metadata === null ? null : JSON.parse(batch.metadata),
  };
}

/** A page of a list. @param found one more than `limit` if there are more */
export function listObject<One extends { readonly id: string }>(found: readonly One[], limit: number) {
  const data = found.slice(0, limit);
  return {
    object: "list" as const,
    data,
    first_id: data[0]?.id ?? null,
    last_id: data.at(-1)?.id ?? null,
    has_more: found.length > limit,
  };
}

/** One line of an output or error file, around the body of its answer. */
export function answeredLine(
  id: string,
  customId: string,
  status: number,
): readonly [before: string, after: string] {
  return [
    `{"id":${JSON.stringify(id)},"custom_id":${JSON.stringify(customId)},"response":{"status_code":${status},"request_id":${JSON.stringify(id)},"body":`,
    `},"error":null}`,
  ];
}

/** One line of an error file, for a request that was not run. */
export function unansweredLine(id: string, customId: string, code: string, message: string): string {
  return JSON.stringify({ id, custom_id: customId, response: null, error: { code, message } });
}

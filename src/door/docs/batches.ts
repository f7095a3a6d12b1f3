/**
 * The published document's entries for files and batches (src/door/batches.ts): each path's purpose, input and answers.
 */
import { CreateBatch } from "../../batches/asked";
import { BatchList, BatchObject, FileDeleted, FileList, FileObject } from "../../batches/objects";
import type { Policies } from "../../domain/policies";
import { fails, failures, json, keyErrors, limited, NEEDS_KEY, REQUEST_HEADERS } from "./responses";

export const BATCH_TAG = {
  name: "batches",
  description: "OpenAI's Batch API: files of requests, answered within a day.",
};

export const BATCH_SCHEMAS = {
  File: FileObject,
  FileDeleted,
  FileList,
  Batch: BatchObject,
  BatchList,
  CreateBatch,
};

const BYTES = { "application/octet-stream": { schema: { type: "string" as const, format: "binary" } } };

const inPath = (name: string, description: string) => ({
  name,
  in: "path",
  required: true,
  description,
  schema: { type: "string" as const },
});
const optional = (
  place: "query" | "header",
  name: string,
  description: string,
  schema: object = { type: "string" },
) => ({
  name,
  in: place,
  required: false,
  description,
  schema,
});
const FILE = inPath("file", "The file's id.");
const BATCH = inPath("batch", "The batch's id.");
const AFTER = optional(
  "query",
  "after",
  "The id that the page begins behind: the last one of the page before.",
);
const limitOf = (maximum: number, usual: number) =>
  optional("query", "limit", "Entries of a page.", { type: "integer", minimum: 1, maximum, default: usual });

const UPLOAD = {
  "multipart/form-data": {
    schema: {
      type: "object" as const,
      required: ["purpose", "file"],
      additionalProperties: false,
      properties: {
        purpose: { type: "string", enum: ["batch"] },
        file: {
          type: "string",
          format: "binary",
          description: "A request a line, as JSON: `custom_id`, `method`, `url` and `body`.",
        },
        "expires_after[anchor]": { type: "string", enum: ["created_at"] },
        "expires_after[seconds]": { type: "integer", minimum: 3_600, maximum: 2_592_000 },
      },
    },
  },
};

export function batchOperations(policies: Policies): Readonly<Record<string, object>> {
  type Reasons = Parameters<typeof failures>[1];
  const operation = (operationId: string, summary: string, more: object, good: object, reasons: Reasons) => ({
    operationId,
    tags: [BATCH_TAG.name],
    summary,
    security: NEEDS_KEY,
    ...more,
    responses: {
      200: { description: "The answer.", headers: REQUEST_HEADERS, ...good },
      ...failures(fails, reasons),
      ...keyErrors(fails),
      405: fails("Another method."),
      429: limited(fails),
      431: fails("URL and headers of more than 16 KB."),
      503: fails("The database is not available now, or the gateway is shutting down."),
    },
  });
  const { invalid_status: wrong } = policies;
  const NO_BATCHES = [404, "There are no batches at this gateway (files in the routing file)."] as const;
  const NO_FILE = [404, "No such file in this workspace, or it has expired."] as const;
  const NO_BATCH = [404, "No such batch in this workspace."] as const;
  const WRONG_PAGE = [wrong, "A parameter is wrong; it is named."] as const;
  const BODY = [
    [wrong, "The body is wrong; the field is named."],
    [400, "The body ended early, or is not what its content type says."],
    [408, "The body did not arrive in time."],
    [415, "Another content type, or an unknown content encoding."],
  ] as const;
  return {
    "/v1/files": {
      post: operation(
        "uploadFile",
        "Upload a file of requests",
        { requestBody: { required: true, content: UPLOAD } },
        { content: json("File") },
        [
          ...BODY,
          NO_BATCHES,
          [
            413,
            "The file is larger than files.max_file_mb, or the workspace's files than files.max_workspace_mb.",
          ],
        ],
      ),
      get: operation(
        "listFiles",
        "List the workspace's files",
        {
          parameters: [
            optional("query", "purpose", "Only files of it: `batch` or `batch_output`."),
            limitOf(10_000, 10_000),
            optional("query", "order", "By the time they were made.", {
              type: "string",
              enum: ["asc", "desc"],
              default: "desc",
            }),
            AFTER,
          ],
        },
        { content: json("FileList") },
        [WRONG_PAGE, NO_BATCHES],
      ),
    },
    "/v1/files/{file}": {
      get: operation("showFile", "Show one file", { parameters: [FILE] }, { content: json("File") }, [
        NO_FILE,
      ]),
      delete: operation(
        "deleteFile",
        "Delete a file",
        { parameters: [FILE] },
        { content: json("FileDeleted") },
        [NO_FILE, [409, "A batch still reads it."]],
      ),
    },
    "/v1/files/{file}/content": {
      get: withRange(
        operation(
          "readFile",
          "Read what a file holds, or a range of it",
          { parameters: [FILE, optional("header", "Range", "One range of bytes, such as `bytes=0-1023`.")] },
          { content: BYTES },
          [NO_FILE, [416, "The range lies beyond the file."]],
        ),
      ),
    },
    "/v1/batches": {
      post: operation(
        "createBatch",
        "Create a batch",
        {
          description:
            "The whole file is checked, and what all of it may cost is held, before this answers. A file that is wrong becomes a batch with the status `failed` and its `errors`.",
          parameters: [
            optional(
              "header",
              "Idempotency-Key",
              "A request that is sent again with the same key is answered with the same batch.",
            ),
          ],
          requestBody: { required: true, content: json("CreateBatch") },
        },
        { content: json("Batch") },
        [
          ...BODY,
          [
            402,
            "What the batch may cost does not fit the workspace's credits or spending cap, or a model has no price.",
          ],
          NO_FILE,
          [409, "The Idempotency-Key was used for another request."],
          [413, "A body of more than 64 MB, or than server.max_body_memory_mb."],
        ],
      ),
      get: operation(
        "listBatches",
        "List the workspace's batches, the latest first",
        { parameters: [limitOf(100, 20), AFTER] },
        { content: json("BatchList") },
        [WRONG_PAGE, NO_BATCHES],
      ),
    },
    "/v1/batches/{batch}": {
      get: operation("showBatch", "Show one batch", { parameters: [BATCH] }, { content: json("Batch") }, [
        NO_BATCH,
      ]),
    },
    "/v1/batches/{batch}/cancel": {
      post: operation(
        "cancelBatch",
        "Cancel a batch",
        {
          description:
            "Lines in flight are finished. Finished lines stay in the batch's files, and are charged.",
          parameters: [BATCH],
        },
        { content: json("Batch") },
        [NO_BATCH, [409, "It has ended already."]],
      ),
    },
  };
}

function withRange<Of extends { readonly responses: object }>(operation: Of): Of {
  const part = { description: "The range.", headers: REQUEST_HEADERS, content: BYTES };
  return { ...operation, responses: { ...operation.responses, 206: part } };
}

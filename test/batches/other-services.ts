/**
 * The batch services of Mistral and Gemini as strict fakes, built like OpenAI's (services.ts).
 */
import { Type } from "@sinclair/typebox";
import { vectorOf } from "../serving";
import {
  answerTo,
  type Batch,
  base,
  begin,
  cancel,
  checked,
  closed,
  find,
  hasDone,
  isDone,
  linesIn,
  live,
  Metadata,
  type Service,
  type Spoiling,
  type State,
  upload,
} from "./services";

export function mistralService({ spoil = (line) => line }: Spoiling = {}): Service {
  const Line = Type.Object(
    {
      custom_id: Type.String(),
      body: Type.Object({ input: Type.Array(Type.String()), encoding_format: Type.Literal("float") }, closed),
    },
    closed,
  );
  const Create = Type.Object(
    {
      input_files: Type.Array(Type.String(), { minItems: 1, maxItems: 1 }),
      endpoint: Type.Literal("/v1/embeddings"),
      model: Type.Literal("up"),
      metadata: Metadata,
      timeout_hours: Type.Integer({ minimum: 1, maximum: 168 }),
    },
    closed,
  );
  const shown = (state: State, batch: Batch) => ({
    id: batch.id,
    object: "batch",
    status: isDone(state, batch) ? (batch.isCancelled ? "CANCELLED" : "SUCCESS") : "RUNNING",
    output_file: isDone(state, batch) ? `output-${batch.id}` : null,
    error_file: null,
    errors: [],
    metadata: { embedgate: batch.tag },
  });
  return base(async (state, path, init) => {
    const [, id = ""] = /\/v1\/(?:batch\/jobs|files)\/([^/]+)/.exec(path) ?? [];
    if (path === "POST /v1/embeddings") return live(state, init);
    if (path === "POST /v1/files") return upload(state, init);
    if (path === "POST /v1/batch/jobs") {
      const { input_files, metadata } = checked(Create, JSON.parse(String(init.body)));
      const lines = linesIn(state, input_files[0] ?? "", Line).map(({ custom_id, body }) => ({
        id: custom_id,
        texts: body.input,
      }));
      return shown(state, begin(state, metadata.embedgate, lines));
    }
    if (path === "GET /v1/batch/jobs")
      return {
        object: "list",
        data: state.batches.map((batch) => shown(state, batch)),
        total: state.batches.length,
      };
    if (path.startsWith("GET /v1/batch/jobs/")) {
      const batch = find(state, id);
      batch.looks += 1;
      return shown(state, batch);
    }
    if (path.endsWith("/cancel")) return shown(state, cancel(state, id));
    if (path === `GET /v1/files/${id}/content`)
      return hasDone(find(state, id.replace("output-", "")))
        .flatMap((line) => {
          const whole = {
            id: "x",
            custom_id: line.id,
            response: { status_code: 200, body: answerTo(line.texts, "up") },
            error: null,
          };
          return spoil(whole, line.texts[0] ?? "") ?? [];
        })
        .map((line) => JSON.stringify(line))
        .join("\n");
    return undefined;
  });
}

export function geminiService({ spoil = (line) => line }: Spoiling = {}): Service {
  const Create = Type.Object(
    {
      batch: Type.Object(
        {
          displayName: Type.String(),
          inputConfig: Type.Object(
            {
              requests: Type.Object(
                {
                  requests: Type.Array(
                    Type.Object(
                      {
                        request: Type.Object(
                          {
                            model: Type.Literal("models/up"),
                            content: Type.Object(
                              {
                                parts: Type.Array(Type.Object({ text: Type.String() }, closed), {
                                  minItems: 1,
                                  maxItems: 1,
                                }),
                              },
                              closed,
                            ),
                            taskType: Type.Optional(Type.String()),
                          },
                          closed,
                        ),
                        metadata: Type.Object({ key: Type.String() }, closed),
                      },
                      closed,
                    ),
                  ),
                },
                closed,
              ),
            },
            closed,
          ),
        },
        closed,
      ),
    },
    closed,
  );
  const shown = (state: State, batch: Batch) => ({
    name: `batches/${batch.id}`,
    metadata: {
      displayName: batch.tag,
      state: isDone(state, batch)
        ? batch.isCancelled
          ? "BATCH_STATE_CANCELLED"
          : "BATCH_STATE_SUCCEEDED"
        : "BATCH_STATE_RUNNING",
      ...(isDone(state, batch) && {
        output: {
          inlinedEmbedContentResponses: {
            inlinedResponses: hasDone(batch).flatMap((line) => {
              const [text = ""] = line.texts;
              const response = { embedding: { values: vectorOf(text) }, tokenCount: 1 };
              return spoil({ metadata: { key: line.id }, response }, text) ?? [];
            }),
          },
        },
      }),
    },
  });
  return base(async (state, path, init) => {
    const [, id = ""] = /\/v1beta\/batches\/([^/:]+)/.exec(path) ?? [];
    if (path === "POST /v1beta/models/up:asyncBatchEmbedContent") {
      const { batch } = checked(Create, JSON.parse(String(init.body)));
      const lines = batch.inputConfig.requests.requests.map(({ request, metadata }) => ({
        id: metadata.key,
        texts: request.content.parts.map(({ text }) => text),
      }));
      return shown(state, begin(state, batch.displayName, lines));
    }
    if (path === "GET /v1beta/batches")
      return { operations: state.batches.map((batch) => shown(state, batch)) };
    if (path.endsWith(":cancel")) return shown(state, cancel(state, id)) && {};
    if (path.startsWith("GET /v1beta/batches/")) {
      const batch = find(state, id);
      batch.looks += 1;
      return shown(state, batch);
    }
    return undefined;
  });
}

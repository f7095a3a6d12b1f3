/**
 * Vertex AI's predict for its embedding models: `instances` of a text each, answered with `predictions` in their order.
 * A new parameter is a line of google-schema.ts and what it becomes in `decode`.
 */
import type { EmbedRequest, Result } from "../../domain/request";
import type { Script } from "../../printing/script";
import { bare } from "../../printing/vectors";
import { checked } from "../checked";
import { modelAsked } from "../model-path";
import { decodeRequest } from "../openai";
import { invalid } from "../own-words";
import { checkTexts } from "../texts";
import type { Asked, Decoded, EmbedPath } from "../wire";
import { type Predict, predictCheck } from "./google-schema";

export const predicting = (aliases: readonly string[]): EmbedPath => ({
  does: "embed",
  method: "POST",
  path: "/v1/projects/{project}/locations/{location}/publishers/google/models/{model}:predict",
  aliases,
  decode,
  words: {
    operationId: "vertexPredict",
    summary: "Embed texts with Vertex AI's API",
    description: "For any model, whatever the project and the location are.",
    request: "VertexPredictRequest",
    response: "VertexPredictResponse",
    parameters: [
      { name: "project", in: "path", description: "Ignored." },
      { name: "location", in: "path", description: "Ignored." },
    ],
  },
});

function decode(body: unknown, asked: Asked): Decoded {
  const { instances, parameters } = checked(predictCheck(), body);
  const input = instances.map(({ content }) => content);
  const nameOf = (place: number) => `instances[${place}].content`;
  checkTexts(input, "instances", nameOf, asked.policies);
  const { autoTruncate, outputDimensionality, output_dimensionality } = parameters ?? {};
  const model = modelAsked(undefined, asked, "path wins");
  const { request: plain, ignored } = decodeRequest({ model, input }, asked.policies);
  const task_type = sameOfAll(instances, "task_type", (one) => one.task_type ?? one.taskType);
  const title = sameOfAll(instances, "title", (one) => one.title);
  const request: EmbedRequest = {
    ...plain,
    dimensions: outputDimensionality ?? output_dimensionality ?? undefined,
    longInput: "truncate",
    fields: {
      ...plain.fields,
      ...(task_type !== undefined && { task_type }),
      ...(title !== undefined && { title }),
      ...(typeof autoTruncate === "boolean" && { truncate: autoTruncate }),
    },
  };
  return {
    request,
    ignored,
    encode: inPredictions,
    inputName: nameOf,
    fieldNames: {
      dimensions: "parameters.outputDimensionality",
      truncate: "parameters.autoTruncate",
      task_type: "instances[0].task_type",
      title: "instances[0].title",
    },
  };
}

type Instance = Predict["instances"][number];

/** @throws GatewayError invalid: a request of the gateway has one task and one title */
function sameOfAll(
  instances: readonly Instance[],
  name: string,
  of: (instance: Instance) => string | null | undefined,
): string | undefined {
  const [first, ...others] = instances.map((instance) => of(instance) ?? undefined);
  const place = others.findIndex((other) => other !== first);
  if (place !== -1)
    throw invalid(
      `instances[${place + 1}].${name}`,
      "differs from instances[0]: all instances of a request must have the same value.",
    );
  // Protobuf's unset value.
  return first === "TASK_TYPE_UNSPECIFIED" ? undefined : first;
}

function inPredictions({ vectors, tokensByInput, truncated }: Result): Script {
  const cut = new Set(truncated);
  const statistics = (place: number) =>
    `{"token_count":${tokensByInput[place] ?? 0},"truncated":${cut.has(place)}}`;
  const predictions = {
    ...bare(vectors),
    before: () => '{"embeddings":{"values":',
    after: (place: number) => `,"statistics":${statistics(place)}}}`,
  };
  return { encoding: "float", passages: ['{"predictions":[', predictions, "]}"] };
}

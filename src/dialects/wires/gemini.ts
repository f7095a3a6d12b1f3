/**
 * Google's own fields beside OpenAI's: `content`, `contents` or `requests`, answered in Google's shape; or `input`, answered like
 * /v1/embeddings, with its errors. gemini-words.ts reads the fields; google.ts has Google's own paths.
 */

import type { Policies } from "../../domain/policies";
import type { Result } from "../../domain/request";
import type { Script } from "../../printing/script";
import { bare } from "../../printing/vectors";
import { decodeRequest, encodeError, encodeResult, usageOf } from "../openai";
import { divided, invalid } from "../own-words";
import { checkTexts } from "../texts";
import type { Asked, Decoded, Wire } from "../wire";
import { googleWords, isGoogleWord, schemasOf } from "./gemini-schema";
import { modelOf, type SaidTexts, settingsOf, textsOf } from "./gemini-words";

export const geminiWire: Wire = {
  tag: { name: "Google", description: "The APIs of Google's Gemini and of Vertex AI." },
  paths: [
    {
      does: "embed",
      method: "POST",
      path: "/v1/gemini/embeddings",
      decode: decodeGemini,
      words: {
        operationId: "createGeminiEmbeddings",
        summary: "Embed texts with Google's API",
        description:
          "Takes `input`, or Google's own `content`, `contents` or `requests`, with `task_type`, `output_dimensionality` and `title`, in snake_case or camelCase, for any model. Google's SDKs work with this gateway's address, or its /v1/gemini, as their base URL.",
        request: "GeminiEmbeddingsRequest",
        response: "GeminiEmbeddingsResponse",
      },
    },
  ],
  prefixes: ["/v1/gemini"],
  encodeError,
  errorSchema: "ErrorResponse",
  schemas: schemasOf,
};

export function decodeGemini(body: unknown, { policies, params }: Asked): Decoded {
  const { words, rest } = divided(body, isGoogleWord, googleWords());
  const said = textsOf(words, rest.input);
  const nameOf = (place: number) => said?.texts[place]?.field ?? "input";
  if (said)
    checkTexts(
      said.texts.map(({ text }) => text),
      said.holder,
      nameOf,
      policies,
    );
  rest.model = modelOf(rest.model, params.model, words);
  if (said) rest.input = said.texts.map(({ text }) => text);
  const { request: plain, ignored } = decodeRequest(rest, policies);
  if (said && plain.encoding !== "float")
    throw invalid("encoding_format", `must be "float": Google's shape holds numbers.`);

  const settings = settingsOf(words);
  const size = settings.output_dimensionality;
  if (size && plain.dimensions !== undefined && plain.dimensions !== size.value)
    throw invalid(size.field, "and 'dimensions' differ: send one of them.");
  const request = {
    ...plain,
    dimensions: typeof size?.value === "number" ? size.value : plain.dimensions,
    fields: {
      ...plain.fields,
      ...(settings.task_type && { task_type: settings.task_type.value }),
      ...(settings.title && { title: settings.title.value }),
      ...(settings.auto_truncate && { truncate: settings.auto_truncate.value }),
    },
  };
  return {
    request,
    ignored,
    encode: (result, id) =>
      said ? inGooglesShape(said, result, policies) : encodeResult(request, result, policies, { id }),
    ...(said && { inputName: nameOf }),
    fieldNames: {
      ...(size && { dimensions: size.field }),
      ...(settings.task_type && { task_type: settings.task_type.field }),
      ...(settings.title && { title: settings.title.field }),
      ...(settings.auto_truncate && { truncate: settings.auto_truncate.field }),
    },
  };
}

function inGooglesShape({ isSingle }: SaidTexts, result: Result, policies: Policies): Script {
  const vectors = { ...bare(result.vectors), before: () => '{"values":', after: () => "}" };
  const usage = `"usage":${usageOf(result, policies)},"usageMetadata":{"promptTokenCount":${result.tokens}}}`;
  const passages = isSingle
    ? ['{"embedding":', vectors, `,${usage}`]
    : ['{"embeddings":[', vectors, `],${usage}`];
  return { encoding: "float", passages };
}

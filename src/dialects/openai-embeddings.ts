/**
 * A request of OpenAI's shape with additional fields of other services of that shape: the type of the numbers (`output_dtype`,
 * `embedding_type`), which are then in `embedding`, and `truncation`. A further field is read in `furtherWords`.
 * Sources: docs.voyageai.com/reference/embeddings-api, api.jina.ai/docs, docs.mistral.ai/api (embeddings).
 */
import type { Policies } from "../domain/policies";
import type { EmbedRequest, Result } from "../domain/request";
import type { VectorType } from "../plugin";
import { embeddingObjects, typedObjects } from "../printing/vectors";
import { decodeRequest, encodeResult } from "./openai";
import { invalid } from "./own-words";
import type { Decoded } from "./wire";

const TYPE_WORDS = ["output_dtype", "embedding_type"] as const;
const TYPES: readonly VectorType[] = ["int8", "uint8", "binary", "ubinary"];

/** @throws GatewayError invalid, with the field's name */
export function decodeEmbeddings(body: unknown, policies: Policies): Decoded {
  const { rest, type, truncation } = furtherWords(body, policies);
  const { request: plain, ignored, sizeField } = decodeRequest(rest, policies);
  const { truncate } = plain.fields;
  if (truncation !== undefined && truncate !== undefined && truncate !== truncation)
    throw invalid("truncation", "and 'truncate' differ: send one of them.");
  const request: EmbedRequest =
    type === undefined && truncation === undefined
      ? plain
      : {
          ...plain,
          ...(type && isNarrow(type.value) && { types: [type.value] }),
          ...(truncation !== undefined && { fields: { ...plain.fields, truncate: truncation } }),
        };
  return {
    request,
    ignored,
    written: Object.keys(Object(body)),
    encode: (result, id) => encodeEmbeddings(request, result, policies, id),
    fieldNames: {
      ...(sizeField !== undefined && { dimensions: sizeField }),
      ...(type && { embedding_types: type.field }),
      ...(truncation !== undefined && { truncate: "truncation" }),
    },
  };
}

interface Further {
  readonly rest: unknown;
  readonly type?: { readonly field: string; readonly value: string } | undefined;
  readonly truncation?: boolean | undefined;
}

const FURTHER_WORDS: readonly string[] = [...TYPE_WORDS, "truncation"];
const WORDS: ReadonlySet<string> = new Set(FURTHER_WORDS);

/** If no further field is accepted, they stay in the body, where they are refused. */
function furtherWords(body: unknown, { unknown_fields, base64 }: Policies): Further {
  if (typeof body !== "object" || body === null || Array.isArray(body) || unknown_fields === "reject")
    return { rest: body };
  // Most requests have none.
  if (!FURTHER_WORDS.some((name) => Object.hasOwn(body, name))) return { rest: body };
  const named = Object.entries(body);
  const words = new Map<string, unknown>(named.filter(([name]) => WORDS.has(name)));
  const rest = named.filter(([name]) => !WORDS.has(name));
  const truncation = words.get("truncation") ?? undefined;
  if (truncation !== undefined && typeof truncation !== "boolean")
    throw invalid("truncation", "must be true or false.");
  const [type, other] = TYPE_WORDS.flatMap((field) => typeSaid(field, words.get(field) ?? undefined));
  if (type && other && other.value !== type.value)
    throw invalid(other.field, `and '${type.field}' differ: send one of them.`);
  if (type?.value !== "base64") return { rest: Object.fromEntries(rest), type, truncation };
  const format = rest.find(([name]) => name === "encoding_format")?.[1] ?? "base64";
  if (base64 === "reject" || format !== "base64")
    throw invalid(type.field, `is "base64", and 'encoding_format' is not: send one of them.`);
  return { rest: Object.fromEntries([...rest, ["encoding_format", "base64"]]), type, truncation };
}

function typeSaid(field: string, said: unknown) {
  const value: unknown = Array.isArray(said) && said.length === 1 ? said[0] : said;
  if (value === undefined) return [];
  if (typeof value === "string" && (isNarrow(value) || value === "float" || value === "base64"))
    return [{ field, value }];
  throw invalid(field, `must be "float", "base64", ${TYPES.map((type) => `"${type}"`).join(", ")}.`);
}

const isNarrow = (value: string): value is VectorType => TYPES.some((type) => type === value);

function encodeEmbeddings(request: EmbedRequest, result: Result, policies: Policies, id: string) {
  const [type] = request.types ?? [];
  const objects = type
    ? typedObjects(result.typed ?? [], type, result.vectors, request.encoding)
    : embeddingObjects(result.vectors);
  return encodeResult(request, result, policies, { objects, id });
}

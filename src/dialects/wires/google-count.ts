/**
 * Google's countTokens, for models whose vocabulary the gateway has: texts are counted as they would be embedded.
 * Source: ai.google.dev/api/tokens.
 */
import { type TSchema, Type } from "@sinclair/typebox";
import { TypeCompiler } from "@sinclair/typebox/compiler";
import { GatewayError } from "../../domain/errors";
import { onFirstUse } from "../../domain/first-use";
import { checked } from "../checked";
import type { KnownPath } from "../wire";

const optional = <Schema extends TSchema>(schema: Schema) => Type.Optional(Type.Union([schema, Type.Null()]));

const Content = Type.Object(
  { parts: Type.Array(Type.Object({ text: Type.String() })), role: optional(Type.String()) },
  { expected: "a content with `parts`" },
);
const Contents = Type.Array(Content, { minItems: 1, maxItems: 2048 });
const CountTokensRequest = Type.Object(
  {
    contents: optional(Contents),
    generateContentRequest: optional(Type.Object({ contents: Contents })),
  },
  { examples: [{ contents: [{ parts: [{ text: "one" }] }] }] },
);
const CountTokensResponse = Type.Object(
  { totalTokens: Type.Integer({ minimum: 0 }) },
  { examples: [{ totalTokens: 3 }] },
);
export const countSchemas = {
  GoogleCountTokensRequest: CountTokensRequest,
  GoogleCountTokensResponse: CountTokensResponse,
};
const check = onFirstUse(() => TypeCompiler.Compile(CountTokensRequest));

export const counting = (aliases: readonly string[]): KnownPath => ({
  does: "tell",
  method: "POST",
  path: "/v1beta/models/{model}:countTokens",
  aliases,
  async tell({ params: { model = "" }, body }, gateway) {
    const { contents, generateContentRequest } = checked(check(), await body());
    const all = contents ?? generateContentRequest?.contents;
    if (!all) throw new GatewayError("invalid", "'contents' is missing.", { field: "contents" });
    const texts = all.flatMap(({ parts }) => parts.map(({ text }) => text));
    const counts = await gateway.countTokens(model, texts);
    if (counts) return { body: { totalTokens: counts.reduce((sum, count) => sum + count, 0) } };
    throw new GatewayError(
      "invalid",
      `Tokens cannot be counted for the model '${model}': its tokenizer is not known here. The answer to an embeddings request has their number.`,
      { field: "model" },
    );
  },
  words: {
    operationId: "googleCountTokens",
    summary: "Count the tokens of texts with Google's API",
    description: "For models whose tokenizer is known. Nothing is embedded or charged.",
    request: "GoogleCountTokensRequest",
    response: "GoogleCountTokensResponse",
  },
});

/**
 * Amazon's Titan: one text a call, the token count in the body. A new Titan model is a function here.
 * Sources: docs.aws.amazon.com/bedrock/latest/userguide/model-parameters-titan-embed-text.html, …/model-parameters-titan-embed-mm.html
 */

import type { Host } from "../../src/plugin";
import { countAt } from "../usage";
import { ALL, bytesOf, type Family } from "./family";

export function titanText2(host: Host): Family {
  const reply = titanReply(host);
  return {
    ids: ["titan-embed-text-v2"],
    facts: {
      ...ALL,
      dimensions: 1024,
      dimensions_allowed: [256, 512, 1024],
      max_inputs: 1,
      max_input_tokens: 8192,
      normalized: true,
      task_types: [],
      embedding_types: ["binary"],
    },
    normalizes: true,
    // Titan cannot truncate, so texts are cut at two bytes a token, the fewest that a token is known to have.
    mostOfText: { size: 2 * 8192, of: bytesOf },
    body: ({ texts, dimensions, normalize, types }) => ({
      inputText: texts[0],
      ...(dimensions === undefined ? {} : { dimensions }),
      ...(normalize === undefined ? {} : { normalize }),
      ...(types.length === 0 ? {} : { embeddingTypes: ["float", ...types] }),
    }),
    read: reply,
  };
}

export function titanText1(host: Host): Family {
  return {
    ids: ["titan-embed-text-v1", "titan-embed-g1-text-02"],
    facts: {
      ...ALL,
      dimensions: 1536,
      max_inputs: 1,
      max_input_tokens: 8192,
      // The documentation does not say whether vectors are normalised, and only version 2 has `normalize`.
      normalized: true,
      task_types: [],
    },
    mostOfText: { size: 2 * 8192, of: bytesOf },
    body: ({ texts }) => ({ inputText: texts[0] }),
    read: titanReply(host),
  };
}

export function titanImage(host: Host): Family {
  return {
    ids: ["titan-embed-image-v1"],
    facts: {
      ...ALL,
      dimensions: 1024,
      dimensions_allowed: [256, 384, 1024],
      max_inputs: 1,
      // "Max input text tokens – 256": …/userguide/titan-multiemb-models.html; some price lists say 128.
      max_input_tokens: 256,
      normalized: true,
      task_types: [],
    },
    mostOfText: { size: 2 * 256, of: bytesOf },
    body: ({ texts, dimensions }) => ({
      inputText: texts[0],
      ...(dimensions === undefined ? {} : { embeddingConfig: { outputEmbeddingLength: dimensions } }),
    }),
    read: titanReply(host),
  };
}

function titanReply(host: Host): Family["read"] {
  const { t } = host;
  const maybe = t.Optional(t.Union([host.wireVector, t.Null()]));
  const Reply = t.Object({
    // Missing where only binary was asked for (BerriAI/litellm#14680).
    embedding: maybe,
    inputTextTokenCount: t.Optional(t.Unknown()),
    embeddingsByType: t.Optional(
      t.Object({ float: maybe, binary: t.Optional(t.Array(t.Integer({ minimum: 0, maximum: 1 }))) }),
    ),
    // "any errors that occur during generation"
    message: t.Optional(t.Union([t.String(), t.Null()])),
  });
  return async (bytes) => {
    const {
      embedding,
      embeddingsByType: byType,
      inputTextTokenCount,
      message,
    } = await host.readReply(Reply, bytes);
    const values = embedding ?? byType?.float;
    if (!values)
      throw host.failure("malformed", `Its reply has no embedding${message ? `: ${message}` : "."}`);
    // One number per bit, not one byte per eight bits.
    const typed = byType?.binary && { binary: Uint8Array.from(byType.binary) };
    return {
      vectors: [{ index: 0, values: host.vector(values), ...(typed && { typed }) }],
      tokens: countAt(inputTextTokenCount),
    };
  };
}

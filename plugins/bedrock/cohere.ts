/**
 * Cohere's Embed on Bedrock: many texts a call, several types a vector, the tokens in a header at best. A new version is a function here.
 * Sources: docs.aws.amazon.com/bedrock/latest/userguide/model-parameters-embed-v3.html, …/model-parameters-embed-v4.html
 */
import type { Host, IndexedVector, KnownFacts } from "../../src/plugin";
import { COHERE_WORDS } from "../cohere-words";
import type { Cut } from "../cutting";
import { ALL, type Family } from "./family";

const COHERE: KnownFacts = {
  ...ALL,
  // "96 texts per call"
  max_inputs: 96,
  // The documentation does not say whether vectors are normalised.
  normalized: true,
  task_types: Object.values(COHERE_WORDS),
  embedding_types: ["int8", "uint8", "binary", "ubinary"],
};

/** The API requires a task: most texts that are embedded are documents to search in. */
const COHERE_TASK = COHERE_WORDS.document;

export function cohere3(host: Host): Family {
  return {
    ids: ["cohere.embed-english-v3", "cohere.embed-multilingual-v3"],
    facts: { ...COHERE, dimensions: 1024, max_input_tokens: 512 },
    // "#/texts/0: expected maxLength: 2048", whatever `truncate` says (deepset-ai/haystack-core-integrations#912).
    mostOfText: { size: 2048, of: (character) => character.length },
    body: ({ texts, task, cut, types }) => ({
      texts,
      input_type: task ?? COHERE_TASK,
      truncate: cut.toUpperCase(),
      ...(types.length === 0 ? {} : { embedding_types: ["float", ...types] }),
    }),
    read: cohereReply(host),
  };
}

const SIDES: Readonly<Record<Cut, string>> = { none: "NONE", start: "LEFT", end: "RIGHT" };

export function cohere4(host: Host): Family {
  return {
    ids: ["cohere.embed-v4"],
    facts: {
      ...COHERE,
      dimensions: 1536,
      dimensions_allowed: [256, 512, 1024, 1536],
      max_input_tokens: 128_000,
    },
    body: ({ texts, task, cut, types, dimensions }) => ({
      texts,
      input_type: task ?? COHERE_TASK,
      truncate: SIDES[cut],
      ...(dimensions === undefined ? {} : { output_dimension: dimensions }),
      ...(types.length === 0 ? {} : { embedding_types: ["float", ...types] }),
    }),
    read: cohereReply(host),
  };
}

function cohereReply(host: Host): Family["read"] {
  const { t } = host;
  const Floats = t.Array(host.wireVector);
  const integers = (minimum: number, maximum: number) =>
    t.Optional(t.Array(t.Array(t.Integer({ minimum, maximum }))));
  const Reply = t.Object({
    // Version 3 answers with a list unless types were requested; version 4 always answers by type.
    embeddings: t.Union([
      Floats,
      t.Object({
        float: Floats,
        int8: integers(-128, 127),
        uint8: integers(0, 255),
        binary: integers(-128, 127),
        ubinary: integers(0, 255),
      }),
    ]),
  });
  return async (bytes) => {
    const { embeddings } = await host.readReply(Reply, bytes);
    if (!("float" in embeddings))
      return { vectors: embeddings.map((values, index) => ({ index, values: host.vector(values) })) };
    const { float, int8, uint8, binary, ubinary } = embeddings;
    if ([int8, uint8, binary, ubinary].some((list) => list && list.length !== float.length))
      throw host.failure("malformed", "Its reply has more vectors of one type than of another.");
    const vectors = float.map((values, index): IndexedVector => {
      const [signed, unsigned, bits, unsignedBits] = [int8, uint8, binary, ubinary].map(
        (list) => list?.[index],
      );
      return {
        index,
        values: host.vector(values),
        typed: {
          ...(signed && { int8: Int8Array.from(signed) }),
          ...(unsigned && { uint8: Uint8Array.from(unsigned) }),
          ...(bits && { binary: Int8Array.from(bits) }),
          ...(unsignedBits && { ubinary: Uint8Array.from(unsignedBits) }),
        },
      };
    });
    return { vectors };
  };
}

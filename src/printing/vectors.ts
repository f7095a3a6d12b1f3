/**
 * Vectors as entries of an answer, in the shapes that more than one wire has.
 * A shape that one wire alone has is that wire's own.
 */
import type { TypedVector } from "../plugin";
import type { Entries } from "./script";

/**
 * OpenAI's `{"object":"embedding",…}`, indexed by their order.
 * @param typed the same vectors in further types: they stand beside `embedding`
 */
export function embeddingObjects(vectors: readonly Float32Array[], typed?: readonly TypedVector[]): Entries {
  return {
    ...bare(vectors),
    before: (index) => `{"object":"embedding","index":${index},"embedding":`,
    after(index) {
      const further = typed?.[index];
      return further ? `,"embeddings_by_type":${byType(further)}}` : "}";
    },
  };
}

/** Nothing but the vectors. */
export function bare(vectors: readonly Float32Array[]): Entries {
  return { count: vectors.length, vector: (place) => vectors[place] };
}

/** A list of numbers for each type. */
function byType(typed: TypedVector): string {
  return `{${Object.entries(typed).map(([type, list]) => `"${type}":[${list.join()}]`)}}`;
}

/**
 * Vectors as entries of an answer, in the shapes that more than one wire has.
 * A shape that one wire alone has is that wire's own.
 */
import type { TypedVector, VectorType } from "../plugin";
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

/** The same with the numbers of another type in `embedding`, as a list, or as base64 of their bytes. */
export function typedObjects(
  typed: readonly TypedVector[],
  type: VectorType,
  vectors: readonly Float32Array[],
  encoding: "float" | "base64",
): Entries {
  const written = (place: number) => {
    const numbers = packed(type, typed[place]?.[type] ?? new Uint8Array(), vectors[place]?.length ?? 0);
    if (encoding === "float") return `[${numbers.join()}]`;
    const { buffer, byteOffset, byteLength } = numbers;
    return `"${Buffer.from(buffer, byteOffset, byteLength).toString("base64")}"`;
  };
  return {
    count: typed.length,
    before: (index) => `{"object":"embedding","index":${index},"embedding":${written(index)}}`,
  };
}

/** Vendors who write a bit as a number of its own have it as the others do here: eight a byte, the first in its highest bit. */
function packed(type: VectorType, numbers: Int8Array | Uint8Array, dimensions: number) {
  const isPacked = (type !== "binary" && type !== "ubinary") || numbers.length < Math.max(dimensions, 2);
  if (isPacked) return numbers;
  const bytes = new Uint8Array(Math.ceil(dimensions / 8));
  for (const [i, bit] of numbers.entries()) bytes[i >> 3] = (bytes[i >> 3] ?? 0) | (bit << (7 - (i & 7)));
  // Signed, they are written 128 less.
  return type === "ubinary" ? bytes : Int8Array.from(bytes, (byte) => byte - 128);
}

/** Nothing but the vectors. */
export function bare(vectors: readonly Float32Array[]): Entries {
  return { count: vectors.length, vector: (place) => vectors[place] };
}

/** A list of numbers for each type. */
function byType(typed: TypedVector): string {
  return `{${Object.entries(typed).map(([type, list]) => `"${type}":[${list.join()}]`)}}`;
}

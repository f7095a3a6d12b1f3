/**
 * Vectors as entries of an answer, in shapes that several APIs share.
 * A shape of a single API is in its own file.
 */
import type { TypedVector, VectorType } from "../plugin";
import type { Entries } from "./script";

/**
 * OpenAI's `{"object":"embedding",…}`, indexed by their order.
 * @param typed the same vectors in further types: they are put beside `embedding`
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

/** The same with another type's numbers in `embedding`, as a list, or as base64 of their bytes. */
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

/** Vendors that write each bit as a number get the same form as the others here: eight bits per byte, the first in the highest bit. */
function packed(type: VectorType, numbers: Int8Array | Uint8Array, dimensions: number) {
  const isPacked = (type !== "binary" && type !== "ubinary") || numbers.length < Math.max(dimensions, 2);
  if (isPacked) return numbers;
  const bytes = new Uint8Array(Math.ceil(dimensions / 8));
  for (const [i, bit] of numbers.entries()) bytes[i >> 3] = (bytes[i >> 3] ?? 0) | (bit << (7 - (i & 7)));
  // Signed values are 128 less.
  return type === "ubinary" ? bytes : Int8Array.from(bytes, (byte) => byte - 128);
}

/** Only the vectors. */
export function bare(vectors: readonly Float32Array[]): Entries {
  return { count: vectors.length, vector: (place) => vectors[place] };
}

/** A list of numbers for each type. */
function byType(typed: TypedVector): string {
  return `{${Object.entries(typed).map(([type, list]) => `"${type}":[${list.join()}]`)}}`;
}

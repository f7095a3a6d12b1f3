/**
 * Vectors in the types that Cohere's and Amazon's requests name: one member per type. Types other than float come from the provider, and are never
 * computed here, because vendors do not publish how they scale int8.
 */
import type { Result } from "../../domain/request";
import type { TypedVector, VectorType } from "../../plugin";
import type { Entries, Script } from "../../printing/script";
import { bare } from "../../printing/vectors";

export const VECTOR_TYPES: readonly VectorType[] = ["int8", "uint8", "binary", "ubinary"];

export type AskedType = VectorType | "float" | "base64";

type Passages = Script["passages"];

/** One member for each requested type. @param open and close the text around all vectors of a type */
export function inTypes(asked: readonly AskedType[], result: Result, open = "", close = ""): Passages {
  return [...new Set(asked)].flatMap((type, i) => [
    `${i > 0 ? "," : ""}"${type}":${open}`,
    entriesOf(type, result),
    close,
  ]);
}

function entriesOf(type: AskedType, { vectors, typed = [] }: Result): Entries {
  if (type === "float") return bare(vectors);
  if (type === "base64") return { count: vectors.length, before: (place) => base64Of(vectors[place]) };
  return { count: typed.length, before: (place) => listOf(typed[place]?.[type]) };
}

/** Its float32 numbers, little-endian. */
function base64Of(values: Float32Array | undefined): string {
  const { buffer, byteOffset, byteLength } = values ?? new Float32Array();
  return `"${Buffer.from(buffer, byteOffset, byteLength).toString("base64")}"`;
}

const listOf = (numbers: TypedVector[VectorType]) => `[${numbers?.join() ?? ""}]`;

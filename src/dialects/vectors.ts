/**
 * Vectors as OpenAI-shaped JSON entries. `float` and `base64` carry the same values bit for bit.
 * A new encoding is a writer here and a word in the schema.
 */
import type { TypedVector } from "../plugin";

/**
 * Comma-separated `{"object":"embedding",…}` entries, indexed by their order.
 * @param typed the same vectors in further types: they stand beside `embedding`
 */
export function writeEmbeddings(
  vectors: readonly Float32Array[],
  encoding: "float" | "base64",
  typed?: readonly TypedVector[],
): string {
  const write = encoding === "base64" ? quotedBase64 : numbers;
  return vectors
    .map((values, index) => {
      const further = typed?.[index];
      const beside = further ? `,"embeddings_by_type":${byType(further)}` : "";
      return `{"object":"embedding","index":${index},"embedding":${write(values)}${beside}}`;
    })
    .join(",");
}

/** A list of numbers for each type. */
function byType(typed: TypedVector): string {
  return `{${Object.entries(typed).map(([type, list]) => `"${type}":[${list.join()}]`)}}`;
}

/** Each float32 printed as the double that equals it, so that reading it back gives the same bits. */
export function numbers(values: Float32Array): string {
  // JSON has -0 but JavaScript prints it as 0: the sign of zero is the one thing join() would lose.
  let text = "[";
  for (let i = 0; i < values.length; i++) {
    const value = values[i] ?? 0;
    text += i === 0 ? "" : ",";
    text += Object.is(value, -0) ? "-0" : value;
  }
  return `${text}]`;
}

function quotedBase64(values: Float32Array): string {
  return `"${new Uint8Array(values.buffer, values.byteOffset, values.byteLength).toBase64()}"`;
}

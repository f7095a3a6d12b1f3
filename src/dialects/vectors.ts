/**
 * Vectors as OpenAI-shaped JSON entries. `float` and `base64` carry the same values bit for bit.
 * A new encoding is a writer here and a word in the schema.
 */
import type { TypedVector } from "../plugin";
import { FLOAT_BYTES_MAX, writeFloat } from "./float-digits";

/**
 * Comma-separated `{"object":"embedding",…}` entries, indexed by their order, as the bytes of an answer.
 * @param typed the same vectors in further types: they stand beside `embedding`
 * @param around what the answer has before and after them
 */
export function writeEmbeddings(
  vectors: readonly Float32Array[],
  encoding: "float" | "base64",
  typed?: readonly TypedVector[],
  around: { readonly before: string; readonly after: string } = { before: "", after: "" },
): Buffer<ArrayBuffer> {
  const sides = Buffer.byteLength(around.before) + Buffer.byteLength(around.after);
  const beside = vectors.map((_, index) => {
    const further = typed?.[index];
    return further ? `,"embeddings_by_type":${byType(further)}` : "";
  });
  let bytesMax = sides;
  for (const [i, { length }] of vectors.entries())
    bytesMax +=
      ENTRY_BYTES +
      (beside[i] ?? "").length +
      (encoding === "float" ? (FLOAT_BYTES_MAX + 1) * length : 6 * length);
  // Written once, from the front: what is not needed is never touched.
  const bytes = Buffer.from(new ArrayBuffer(bytesMax));
  let end = bytes.write(around.before);
  for (const [index, values] of vectors.entries()) {
    end += bytes.write(
      `${index === 0 ? "" : ","}{"object":"embedding","index":${index},"embedding":`,
      end,
      "latin1",
    );
    if (encoding === "base64") end += bytes.write(quotedBase64(values), end, "latin1");
    else end = writeNumbers(values, bytes, end);
    end += bytes.write(`${beside[index]}}`, end, "latin1");
  }
  end += bytes.write(around.after, end);
  return bytes.subarray(0, end);
}

/** An entry without its vector: its words, an index of up to ten digits, and what base64 rounds up to. */
const ENTRY_BYTES = 80;

/** A list of numbers for each type. */
function byType(typed: TypedVector): string {
  return `{${Object.entries(typed).map(([type, list]) => `"${type}":[${list.join()}]`)}}`;
}

/** As a list in JSON; reading it back gives the same bits, the sign of zero included. */
export function numbers(values: Float32Array): string {
  const bytes = Buffer.from(new ArrayBuffer((FLOAT_BYTES_MAX + 1) * values.length + 2));
  return bytes.toString("latin1", 0, writeNumbers(values, bytes, 0));
}

const [OPEN, CLOSE, COMMA] = [91, 93, 44];

function writeNumbers(values: Float32Array, target: Uint8Array, at: number): number {
  let end = at;
  target[end++] = OPEN;
  for (let i = 0; i < values.length; i++) {
    if (i > 0) target[end++] = COMMA;
    end = writeFloat(values[i] ?? 0, target, end);
  }
  target[end++] = CLOSE;
  return end;
}

function quotedBase64(values: Float32Array): string {
  return `"${new Uint8Array(values.buffer, values.byteOffset, values.byteLength).toBase64()}"`;
}

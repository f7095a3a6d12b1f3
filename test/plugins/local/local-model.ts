/**
 * Opens the real plugin with the real host for the tests of this folder, and reads their reference data.
 * The reference vectors are sentence-transformers' float32 ones, the token ids those of Python's `tokenizers`, both cut to 256.
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import plugin from "../../../plugins/local/index";
import { callFor } from "../../../src/conformance/subject";
import { GatewayError } from "../../../src/domain/errors";
import { realOutside } from "../../../src/network/real-outside";
import type { EmbedCall, EmbedReply, Input, Upstream } from "../../../src/plugin";
import { createHost } from "../../../src/upstream/host";

export const MODEL = "all-MiniLM-L6-v2";

/** @param options the plugin's own: `{ workers: 1 }` */
export function openLocal(options: { readonly workers?: number; readonly kernel?: string } = {}): Upstream {
  return plugin(createHost(realOutside)).open(options);
}

export const call = (inputs: readonly Input[], changes: Partial<EmbedCall> = {}): EmbedCall =>
  callFor({ model: MODEL }, inputs, changes);

/** The reply's vectors in the order of the inputs. */
export function inOrder({ vectors }: EmbedReply): Float32Array[] {
  return [...vectors].sort((a, b) => a.index - b.index).map(({ values }) => values);
}

/** The one vector of one input. */
export async function vectorOf(
  upstream: Upstream,
  input: Input,
  changes?: Partial<EmbedCall>,
): Promise<Float32Array> {
  const [vector] = inOrder(await upstream.embed(call([input], changes)));
  if (vector === undefined) throw new Error("The reply had no vector.");
  return vector;
}

/** The error that the promise is rejected with. Throws if it is not one of the gateway's errors. */
export async function failureOf(promise: Promise<unknown>): Promise<GatewayError> {
  const failure: unknown = await promise.then(
    () => new Error("It was fulfilled."),
    (reason) => reason,
  );
  if (failure instanceof GatewayError) return failure;
  throw failure;
}

/** For vectors of unit length. */
export function cosine(a: Float32Array, b: Float32Array): number {
  return a.reduce((sum, value, place) => sum + value * (b[place] ?? Number.NaN), 0);
}

export interface ReferenceVector {
  readonly text: string;
  readonly vector: Float32Array;
}

export function referenceVectors(): ReferenceVector[] {
  const { rows }: { rows: { text: string; vector_base64: string }[] } = read("minilm-vectors.json");
  return rows.map(({ text, vector_base64 }) => ({
    text,
    vector: new Float32Array(Uint8Array.from(Buffer.from(vector_base64, "base64")).buffer),
  }));
}

/** With `[CLS]` and `[SEP]`. */
export function referenceTokenIds(): { text: string; ids: number[] }[] {
  return read("minilm-token-ids.json");
}

function read(name: string) {
  return JSON.parse(readFileSync(join(import.meta.dir, name), "utf8"));
}

/** The playground's state while the page is open, which other views can set. It is lost with the page. */
import { signal } from "@preact/signals";
import { ask, session } from "./api";
import { now } from "./browser";

/** A caller's key: an admin's session cannot embed. */
export const callerKey = signal("");
export const texts = signal(
  "How do I get my money back?\nRefunds take five working days.\nWhere is my parcel?\nThe courier brings it tomorrow.\nMy battery is empty after an hour.\nThe charger must be plugged in at night.",
);
export const models = signal<readonly [string, string]>(["", ""]);

/** One model's result for the lines. */
export interface Embedded {
  readonly model: string;
  readonly lines: readonly string[];
  readonly vectors: readonly Float32Array[];
  readonly tokens: number;
  readonly ms: number;
}

export const results = signal<readonly Embedded[]>([]);

interface Answer {
  readonly data: readonly { readonly index: number; readonly embedding: readonly number[] }[];
  readonly usage?: { readonly prompt_tokens?: number };
}

export const needsKey = () => session.value?.mode !== "open";

/** @throws Refused */
export async function embed(model: string, lines: readonly string[]): Promise<Embedded> {
  const began = now();
  const said: Answer = await ask("/v1/embeddings", {
    method: "POST",
    headers: {
      "content-type": "application/json",
      // Sent even if empty: a 401 without a key must not end the session.
      ...(needsKey() && { authorization: `Bearer ${callerKey.value.trim()}` }),
    },
    body: JSON.stringify({ model, input: lines, encoding_format: "float" }),
  });
  return {
    model,
    lines,
    vectors: said.data
      .toSorted((a, b) => a.index - b.index)
      .map(({ embedding }) => Float32Array.from(embedding)),
    tokens: said.usage?.prompt_tokens ?? 0,
    ms: now() - began,
  };
}

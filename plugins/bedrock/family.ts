/**
 * What a family of embedding models on Bedrock is: data that plugins/bedrock/index.ts asks by. A new family is a function in a file of its
 * vendor's, and a line of FAMILIES there. What is true of all of them is in ALL.
 */
import type { EmbedReply, IndexedVector, KnownFacts, VectorType } from "../../src/plugin";
import type { Cut } from "../cutting";

export interface Asked {
  readonly texts: readonly string[];
  readonly dimensions: number | undefined;
  /** In Cohere's words, which are the plugin's. */
  readonly task: string | undefined;
  readonly normalize: boolean | undefined;
  readonly cut: Cut;
  /** Beside float. */
  readonly types: readonly VectorType[];
}

export interface Read extends Pick<EmbedReply, "truncated"> {
  readonly vectors: readonly IndexedVector[];
  readonly tokens?: number | undefined;
}

export interface Family {
  readonly ids: readonly string[];
  readonly facts: KnownFacts;
  /** Whether `normalize` has a meaning to it. */
  readonly normalizes?: boolean;
  /** A hard limit, even where the model truncates: texts are cut to this length before they are sent. */
  readonly mostOfText?: { readonly size: number; readonly of: (character: string) => number };
  readonly body: (asked: Asked) => Readonly<Record<string, unknown>>;
  /** @throws failure malformed */
  readonly read: (bytes: Uint8Array, asked: Asked) => Promise<Read>;
}

export const ALL: KnownFacts = {
  // Its wire takes texts only, and none of the vocabularies is published.
  token_ids: "decode",
  wire_encoding: "float",
  // Each of them refuses a text that is too long, unless it is asked to truncate.
  uncounted: "send",
  // A body may have 25,000,000 bytes (InvokeModel); JSON's escapes take room too.
  max_call_bytes: 10_000_000,
};

/** In UTF-8. */
export function bytesOf(character: string): number {
  const code = character.codePointAt(0) ?? 0;
  return code < 0x80 ? 1 : code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
}

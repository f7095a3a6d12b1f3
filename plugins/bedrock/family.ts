/**
 * Describes a family of embedding models on Bedrock: the data with which plugins/bedrock/index.ts builds a call. A new family is a function in its
 * vendor's file, and a line of FAMILIES there. Facts that are true of all families are in ALL.
 */
import type { EmbedReply, IndexedVector, KnownFacts, VectorType } from "../../src/plugin";
import type { Cut } from "../cutting";

export interface Asked {
  readonly texts: readonly string[];
  readonly dimensions: number | undefined;
  /** In Cohere's words, which this plugin uses for every family. */
  readonly task: string | undefined;
  readonly normalize: boolean | undefined;
  readonly cut: Cut;
  /** Types in addition to float. */
  readonly types: readonly VectorType[];
}

export interface Read extends Pick<EmbedReply, "truncated"> {
  readonly vectors: readonly IndexedVector[];
  readonly tokens?: number | undefined;
}

export interface Family {
  readonly ids: readonly string[];
  readonly facts: KnownFacts;
  /** Whether the model supports `normalize`. */
  readonly normalizes?: boolean;
  /** A hard limit, even where the model truncates: texts are cut to this length before they are sent. */
  readonly mostOfText?: { readonly size: number; readonly of: (character: string) => number };
  readonly body: (asked: Asked) => Readonly<Record<string, unknown>>;
  /** @throws failure malformed */
  readonly read: (bytes: Uint8Array, asked: Asked) => Promise<Read>;
}

export const ALL: KnownFacts = {
  // The API takes texts only, and no model's vocabulary is published.
  token_ids: "decode",
  wire_encoding: "float",
  // Each model refuses a text that is too long, unless it is asked to truncate.
  uncounted: "send",
  // A body may have 25,000,000 bytes (InvokeModel); JSON's escapes take room too.
  max_call_bytes: 10_000_000,
};

/** The character's size in UTF-8. */
export function bytesOf(character: string): number {
  const code = character.codePointAt(0) ?? 0;
  return code < 0x80 ? 1 : code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
}

/**
 * The messages between the main thread and a Worker: one job, one answer. Types only.
 * Every message must survive a structured clone.
 */
import type { FailureAbout, FailureKind, Input, LongInput } from "../../src/plugin";
import type { Native } from "./native";
import type { Wasm } from "./wasm";

/** A Worker's first message: which kernel to use. */
export type Setup = Native | Wasm;

export interface Job {
  readonly inputs: readonly Input[];
  readonly longInput: LongInput;
  /** Shared memory with one number; any value but 0 means that nobody waits for the answer any more. */
  readonly abandoned: Int32Array<SharedArrayBuffer>;
}

export type Answer = Embedded | Refused | Abandoned;

export interface Embedded {
  readonly kind: "embedded";
  /** [input][DIMENSIONS], each of unit length. */
  readonly vectors: Float32Array<ArrayBuffer>;
  /** Ids that were embedded, without `[CLS]` and `[SEP]`. */
  readonly tokensByInput: readonly number[];
  readonly truncated: readonly number[];
  readonly averaged: readonly number[];
}

export interface Refused {
  readonly kind: "refused";
  readonly failure: FailureKind;
  readonly message: string;
  readonly about: FailureAbout;
}

export interface Abandoned {
  readonly kind: "abandoned";
}

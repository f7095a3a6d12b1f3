/**
 * What the main thread and a Worker say to each other: one job, one answer. Types and a few sizes only.
 * Whatever is added must survive a structured clone.
 */
import type { FailureAbout, FailureKind, Input, LongInput } from "../../src/plugin";
import type { Native } from "./native";
import type { Wasm } from "./wasm";

export const DIMENSIONS = 384;
/** Token ids that the model takes at once, with `[CLS]` and `[SEP]`. */
export const MAX_INPUT_TOKENS = 256;

/** Token ids that a kernel takes in one batch. It works in 17 KB a token, and is fastest when that does not leave the processor's cache. */
export const BATCH_TOKENS = MAX_INPUT_TOKENS;

/** A Worker's first message: the kernel that it is to use. */
export type Setup = Native | Wasm;

export interface Job {
  readonly inputs: readonly Input[];
  readonly longInput: LongInput;
  /** Shared memory of one number; anything but 0 says that nobody waits for the answer any more. */
  readonly abandoned: Int32Array<SharedArrayBuffer>;
}

export type Answer = Embedded | Refused | Abandoned;

export interface Embedded {
  readonly kind: "embedded";
  /** [input][DIMENSIONS], each of unit length. */
  readonly vectors: Float32Array<ArrayBuffer>;
  /** Ids embedded, without `[CLS]` and `[SEP]`. */
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

/**
 * The jobs of the tokenizer's Worker, done in steps: a text of millions of characters does not keep a short one waiting.
 * A new kind of job is a member of `Job` and a case of `perform`.
 */
import type { Steps, Token } from "./token";
import {
  type CountingName,
  type Cut,
  countTokens,
  cutByTokens,
  type DecodeFault,
  decodeTokens,
  encodeText,
  mendCuts,
  type VocabularyName,
} from "./vocabulary";

export type Job =
  | {
      readonly id: number;
      readonly kind: "decode" | "mend";
      readonly vocabulary: VocabularyName;
      readonly ids: readonly Uint32Array[];
    }
  | {
      readonly id: number;
      readonly kind: "count";
      readonly vocabulary: CountingName;
      readonly texts: readonly string[];
      readonly limit: number;
    }
  | {
      readonly id: number;
      readonly kind: "cut";
      readonly vocabulary: CountingName;
      readonly texts: readonly string[];
      readonly limit: number;
      readonly pieces: "first" | "all";
    }
  | {
      readonly id: number;
      readonly kind: "encode";
      readonly vocabulary: CountingName;
      readonly texts: readonly string[];
    };

export type Done =
  | { readonly id: number; readonly kind: "decode"; readonly texts: readonly (string | DecodeFault)[] }
  | { readonly id: number; readonly kind: "mend"; readonly texts: readonly (string | undefined)[] }
  | { readonly id: number; readonly kind: "count"; readonly counts: readonly number[] }
  | { readonly id: number; readonly kind: "cut"; readonly cuts: readonly (readonly Cut[] | undefined)[] }
  | { readonly id: number; readonly kind: "encode"; readonly encoded: readonly (readonly Token[])[] };

/** Ends a job that was abandoned. */
export interface Cancel {
  readonly id: number;
  readonly kind: "cancel";
}

export function* perform(job: Job): Steps<Done> {
  switch (job.kind) {
    case "decode":
      return {
        id: job.id,
        kind: "decode",
        texts: yield* each(job.ids, (ids) => decodeTokens(job.vocabulary, ids)),
      };
    case "mend":
      return { id: job.id, kind: "mend", texts: mendCuts(job.vocabulary, job.ids) };
    case "count":
      return {
        id: job.id,
        kind: "count",
        counts: yield* each(job.texts, (text) => countTokens(job.vocabulary, text, job.limit)),
      };
    case "encode": {
      const encoded: (readonly Token[])[] = [];
      for (const text of job.texts) {
        encoded.push(yield* encodeText(job.vocabulary, text));
        if (encoded.length % INPUTS_A_STEP === 0) yield;
      }
      return { id: job.id, kind: "encode", encoded };
    }
    case "cut": {
      const cuts: (readonly Cut[] | undefined)[] = [];
      for (const text of job.texts)
        cuts.push(yield* cutByTokens(job.vocabulary, text, job.limit, job.pieces));
      return { id: job.id, kind: "cut", cuts };
    }
  }
}

/** Inputs per step: a turn of the event loop for each would cost more than most inputs. */
const INPUTS_A_STEP = 16;

function* each<Input, Result>(inputs: readonly Input[], work: (input: Input) => Result): Steps<Result[]> {
  const results: Result[] = [];
  for (const input of inputs) {
    results.push(work(input));
    if (results.length % INPUTS_A_STEP === 0) yield;
  }
  return results;
}

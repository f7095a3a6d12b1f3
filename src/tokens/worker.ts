/**
 * The Worker that tokenizes, so that no text, however hostile, holds up the event loop.
 * A new kind of job is a member of `Job` and a case here.
 */
import { type Cut, countTokens, cutByTokens, decodeTokens, type VocabularyName } from "./vocabulary";

export type Job =
  | {
      readonly id: number;
      readonly kind: "decode";
      readonly vocabulary: VocabularyName;
      readonly ids: readonly Uint32Array[];
    }
  | {
      readonly id: number;
      readonly kind: "count";
      readonly vocabulary: VocabularyName;
      readonly texts: readonly string[];
      readonly limit: number;
    }
  | {
      readonly id: number;
      readonly kind: "cut";
      readonly vocabulary: VocabularyName;
      readonly texts: readonly string[];
      readonly limit: number;
      readonly pieces: "first" | "all";
    };

/** `texts[i]` is undefined where an id of array i is not in the vocabulary. */
export type Done =
  | { readonly id: number; readonly kind: "decode"; readonly texts: readonly (string | undefined)[] }
  | { readonly id: number; readonly kind: "count"; readonly counts: readonly number[] }
  | { readonly id: number; readonly kind: "cut"; readonly cuts: readonly (readonly Cut[] | undefined)[] };

declare const self: Worker;

self.onmessage = ({ data: job }: MessageEvent<Job>) => {
  self.postMessage(perform(job));
};

function perform(job: Job): Done {
  switch (job.kind) {
    case "decode":
      return { id: job.id, kind: "decode", texts: job.ids.map((ids) => decodeTokens(job.vocabulary, ids)) };
    case "count":
      return {
        id: job.id,
        kind: "count",
        counts: job.texts.map((text) => countTokens(job.vocabulary, text, job.limit)),
      };
    case "cut":
      return {
        id: job.id,
        kind: "cut",
        cuts: job.texts.map((text) => cutByTokens(job.vocabulary, text, job.limit, job.pieces)),
      };
  }
}

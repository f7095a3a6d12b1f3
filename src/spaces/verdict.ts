/**
 * How similar two measurements of a space are, and what probably explains the difference: coarser numbers only (quantisation), or another
 * tokenizer, pooling, prefix or model. The thresholds come from docs/spaces-measured.md; put new measurements there first.
 */
import { cosineOf } from "../domain/cosine";
import { type Measurement, PROBES, type ProbeKind } from "../domain/probes";

export type CosineByKind = Readonly<Partial<Record<ProbeKind, number>>>;

export interface Comparison {
  /** The lowest cosine over all probe texts; -1 if they cannot be compared. */
  readonly least: number;
  /** The lowest cosine of each kind of text for which both have vectors. */
  readonly byKind: CosineByKind;
  /** The directions agree but the lengths differ: one of the two is not normalised. */
  readonly isOtherLength: boolean;
  /** The probable difference. */
  readonly says: string;
}

/** The lowest cosine over the positions at which both have a vector; -1 if they cannot be compared. */
export function agreement(one: Measurement, other: Measurement): number {
  if (one.length !== other.length) return -1;
  const cosines = one.flatMap((vector, i) => {
    const against = other[i];
    return vector && against ? [cosine(vector, against)] : [];
  });
  return cosines.length === 0 ? -1 : Math.min(...cosines);
}

/** @param one the route's measurement @param other the space's fingerprint; both of PROBES */
export function compare(one: Measurement, other: Measurement): Comparison {
  const byKind: Partial<Record<ProbeKind, number>> = {};
  const ratios: number[] = [];
  for (const [i, { kind }] of PROBES.entries()) {
    const vector = one[i];
    const against = other[i];
    if (!vector || !against) continue;
    byKind[kind] = Math.min(byKind[kind] ?? 1, cosine(vector, against));
    ratios.push(Math.hypot(...vector) / Math.hypot(...against));
  }
  const least = agreement(one, other);
  const ratio = ratios.toSorted((a, b) => a - b)[ratios.length >> 1] ?? 1;
  const isOtherLength = ratio > LENGTH_RATIO_MAX || ratio < 1 / LENGTH_RATIO_MAX;
  const says = inWords(least, byKind, sizeOf(one), sizeOf(other));
  return {
    least,
    byKind,
    isOtherLength,
    says:
      isOtherLength && (byKind["plain English"] ?? least) >= COARSE
        ? `${says}, ${least >= COARSE ? "but" : "and"} ${otherLength(ratio)}`
        : says,
  };
}

/** Quantisation changes lengths by less. llama-cpp-python 0.3.36, which does not normalise, returns MiniLM vectors of length 2.4 to 7.4. */
const LENGTH_RATIO_MAX = 1.25;

const otherLength = (ratio: number) =>
  `vectors ${ratio.toPrecision(3)} times as long: one of the two does not normalise (with normalized: true of the model the gateway does it for both)`;

/** Float32 compared with float16 or bfloat16 stays above this. */
const SAME_NUMBERS = 0.9999;
/** Every tokenizer of a model gives plain English this cosine, at 8 bits too. */
const SAME_MODEL = 0.99;
/** With 8-bit weights many kinds of text stay above this, whatever the tokenizer; with 4-bit weights hardly any does. */
const FINE = 0.995;
const FINE_SHARE = 1 / 4;
/** 4-bit weights give .97 for plain English and .86 for one word (Q4_K_M: .99, .96); e5 with its other prefix .98 and .91. */
const COARSE = 0.85;
/** Another pooling, or a prefix of several words, keeps plain English above this; another model's vectors are near 0. */
const RELATED = 0.45;

function inWords(least: number, byKind: CosineByKind, size: number, otherSize: number): string {
  if (size !== otherSize) return `another model: ${size} dimensions, not ${otherSize}`;
  if (least >= SAME_NUMBERS) return "identical vectors";
  if (least >= SAME_MODEL) return "the same model, quantised";
  const plain = byKind["plain English"] ?? least;
  // Another tokenizer does not change texts that it splits in the same way; quantisation changes every text.
  const kinds = Object.values(byKind);
  const isFine = kinds.filter((one) => one >= FINE).length >= kinds.length * FINE_SHARE;
  if (plain >= SAME_MODEL && isFine) return otherTokenizer(byKind);
  if (plain >= 0.9 && least >= COARSE)
    return "strong quantisation (about 4 bits), or another prompt before each text";
  if (plain >= 0.95) {
    const both = `strong quantisation, and ${otherTokenizer(byKind, COARSE)}`;
    // Another pooling changes many kinds of text, and so does a tokenizer that keeps accents.
    return kindsBelow(COARSE, byKind).length <= FEW ? both : `${both}; or another pooling`;
  }
  if (plain >= RELATED) return "another pooling, or another prompt before each text";
  return "another model";
}

const TREATED: Readonly<Partial<Record<ProbeKind, string>>> = {
  case: "capital letters are handled differently",
  accents: "accents are handled differently",
  "decomposed accents": "accents are handled differently",
  "a very long word": "very long words are split differently",
  blanks: "whitespace is handled differently",
  "special tokens": "special tokens written in a text are handled differently",
};

/** With another tokenizer up to this many of the 23 kinds differ; another pooling changes more of them. */
const FEW = 4;

function kindsBelow(limit: number, byKind: CosineByKind): readonly ProbeKind[] {
  const kinds = new Set(PROBES.map(({ kind }) => kind));
  return [...kinds].filter((kind) => (byKind[kind] ?? 1) < limit);
}

function otherTokenizer(byKind: CosineByKind, limit = SAME_MODEL): string {
  const ofTexts = kindsBelow(limit, byKind).filter((kind) => kind !== "a long text");
  if (ofTexts.length === 0) return "long texts are truncated elsewhere: another token limit";
  const plainly = ofTexts.filter((kind) => TREATED[kind] === undefined);
  const told = new Set(ofTexts.map((kind) => TREATED[kind]).filter((words) => words !== undefined));
  if (plainly.length > 0)
    told.add(`${plainly.join(", ")} ${plainly.length === 1 ? "is" : "are"} tokenized differently`);
  return `${[...told].join("; ")}: another tokenizer`;
}

const sizeOf = (measurement: Measurement) => measurement.find((vector) => vector)?.length ?? 0;

/** -1 if the vectors cannot be compared. */
const cosine = (one: Float32Array, other: Float32Array) => cosineOf(one, other) ?? -1;

/**
 * Splits one call over several threads: its inputs into shares of about the same work, and the shares' answers into one.
 * `weigh` estimates the work; `merge` must combine whatever an answer has per input.
 */
import type { Input } from "../../src/plugin";
import type { Embedded } from "./messages";

/**
 * In characters. A share fills about one batch of the model, some 40 ms of work, which is the longest that others wait for it.
 * A share below the minimum is not worth another thread.
 */
const SHARE = 1024;
const SMALLEST_SHARE = 256;
const CHARACTERS_OF_A_TOKEN = 4;

export interface Share {
  /** The position of its first input in the call. */
  readonly first: number;
  readonly inputs: readonly Input[];
}

/**
 * In the order of the inputs, so that the first share that fails holds the first invalid input.
 * @param threads available; the number of shares is this or a multiple of it, so that they end together
 */
export function divide(inputs: readonly Input[], threads: number): Share[] {
  const work = inputs.reduce((sum, input) => sum + weigh(input), 0);
  const wanted = Math.ceil(work / SHARE / threads) * threads;
  const count = Math.max(1, Math.min(wanted, inputs.length, Math.floor(work / SMALLEST_SHARE)));
  const shares: Share[] = [];
  let first = 0;
  let done = 0;
  for (const [place, input] of inputs.entries()) {
    done += weigh(input);
    const isLast = place === inputs.length - 1;
    if (isLast || done >= ((shares.length + 1) * work) / count) {
      shares.push({ first, inputs: inputs.slice(first, place + 1) });
      first = place + 1;
    }
  }
  return shares;
}

function weigh(input: Input): number {
  return typeof input === "string" ? input.length : input.length * CHARACTERS_OF_A_TOKEN;
}

/** @param answers one per share, in their order */
export function merge(shares: readonly Share[], answers: readonly Embedded[]): Embedded {
  const [only] = answers;
  if (only !== undefined && answers.length === 1) return only;
  const vectors = new Float32Array(answers.reduce((length, answer) => length + answer.vectors.length, 0));
  let to = 0;
  for (const answer of answers) {
    vectors.set(answer.vectors, to);
    to += answer.vectors.length;
  }
  const placesOf = (kind: "truncated" | "averaged") =>
    answers.flatMap((answer, share) => answer[kind].map((place) => place + (shares[share]?.first ?? 0)));
  return {
    kind: "embedded",
    vectors,
    tokensByInput: answers.flatMap(({ tokensByInput }) => tokensByInput),
    truncated: placesOf("truncated"),
    averaged: placesOf("averaged"),
  };
}

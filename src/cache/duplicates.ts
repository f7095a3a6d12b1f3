/**
 * Equal inputs of one request are embedded once: finds the unique ones, and maps the answers back to every input.
 * It only compares keys, so it stays correct whatever a key stands for.
 */
import { GatewayError } from "../domain/errors";
import type { CacheKey } from "./entry";

export interface Unique {
  /** For each unique key, in order of appearance: the index of the first input that has it. */
  readonly places: readonly number[];
  /** For each input: the index of the unique one that answers it. */
  readonly answeredBy: readonly number[];
}

/** One input has no duplicates. */
const ONLY: Unique = { places: [0], answeredBy: [0] };

/** @param keys one per input, in the request's order */
export function withoutDuplicates(keys: readonly CacheKey[]): Unique {
  if (keys.length === 1) return ONLY;
  const places: number[] = [];
  const known = new Map<CacheKey, number>();
  const answeredBy = keys.map((key, place) => {
    const before = known.get(key);
    if (before !== undefined) return before;
    const unique = places.push(place) - 1;
    known.set(key, unique);
    return unique;
  });
  return { places, answeredBy };
}

/**
 * Maps back: one answer for each input of the request. Equal inputs get the same object.
 * @param answers one for each of `unique.places`; undefined is a missing answer
 * @throws GatewayError internal if an input would be left without its own answer
 */
export function putTogether<Answer extends object>(
  answers: readonly (Answer | undefined)[],
  unique: Unique,
): readonly Answer[] {
  if (answers.length !== unique.places.length) throw lost();
  return unique.answeredBy.map((index) => {
    const answer = answers[index];
    if (answer === undefined) throw lost();
    return answer;
  });
}

const lost = () =>
  new GatewayError("internal", "The gateway lost track of which input is which's duplicate.");

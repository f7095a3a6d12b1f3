/**
 * Types that all vocabularies in this folder share: a token in a text, and long work in steps.
 */

/** A token of a text, with its position in UTF-16 units. */
export interface Token {
  readonly id: number;
  /** U+FFFD if the token is not a whole number of characters. */
  readonly text: string;
  /** A token that the model adds to every text. */
  readonly special: boolean;
  /** null: it has no position in the text. */
  readonly start: number | null;
  readonly stop: number | null;
}

/** Long work in short steps, so that other work can run between two steps. */
export type Steps<Result> = Generator<undefined, Result, undefined>;

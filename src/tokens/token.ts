/**
 * What is found in a text, and how long work is done in turns: the words that every vocabulary of this folder shares.
 */

/** A token of a text, and where it stands in it, in UTF-16 units. */
export interface Token {
  readonly id: number;
  /** U+FFFD for what is no whole character. */
  readonly text: string;
  /** A mark that the model puts around every text. */
  readonly special: boolean;
  /** null: it stands nowhere in the text. */
  readonly start: number | null;
  readonly stop: number | null;
}

/** Long work in short steps: whoever takes them may do other work between two of them. */
export type Steps<Result> = Generator<undefined, Result, undefined>;

/**
 * Token ids ↔ text for the vocabularies that clients write token arrays in. Runs in a Worker (src/tokens/worker.ts).
 * A new vocabulary is an import and a line of VOCABULARIES, with its name added to the `tokenizer` fact.
 */
import * as cl100k from "gpt-tokenizer/encoding/cl100k_base";

const VOCABULARIES = { cl100k_base: cl100k } as const;
export type VocabularyName = keyof typeof VOCABULARIES;

/** `<|endoftext|>` in a text is text: the library throws on it unless told so. */
const AS_TEXT = { disallowedSpecial: new Set<string>() };

/** The text that the ids stand for, or undefined where an id is not in the vocabulary. */
export function decodeTokens(vocabulary: VocabularyName, ids: Uint32Array): string | undefined {
  const { decode, vocabularySize } = VOCABULARIES[vocabulary];
  for (const id of ids) if (id >= vocabularySize) return undefined;
  try {
    return decode(ids);
  } catch {
    // The vocabulary has holes between its last word and its special tokens: the library throws there.
    return undefined;
  }
}

/**
 * Counts a text's tokens up to `limit`; more than that is told as limit + 1, whatever the text.
 * The library's merging is quadratic in the length of one "word" (100,000 × "a" took 24 s), so a longer one is counted in pieces:
 * that can only count a token too many at each border.
 */
export function countTokens(vocabulary: VocabularyName, text: string, limit: number): number {
  const { isWithinTokenLimit } = VOCABULARIES[vocabulary];
  let count = 0;
  for (const piece of piecesOf(text)) {
    const within = isWithinTokenLimit(piece, limit - count, AS_TEXT);
    if (within === false) return limit + 1;
    count += within;
  }
  return count;
}

const LONG_RUN = /((?:\p{L}|\p{M}){200,}|[^\s\p{L}\p{N}]{200,}|\s{200,})/u;
const PIECE_CHARACTERS = 128;

function* piecesOf(text: string): Generator<string> {
  for (const [place, part] of text.split(LONG_RUN).entries()) {
    // split() with a group gives what lies between the long runs at even places, and the runs at odd ones.
    if (place % 2 === 0) {
      if (part !== "") yield part;
      continue;
    }
    for (let start = 0; start < part.length; start += PIECE_CHARACTERS)
      yield part.slice(start, start + PIECE_CHARACTERS);
  }
}

/**
 * Token ids ↔ text for the vocabularies that clients write token arrays in. Runs in a Worker (src/tokens/worker.ts).
 * A new vocabulary is an import and a line of VOCABULARIES, with its name added to the `tokenizer` fact.
 */
import cl100kWords from "gpt-tokenizer/bpeRanks/cl100k_base";
import * as cl100k from "gpt-tokenizer/encoding/cl100k_base";

const VOCABULARIES = { cl100k_base: cl100k } as const;
export type VocabularyName = keyof typeof VOCABULARIES;

/** By id: a word, or its bytes where they are no whole characters. */
const WORDS: Readonly<Record<VocabularyName, readonly (string | readonly number[] | undefined)[]>> = {
  cl100k_base: cl100kWords,
};

/** Ids past the words, with holes between them: openai/tiktoken, openai_public.py. */
const SPECIAL_WORDS: Readonly<Record<VocabularyName, Readonly<Record<number, string>>>> = {
  cl100k_base: {
    100257: "<|endoftext|>",
    100258: "<|fim_prefix|>",
    100259: "<|fim_middle|>",
    100260: "<|fim_suffix|>",
    100276: "<|endofprompt|>",
  },
};

/** `<|endoftext|>` in a text is text: the library throws on it unless told so. */
const AS_TEXT = { disallowedSpecial: new Set<string>() };

/**
 * The text that the ids stand for, or undefined where an id is not in the vocabulary. Bytes that are no character become U+FFFD.
 * Not the library's own decode: it keeps the bytes of an unfinished character for the next call, and so puts them into another text.
 */
export function decodeTokens(vocabulary: VocabularyName, ids: Uint32Array): string | undefined {
  const words = WORDS[vocabulary];
  const special = SPECIAL_WORDS[vocabulary];
  const pieces: Uint8Array[] = [];
  for (const id of ids) {
    const word = words[id] ?? special[id];
    if (word === undefined) return undefined;
    pieces.push(typeof word === "string" ? encoder.encode(word) : Uint8Array.from(word));
  }
  return decoder.decode(Buffer.concat(pieces));
}

const encoder = new TextEncoder();
// A text's own byte order mark is part of it.
const decoder = new TextDecoder("utf-8", { ignoreBOM: true });

/**
 * Counts a text's tokens up to `limit`; more than that is told as limit + 1, whatever the text.
 * The library's merging is quadratic in the length of one "word" (100,000 × "a" took 24 s), so a longer one is counted in pieces:
 * that can count a token or two more or less at each border, and it is the provider who has the last word.
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

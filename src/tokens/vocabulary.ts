/**
 * Token ids ↔ text for the vocabularies that clients write token arrays in. Runs in a Worker (src/tokens/worker.ts).
 * A new vocabulary is an import and a line of VOCABULARIES, with its name added to the `tokenizer` fact.
 */

import cl100kWords from "gpt-tokenizer/bpeRanks/cl100k_base";
import * as cl100k from "gpt-tokenizer/encoding/cl100k_base";
import { countBert, headBert } from "./bert";
import { encodeBert } from "./bert-places";
import type { Steps, Token } from "./token";

const VOCABULARIES = { cl100k_base: cl100k } as const;
/** Those whose ids are known to stand for text. */
export type VocabularyName = keyof typeof VOCABULARIES;
/** Those that texts are counted and cut by. */
export type CountingName = VocabularyName | "bert_uncased";

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

/** Why ids stand for no text: one is in no vocabulary, or they begin or end inside a character. */
export type DecodeFault = { readonly fault: "unknown id" | "cut character" };

/**
 * The text that the ids stand for. Not the library's own decode: it keeps the bytes of an unfinished character for the next call, and so puts
 * them into another text, and what is none becomes U+FFFD, which is another text too.
 */
export function decodeTokens(vocabulary: VocabularyName, ids: Uint32Array): string | DecodeFault {
  const bytes = bytesOf(vocabulary, ids);
  return bytes === undefined ? { fault: "unknown id" } : textOf(bytes);
}

function textOf(bytes: Uint8Array): string | DecodeFault {
  try {
    return wholeDecoder.decode(bytes);
  } catch {
    return { fault: "cut character" };
  }
}

function bytesOf(vocabulary: VocabularyName, ids: Uint32Array): Uint8Array | undefined {
  const words = WORDS[vocabulary];
  const special = SPECIAL_WORDS[vocabulary];
  const pieces: Uint8Array[] = [];
  for (const id of ids) {
    const word = words[id] ?? special[id];
    if (word === undefined) return undefined;
    pieces.push(typeof word === "string" ? encoder.encode(word) : Uint8Array.from(word));
  }
  return Buffer.concat(pieces);
}

/**
 * Consecutive pieces of one text that a client cut by ids, in the middle of a character (LangChain's OpenAIEmbeddings, every 8191 ids): that
 * character goes to the piece that it begins in.
 * @returns the text of each list that is not what its own ids alone stand for; undefined for the others, whole or not
 */
export function mendCuts(
  vocabulary: VocabularyName,
  lists: readonly Uint32Array[],
): readonly (string | undefined)[] {
  const own = lists.map((ids) => bytesOf(vocabulary, ids));
  const mended = [...own];
  for (const [i, bytes] of mended.entries()) {
    const next = mended[i + 1];
    const missing = bytes === undefined ? 0 : missingBytes(bytes);
    // All that is missing must stand at the start of the next, and leave something there.
    if (!bytes || !next || missing === 0 || missing >= next.length) continue;
    if (!next.subarray(0, missing).every(continues)) continue;
    mended[i] = Buffer.concat([bytes, next.subarray(0, missing)]);
    mended[i + 1] = next.subarray(missing);
  }
  return mended.map((bytes, i) => {
    if (bytes === undefined || bytes === own[i]) return undefined;
    const text = textOf(bytes);
    return typeof text === "string" ? text : undefined;
  });
}

/** A byte of the form 10xxxxxx goes on with the character before it. */
const continues = (byte: number) => (byte & 0xc0) === 0x80;

/** Of the character that the bytes end in; 0 where they end with a whole one. */
function missingBytes(bytes: Uint8Array): number {
  for (let back = 1; back <= Math.min(3, bytes.length); back++) {
    const byte = bytes[bytes.length - back] ?? 0;
    if (continues(byte)) continue;
    const length = byte >= 0xf0 ? 4 : byte >= 0xe0 ? 3 : byte >= 0xc0 ? 2 : 1;
    return Math.max(0, length - back);
  }
  return 0;
}

const encoder = new TextEncoder();
// A text's own byte order mark is part of it.
const decoder = new TextDecoder("utf-8", { ignoreBOM: true });
const wholeDecoder = new TextDecoder("utf-8", { ignoreBOM: true, fatal: true });

/**
 * Counts a text's tokens up to `limit`; more than that is told as limit + 1, whatever the text.
 * The library's merging is quadratic in the length of one "word" (100,000 × "a" took 24 s), so a longer one is counted in pieces:
 * that can count a token or two more or less at each border, and the provider's count is decisive.
 */
export function countTokens(vocabulary: CountingName, text: string, limit: number): number {
  if (vocabulary === "bert_uncased") return countBert(text, limit);
  const { isWithinTokenLimit } = VOCABULARIES[vocabulary];
  let count = 0;
  for (const piece of piecesOf(text)) {
    const within = isWithinTokenLimit(piece, limit - count, AS_TEXT);
    if (within === false) return limit + 1;
    count += within;
  }
  return count;
}

/** So many tokens are a step: some milliseconds. */
const TOKENS_A_STEP = 4_096;

/** All tokens of a text, in order; of very long words as `countTokens` counts them. */
export function* encodeText(vocabulary: CountingName, text: string): Steps<Token[]> {
  if (vocabulary === "bert_uncased") return yield* encodeBert(text);
  const words = WORDS[vocabulary];
  const found: Token[] = [];
  let stepAt = TOKENS_A_STEP;
  let start = 0;
  let bytesLeft = 0;
  for (const piece of piecesOf(text)) {
    for (const id of VOCABULARIES[vocabulary].encode(piece, AS_TEXT)) {
      const word = words[id] ?? "";
      const bytes = typeof word === "string" ? encoder.encode(word) : Uint8Array.from(word);
      bytesLeft += bytes.length;
      let stop = start;
      // A character that is not whole yet stands with the token that ends it.
      for (;;) {
        const character = text.codePointAt(stop);
        if (character === undefined) break;
        const size = utf8Bytes(character);
        if (size > bytesLeft) break;
        bytesLeft -= size;
        stop += character > 0xffff ? 2 : 1;
      }
      found.push({ id, text: decoder.decode(bytes), special: false, start, stop });
      start = stop;
    }
    if (found.length >= stepAt) {
      stepAt = found.length + TOKENS_A_STEP;
      yield;
    }
  }
  return found;
}

const utf8Bytes = (character: number) =>
  character < 0x80 ? 1 : character < 0x800 ? 2 : character < 0x10000 ? 3 : 4;

const LONG_RUN = /([\p{L}\p{M}]{200,}|[^\s\p{L}\p{N}]{200,}|\s{200,})/u;
const PIECE_CHARACTERS = 128;

/** Characters that the search for long runs looks at together: over a text of millions in one run it would not end. */
const WINDOW_CHARACTERS = 16_384;

function* piecesOf(text: string): Generator<string> {
  for (let start = 0; start < text.length; ) {
    const end = windowEnd(text, start);
    yield* runsOf(text.slice(start, end));
    start = end;
  }
}

/** Before a blank that follows a word, where there is one: a word of this vocabulary holds blanks only at its start. */
function windowEnd(text: string, start: number): number {
  const end = start + WINDOW_CHARACTERS;
  if (end >= text.length) return text.length;
  for (let place = end; place > end - 1_000; place--) {
    if (/\s/.test(text.charAt(place)) && /\S/.test(text.charAt(place - 1))) return place;
  }
  return wholeCharacters(text, end);
}

/** Not between the halves of a character. */
function wholeCharacters(text: string, end: number): number {
  return /[\uDC00-\uDFFF]/.test(text.charAt(end)) && /[\uD800-\uDBFF]/.test(text.charAt(end - 1))
    ? end - 1
    : end;
}

function* runsOf(text: string): Generator<string> {
  for (const [place, part] of text.split(LONG_RUN).entries()) {
    // split() with a group gives what lies between the long runs at even places, and the runs at odd ones.
    if (place % 2 === 0) {
      if (part !== "") yield part;
      continue;
    }
    for (let start = 0; start < part.length; ) {
      const end = wholeCharacters(part, start + PIECE_CHARACTERS);
      yield part.slice(start, end);
      start = end;
    }
  }
}

export interface Cut {
  readonly text: string;
  readonly tokens: number;
}

/**
 * A text of more than `limit` tokens as consecutive pieces, none of more; undefined where it has no more than that.
 * No character is cut in two, so a character of more tokens than the limit is a piece of its own that is over it.
 */
export function* cutByTokens(
  vocabulary: CountingName,
  text: string,
  limit: number,
  pieces: "first" | "all",
): Steps<Cut[] | undefined> {
  if (countTokens(vocabulary, text, limit) <= limit) return undefined;
  const cuts: Cut[] = [];
  for (let start = 0; start < text.length && (pieces === "all" || cuts.length === 0); ) {
    const head = headOf(vocabulary, text, start, limit);
    cuts.push(head);
    start += head.text.length;
    yield;
  }
  return cuts;
}

/** Characters looked at for one piece: enough for everyday text, more where that was not enough. */
const CHARACTERS_A_TOKEN = 8;

function headOf(vocabulary: CountingName, text: string, start: number, limit: number): Cut {
  if (vocabulary === "bert_uncased") return headBert(text, start, limit);
  for (let size = limit * CHARACTERS_A_TOKEN + 256; ; size *= 4) {
    const window = text.slice(start, start + size);
    const cut = withinLimit(vocabulary, window, limit);
    if (cut) return cut;
    if (start + size >= text.length) return { text: window, tokens: countTokens(vocabulary, window, limit) };
  }
}

/** The longest beginning of the text with at most `limit` tokens; undefined where that is all of it. */
function withinLimit(vocabulary: VocabularyName, text: string, limit: number): Cut | undefined {
  const ends = tokenEnds(vocabulary, text, limit + 1);
  if (ends.length <= limit) return undefined;
  const bytes = encoder.encode(text);
  for (let count = limit; count > 0; count--) {
    const end = ends[count - 1] ?? 0;
    // A byte of the form 10xxxxxx goes on with the character before it.
    if (((bytes[end] ?? 0) & 0xc0) === 0x80) continue;
    const beginning = decoder.decode(bytes.subarray(0, end));
    // Cut off from what followed, the last word can come to a token more.
    const tokens = countTokens(vocabulary, beginning, limit);
    if (tokens <= limit) return { text: beginning, tokens };
  }
  const [character = ""] = text;
  return { text: character, tokens: limit };
}

/** Where each token ends, in bytes of UTF-8, up to so many tokens. */
function tokenEnds(vocabulary: VocabularyName, text: string, most: number): number[] {
  const ends: number[] = [];
  let end = 0;
  for (const piece of piecesOf(text)) {
    for (const id of VOCABULARIES[vocabulary].encode(piece, AS_TEXT)) {
      const word = WORDS[vocabulary][id];
      end += word === undefined ? 0 : typeof word === "string" ? Buffer.byteLength(word) : word.length;
      ends.push(end);
      if (ends.length >= most) return ends;
    }
  }
  return ends;
}

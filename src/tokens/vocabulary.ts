/**
 * Token ids ↔ text for the vocabularies in which clients send token arrays. Runs in a Worker (src/tokens/worker.ts).
 * A new vocabulary is an import and a line of VOCABULARIES, with its name added to the `tokenizer` fact.
 */

import cl100kWords from "gpt-tokenizer/bpeRanks/cl100k_base";
import * as cl100k from "gpt-tokenizer/encoding/cl100k_base";
import { countBert, headBert } from "./bert";
import { encodeBert } from "./bert-places";
import type { Steps, Token } from "./token";

const VOCABULARIES = { cl100k_base: cl100k } as const;
/** Vocabularies whose ids can be decoded to text. */
export type VocabularyName = keyof typeof VOCABULARIES;
/** Vocabularies for counting and cutting texts. */
export type CountingName = VocabularyName | "bert_uncased";

/** By id: a word, or its bytes if they are not whole characters. */
const WORDS: Readonly<Record<VocabularyName, readonly (string | readonly number[] | undefined)[]>> = {
  cl100k_base: cl100kWords,
};

/** Ids beyond the words, with gaps between them: openai/tiktoken, openai_public.py. */
const SPECIAL_WORDS: Readonly<Record<VocabularyName, Readonly<Record<number, string>>>> = {
  cl100k_base: {
    100257: "<|endoftext|>",
    100258: "<|fim_prefix|>",
    100259: "<|fim_middle|>",
    100260: "<|fim_suffix|>",
    100276: "<|endofprompt|>",
  },
};

/** `<|endoftext|>` inside a text is ordinary text: by default the library throws on it. */
const AS_TEXT = { disallowedSpecial: new Set<string>() };

/** Why ids have no text: one is not in the vocabulary, or they start or end inside a character. */
export type DecodeFault = { readonly fault: "unknown id" | "cut character" };

/**
 * The text of the ids. The library's own decode is not used: it keeps the bytes of an unfinished character for the next call, so they end up in
 * another text, and it turns invalid bytes into U+FFFD, which is a different text too.
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
 * Consecutive pieces of one text that a client split by ids, in the middle of a character (LangChain's OpenAIEmbeddings, every 8191 ids): the
 * character is added to the piece in which it starts.
 * @returns the text of each list that differs from what its own ids stand for; undefined for the other lists, valid or not
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
    // All missing bytes must be at the start of the next list, which must not be empty without them.
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

/** A byte of the form 10xxxxxx continues a character. */
const continues = (byte: number) => (byte & 0xc0) === 0x80;

/** How many bytes the last character lacks; 0 if it is complete. */
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
// A text's own byte order mark is part of the text.
const decoder = new TextDecoder("utf-8", { ignoreBOM: true });
const wholeDecoder = new TextDecoder("utf-8", { ignoreBOM: true, fatal: true });

/**
 * Counts a text's tokens up to `limit`; for every text with more the result is limit + 1.
 * The library's merging is quadratic in the length of one "word" (100,000 × "a" took 24 s), so a longer word is counted in pieces. At each
 * border that may be a token or two more or less; the provider's count is decisive.
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

/** Tokens per step: takes some milliseconds. */
const TOKENS_A_STEP = 4_096;

/** All tokens of a text, in order; very long words are split as in `countTokens`. */
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
      // An unfinished character belongs to the token that completes it.
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

/** How many characters the search for long runs inspects at once: on a text of millions of characters in one run it would not finish. */
const WINDOW_CHARACTERS = 16_384;

function* piecesOf(text: string): Generator<string> {
  for (let start = 0; start < text.length; ) {
    const end = windowEnd(text, start);
    yield* runsOf(text.slice(start, end));
    start = end;
  }
}

/** Before a blank that follows a word, if there is one: in this vocabulary, words contain blanks only at their start. */
function windowEnd(text: string, start: number): number {
  const end = start + WINDOW_CHARACTERS;
  if (end >= text.length) return text.length;
  for (let place = end; place > end - 1_000; place--) {
    if (/\s/.test(text.charAt(place)) && /\S/.test(text.charAt(place - 1))) return place;
  }
  return wholeCharacters(text, end);
}

/** Never between the two halves of a surrogate pair. */
function wholeCharacters(text: string, end: number): number {
  return /[\uDC00-\uDFFF]/.test(text.charAt(end)) && /[\uD800-\uDBFF]/.test(text.charAt(end - 1))
    ? end - 1
    : end;
}

function* runsOf(text: string): Generator<string> {
  for (const [place, part] of text.split(LONG_RUN).entries()) {
    // split() with a group returns the text between the long runs at even indices, and the runs at odd ones.
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
 * Splits a text of more than `limit` tokens into consecutive pieces within the limit; undefined if it has no more than that.
 * No character is split, so a character with more tokens than the limit becomes a piece of its own that exceeds it.
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

/** Characters inspected per piece: enough for everyday text, and increased if it was not enough. */
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

/** The longest start of the text with at most `limit` tokens; undefined if that is the whole text. */
function withinLimit(vocabulary: VocabularyName, text: string, limit: number): Cut | undefined {
  const ends = tokenEnds(vocabulary, text, limit + 1);
  if (ends.length <= limit) return undefined;
  const bytes = encoder.encode(text);
  for (let count = limit; count > 0; count--) {
    const end = ends[count - 1] ?? 0;
    // A byte of the form 10xxxxxx continues a character.
    if (((bytes[end] ?? 0) & 0xc0) === 0x80) continue;
    const beginning = decoder.decode(bytes.subarray(0, end));
    // Without the text after it, the last word may have one token more.
    const tokens = countTokens(vocabulary, beginning, limit);
    if (tokens <= limit) return { text: beginning, tokens };
  }
  const [character = ""] = text;
  return { text: character, tokens: limit };
}

/** Where each token ends, in bytes of UTF-8, up to this many tokens. */
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

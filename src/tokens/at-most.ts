/**
 * An upper bound for a text's tokens if the model's vocabulary is unknown: each digit, punctuation mark and symbol counts as one, as in the
 * vocabularies that split most. test/tokens/at-most.test.ts compares it with BERT's and GPT-2's; for a script with more tokens add a case to
 * `quartersOf`.
 */

import type { EndSignal } from "../domain/ending";
import type { Tokens } from "./tokens";
import type { CountingName } from "./vocabulary";

/** A word with a vowel and at most this many letters counts as one token per two letters; anything else as one per letter. */
const WORD_LETTERS_MAX = 20;

/**
 * An upper bound for ordinary texts, digits, codes and symbols. Invented words ("xoqe zuki") may have more tokens: `mayHaveMore` counts such texts
 * with known vocabularies.
 */
export function tokensAtMost(text: string): number {
  let quarters = 0;
  let letters = 0;
  let isVowelSeen = false;
  let isPlainBefore = false;
  const endWord = () => {
    if (letters === 0) return;
    const isWord = isVowelSeen && letters <= WORD_LETTERS_MAX;
    quarters += isWord ? Math.max(4, 2 * letters) : 4 * letters;
    letters = 0;
    isVowelSeen = false;
  };
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    const isSmall = code >= 0x61 && code <= 0x7a;
    const isCapital = code >= 0x41 && code <= 0x5a;
    // A capital may begin a word; within a word it is more likely a code.
    if (isSmall || (isCapital && letters === 0)) {
      letters += 1;
      isVowelSeen ||= isVowel(code);
      isPlainBefore = true;
      continue;
    }
    endWord();
    if (code === 0x20) {
      // A blank is part of the next word's token, unless no word follows.
      if (!isPlainBefore || !isLetter(text.charCodeAt(i + 1))) quarters += 4;
      isPlainBefore = false;
    } else if (isCapital) {
      quarters += 4;
      isPlainBefore = true;
    } else {
      quarters += quartersOf(code);
      isPlainBefore = code >= 0x80;
    }
  }
  endWord();
  return Math.ceil(quarters / 4);
}

const isVowel = (code: number) => {
  const letter = code | 0x20;
  return (
    letter === 0x61 ||
    letter === 0x65 ||
    letter === 0x69 ||
    letter === 0x6f ||
    letter === 0x75 ||
    letter === 0x79
  );
};

const isLetter = (code: number) =>
  (code >= 0x41 && code <= 0x5a) || (code >= 0x61 && code <= 0x7a) || code >= 0xc0;

/** Quarters of a token for a character other than ASCII letters and blanks. GPT-2's vocabulary splits rare characters into bytes. */
function quartersOf(code: number): number {
  if (code < 0x80) return 4;
  if (code < 0x370) return 6;
  // Greek, Cyrillic, Hebrew, Arabic: most letters are one token.
  if (code < 0x600) return 7;
  if (code < 0x800) return 8;
  // Half of a surrogate pair; the character has four bytes.
  if (code >= 0xd800 && code <= 0xdfff) return 8;
  // Kana and common ideographs.
  return code >= 0x3040 && code <= 0x9fff ? 8 : 12;
}

/** An unknown vocabulary may give this many times as many tokens as a known one. */
const MORE = 1.25;
const KNOWN: readonly CountingName[] = ["bert_uncased", "cl100k_base"];

/** For each text, whether it may have more than `limit` tokens in an unknown vocabulary. */
export async function mayHaveMore(
  texts: readonly string[],
  limit: number,
  tokens: Pick<Tokens, "count"> | undefined,
  signal: EndSignal | undefined,
): Promise<readonly boolean[]> {
  // A token has at least one byte of UTF-8.
  const more = texts.map((text) => Buffer.byteLength(text) > limit && tokensAtMost(text) > limit);
  const doubtful = [...texts.keys()].filter((i) => !more[i] && Buffer.byteLength(texts[i] ?? "") > limit);
  if (doubtful.length === 0 || tokens === undefined) return more;
  const most = Math.max(1, Math.floor(limit / MORE));
  const asked = doubtful.map((i) => texts[i] ?? "");
  const counts = await Promise.all(KNOWN.map((name) => tokens.count(name, asked, most, signal)));
  for (const [k, i] of doubtful.entries()) more[i] = counts.some((count) => (count[k] ?? 0) > most);
  return more;
}

/** Consecutive pieces of a text, each with at most `limit` tokens in an unknown vocabulary. */
export function slicesAtMost(text: string, limit: number): readonly { text: string; tokens: number }[] {
  const most = Math.max(1, Math.floor(limit / MORE));
  const slices: { text: string; tokens: number }[] = [];
  for (let start = 0; start < text.length; ) {
    let length = Math.min(text.length - start, most * 2);
    let slice = wholeCharacters(text, start, length);
    for (let tokens = tokensAtMost(slice); tokens > most && length > 1; tokens = tokensAtMost(slice)) {
      length = Math.max(1, Math.min(length - 1, Math.floor((length * most) / tokens)));
      slice = wholeCharacters(text, start, length);
    }
    slices.push({ text: slice, tokens: Math.max(1, tokensAtMost(slice)) });
    start += slice.length;
  }
  return slices;
}

/** Does not split a surrogate pair. */
function wholeCharacters(text: string, start: number, length: number): string {
  const last = text.charCodeAt(start + length - 1);
  const isFirstHalf = last >= 0xd800 && last <= 0xdbff && start + length < text.length;
  return text.slice(start, start + length + (isFirstHalf ? 1 : 0));
}

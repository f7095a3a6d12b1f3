/**
 * Counts and cuts by BERT's uncased vocabulary, which is in the executable with the built-in model and is used by most English open-weight
 * models. A text's two marks, [CLS] and [SEP], count as tokens, as in the servers' limits. Another vocabulary is another file beside this one.
 */
import { readFileSync } from "node:fs";
import { Tokenizer, words } from "../../plugins/local/tokenizer";
import vocabularyPath from "../../plugins/local/weights/vocab.txt" with { type: "file" };

const MARKS = 2;

let opened: Tokenizer | undefined;
/** Reading it takes some 20 ms; only requests that need it wait for that. */
export function tokenizer(): Tokenizer {
  opened ??= new Tokenizer(readFileSync(vocabularyPath, "utf8"));
  return opened;
}

let pieces: readonly string[] | undefined;
/** By id: as written, with `##` before the continuation of a word. Read only by requests that ask for tokens, not for their count. */
export function pieceOf(id: number | undefined): string | undefined {
  pieces ??= readFileSync(vocabularyPath, "utf8").trimEnd().split(/\r?\n/);
  return pieces[id ?? -1];
}

/** A text's words as in the vocabulary, before they are split into pieces. */
export const wordsOf = words;

/** @returns limit + 1 for every text with more tokens */
export function countBert(text: string, limit: number): number {
  const { end, ids } = beginning(text, 0, limit - MARKS);
  return end < text.length ? limit + 1 : ids + MARKS;
}

/** The longest part of the text from `start` on with at most `limit` tokens, cut between words if possible. */
export function headBert(text: string, start: number, limit: number): { text: string; tokens: number } {
  const { end, ids } = beginning(text, start, limit - MARKS);
  return { text: text.slice(start, end), tokens: ids + MARKS };
}

/** At most this much of a word is processed at once: a "word" of millions of characters is taken in pieces. */
const STRETCH_CHARACTERS = 4096;
/** With more tokens a stretch is not a word but a text without blanks, which is cut inside. */
const WORD_IDS_MAX = 32;

function beginning(text: string, start: number, idsMax: number): { end: number; ids: number } {
  let end = start;
  let ids = 0;
  while (end < text.length) {
    const stop = stretchEnd(text, end);
    const left = idsMax - ids;
    const count = tokenizer().encode(text.slice(end, stop), left + 1).length;
    if (count <= left) {
      ids += count;
      end = stop;
      continue;
    }
    if (end > start && count <= WORD_IDS_MAX) return { end, ids };
    const inside = cutInside(text, end, stop, left);
    if (inside.end > end) return { end: inside.end, ids: ids + inside.ids };
    // Not even one character fits: it becomes a piece of its own that exceeds the limit.
    return end > start ? { end, ids } : { end: wholeCharacter(text, end + 1), ids: left };
  }
  return { end, ids };
}

/** Up to the blank after the next word: no token contains a blank. */
function stretchEnd(text: string, from: number): number {
  BLANK.lastIndex = from + 1;
  const stop = BLANK.exec(text)?.index ?? text.length;
  return stop - from <= STRETCH_CHARACTERS ? stop : wholeCharacter(text, from + STRETCH_CHARACTERS);
}
const BLANK = /[ \n\t\r]/g;

function cutInside(text: string, from: number, to: number, idsMax: number): { end: number; ids: number } {
  let fits = { end: from, ids: 0 };
  let [low, high] = [from, to];
  while (high - low > 1) {
    const middle = wholeCharacter(text, (low + high) >> 1);
    const ids = tokenizer().encode(text.slice(from, middle), idsMax + 1).length;
    if (ids <= idsMax && middle > fits.end) fits = { end: middle, ids };
    if (ids <= idsMax) low = Math.max(middle, low + 1);
    else high = (low + high) >> 1;
  }
  return fits;
}

/** Never between the two halves of a surrogate pair. */
function wholeCharacter(text: string, end: number): number {
  return /[\uDC00-\uDFFF]/.test(text.charAt(end)) && /[\uD800-\uDBFF]/.test(text.charAt(end - 1))
    ? end + 1
    : end;
}

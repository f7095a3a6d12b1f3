/**
 * BERT's uncased WordPiece, with the same ids as Python's `tokenizers`; test/plugins/local/tokenizer.test.ts compares the two.
 * Every step takes time linear in the text, for any text. Another model's tokenizer is another file, not an option here.
 */
import { isNewer } from "./newer-characters";

const VOCABULARY_SIZE = 30522;
/** A word of more characters than this is `[UNK]` as a whole. */
const MAX_WORD_CHARACTERS = 100;
/** Text is normalised in slabs of about this many characters, so that only the needed part of a long text is normalised. */
const SLAB_CHARACTERS = 4096;
/** UTF-16 units of consecutive marks, more than any word can have that is not `[UNK]`: see `withoutAccents`. */
const MAX_MARKS = 256;

/** Special tokens: each keeps its id wherever a text has it in exactly this form. */
const SPECIAL_TOKEN = /(\[CLS\]|\[SEP\]|\[PAD\]|\[MASK\]|\[UNK\])/;

const PLAIN_ASCII = /^[\t\n\r -~]*$/;
const ASCII_WORD_OR_PUNCTUATION = /[a-z0-9]+|[!-/:-@[-`{-~]/g;

const SPACE = /[\t\n\r]|(?!\p{Cc})\p{White_Space}/gu;
const CONTROL = /[\p{Cc}\uFFFD]/gu;
const INVISIBLE = /[\p{Cf}\p{Co}]/gu;
const IDEOGRAPH =
  /[\u4E00-\u9FFF\u3400-\u4DBF\u{20000}-\u{2A6DF}\u{2A700}-\u{2B73F}\u{2B740}-\u{2B81F}\u{2B920}-\u{2CEAF}\uF900-\uFAFF\u{2F800}-\u{2FA1F}]/gu;
const ACCENT = /\p{Mn}/gu;
const MARKS = /\p{M}+/gu;
/** U+166D was punctuation in the reference's tables and is a symbol today. */
const PUNCTUATION = /[!-/:-@[-`{-~\u166D]|\p{P}/gu;

export class Tokenizer {
  readonly size = VOCABULARY_SIZE;
  readonly start: number;
  readonly end: number;
  private readonly unknown: number;
  /** Pieces that begin a word, and pieces that continue one (written `##…` in the file). */
  private readonly beginnings = new Map<string, number>();
  private readonly continuations = new Map<string, number>();
  private readonly longestPiece: number;

  /** @param vocabulary vocab.txt: one piece a line; the line's number is its id. Throws for another model's vocabulary. */
  constructor(vocabulary: string) {
    const pieces = vocabulary.trimEnd().split(/\r?\n/);
    if (pieces.length !== VOCABULARY_SIZE) {
      throw new Error(`The vocabulary has ${pieces.length} pieces, not ${VOCABULARY_SIZE}.`);
    }
    let longest = 0;
    // Iterating `entries()` would take twice as long, and the first vector waits for this.
    pieces.forEach((piece, id) => {
      this.beginnings.set(piece, id);
      if (piece.startsWith("##")) this.continuations.set(piece.slice(2), id);
      longest = Math.max(longest, piece.length);
    });
    this.longestPiece = longest;
    this.start = this.special("[CLS]");
    this.end = this.special("[SEP]");
    this.unknown = this.special("[UNK]");
  }

  /**
   * The text's ids, without `[CLS]` before and `[SEP]` after.
   * @param enough stops soon after this many ids: a few more may come, but never fewer while text is left
   */
  encode(text: string, enough = Number.POSITIVE_INFINITY): number[] {
    const ids: number[] = [];
    for (const [place, part] of text.split(SPECIAL_TOKEN).entries()) {
      if (place % 2 === 1) {
        // `split` with a group puts the matches at the odd positions.
        ids.push(this.special(part));
        continue;
      }
      for (const slab of slabs(part)) {
        for (const word of words(slab)) this.pushWord(word, ids);
        if (ids.length >= enough) return ids;
      }
    }
    return ids;
  }

  private special(piece: string): number {
    const id = this.beginnings.get(piece);
    if (id === undefined) throw new Error(`The vocabulary has no ${piece}.`);
    return id;
  }

  /** Greedy: the longest piece that fits, then the longest that continues it, …; a word that cannot be continued is unknown. */
  private pushWord(word: string, ids: number[]): void {
    if (isLong(word)) {
      ids.push(this.unknown);
      return;
    }
    const before = ids.length;
    let pieces = this.beginnings;
    for (let from = 0; from < word.length; pieces = this.continuations) {
      // Tries at most the length of the longest piece: 100 characters × 18 tries limit the work for a word.
      let to = Math.min(word.length, from + this.longestPiece);
      let id = pieces.get(word.slice(from, to));
      while (id === undefined && --to > from) id = pieces.get(word.slice(from, to));
      if (id === undefined) {
        ids.length = before;
        ids.push(this.unknown);
        return;
      }
      ids.push(id);
      from = to;
    }
  }
}

/** Characters are code points; a UTF-16 string has at most twice as many units, so only few words need counting. */
function isLong(word: string): boolean {
  if (word.length <= MAX_WORD_CHARACTERS) return false;
  return word.length > 2 * MAX_WORD_CHARACTERS || [...word].length > MAX_WORD_CHARACTERS;
}

/** Cuts at spaces, where a word always ends. */
function* slabs(text: string): Generator<string> {
  let from = 0;
  while (text.length - from > SLAB_CHARACTERS) {
    const space = text.indexOf(" ", from + SLAB_CHARACTERS);
    if (space === -1) break;
    yield text.slice(from, space);
    from = space + 1;
  }
  yield text.slice(from);
}

/** Normalised words; every punctuation character and every ideograph is a word of its own. */
export function words(text: string): readonly string[] {
  if (PLAIN_ASCII.test(text)) return text.toLowerCase().match(ASCII_WORD_OR_PUNCTUATION) ?? [];
  const cleaned = text
    // Half of a surrogate pair becomes U+FFFD, removed as CONTROL; if it were kept, two halves could meet when other characters are removed.
    .toWellFormed()
    .replace(SPACE, " ")
    .replace(CONTROL, "")
    .replace(INVISIBLE, unlessNewer(""))
    .replace(IDEOGRAPH, " $& ");
  return lowerCase(withoutAccents(cleaned))
    .replace(PUNCTUATION, unlessNewer(" $& "))
    .split(/\s+/)
    .filter((word) => word !== "");
}

function unlessNewer(replacement: "" | " $& "): (character: string) => string {
  return (character) => (isNewer(character) ? character : replacement.replace("$&", character));
}

/**
 * NFD splits a letter into base and accents; the accents are then removed.
 * NFD also sorts each run of marks, in quadratic time. So accents are removed before it too, which changes no other mark's order; of
 * the few other kinds, a run too long for any word of the vocabulary is cut: its word is `[UNK]` either way.
 */
function withoutAccents(text: string): string {
  return text
    .replace(ACCENT, unlessNewer(""))
    .replace(MARKS, (marks) => marks.slice(0, MAX_MARKS))
    .normalize("NFD")
    .replace(ACCENT, unlessNewer(""));
}

/** Character by character, as JavaScript writes a final sigma (ς) at the end of a word, and the reference always σ. */
function lowerCase(text: string): string {
  return text.replaceAll("Σ", "σ").toLowerCase();
}

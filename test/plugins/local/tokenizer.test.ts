/**
 * The tokenizer compared with Python's `tokenizers`, and with texts written to make it slow.
 * Hostile texts are so long that quadratic work would exceed the test's time limit by far.
 */
import { describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { Tokenizer } from "../../../plugins/local/tokenizer";
import { isLong, LONG_TEXT_TOKENS, PROBES } from "../../../src/domain/probes";
import { referenceTokenIds } from "./local-model";

const vocabulary = readFileSync(join(import.meta.dir, "../../../plugins/local/weights/vocab.txt"), "utf8");
const tokenizer = new Tokenizer(vocabulary);
const UNKNOWN = 100;
const MILLION = 1_000_000;

describe("compared with the reference", () => {
  test("all 904 texts have the reference's ids", () => {
    const differing = referenceTokenIds().filter(({ text, ids }) => {
      const own = tokenizer.encode(text, 254).slice(0, 254);
      return JSON.stringify([tokenizer.start, ...own, tokenizer.end]) !== JSON.stringify(ids);
    });
    expect(differing).toEqual([]);
  });

  test("a text encoded only as far as needed starts like the whole one", () => {
    const text = "Größe, naïve — 中文 and [SEP] words; ".repeat(2000);
    const whole = tokenizer.encode(text);
    const begun = tokenizer.encode(text, 256);
    expect(begun.length).toBeGreaterThanOrEqual(256);
    expect(begun.length).toBeLessThan(whole.length);
    expect(whole.slice(0, begun.length)).toEqual(begun);
  });

  test("special tokens written in a text are themselves, in exactly their form only", () => {
    expect(tokenizer.encode("[CLS] a [SEP][MASK]")).toEqual([101, 1037, 102, 103]);
    expect(tokenizer.encode("[cls]")).toHaveLength(4);
    expect(tokenizer.encode("[SEP")).toHaveLength(2);
  });

  test("a word of a hundred characters is split, a longer one is unknown as a whole", () => {
    expect(tokenizer.encode("a".repeat(100)).length).toBeGreaterThan(1);
    expect(tokenizer.encode("a".repeat(101))).toEqual([UNKNOWN]);
    // 100 characters of two UTF-16 units each.
    expect(tokenizer.encode("𝐚".repeat(101))).toEqual([UNKNOWN]);
  });

  test("unpaired surrogates vanish, and do not join when the text between them vanishes", () => {
    expect(tokenizer.encode("a\ud835b")).toEqual(tokenizer.encode("ab"));
    expect(tokenizer.encode("a\ud835\ufffd\udc1ab")).toEqual(tokenizer.encode("ab"));
  });

  test("another vocabulary is refused", () => {
    expect(() => new Tokenizer("[PAD]\n[UNK]\n")).toThrow("2 pieces");
  });
});

describe("hostile texts of a million characters", () => {
  const texts: readonly (readonly [name: string, text: string, ids: number])[] = [
    ["one letter over and over", "a".repeat(MILLION), 1],
    ["words just short enough to be looked up", `${"a".repeat(99)} `.repeat(MILLION / 100), 490_000],
    ["punctuation alone", "!".repeat(MILLION), MILLION],
    ["opening brackets, each the start of a special token", "[".repeat(MILLION), MILLION],
    ["special tokens alone", "[CLS]".repeat(MILLION / 5), MILLION / 5],
    ["ideographs without a space", "中文".repeat(MILLION / 2), MILLION],
    ["accents on one letter", `a${"\u0301\u0316".repeat(MILLION / 2)}`, 1],
    ["marks that stay and have to be sorted", `a${"\u302e\u{1d165}".repeat(MILLION / 3)}`, 1],
    ["line breaks alone", "\n".repeat(MILLION), 0],
    ["halves of surrogate pairs", "\ud800".repeat(MILLION), 0],
    ["one character that is eighteen taken apart", "\ufdfa".repeat(MILLION), 1],
  ];
  test.each(texts)("%s: finishes, with the right number of ids", (_, text, ids) => {
    expect(tokenizer.encode(text)).toHaveLength(ids);
  });

  test("too many marks for a word give the same as fewer", () => {
    for (const marks of [1, 120, 200, 5000]) {
      const text = `a${"\u302e\u{1d165}".repeat(marks)} b`;
      expect(tokenizer.encode(text)).toEqual([UNKNOWN, 1038]);
    }
  });
});

test("the probe texts of a space cost 600 tokens at most; the long one has slightly more than 512 with its marks", () => {
  const tokens = PROBES.map(({ text }) => tokenizer.encode(text).length);
  expect(tokens.reduce((sum, count) => sum + count, 0)).toBe(590);
  const long = PROBES.find(isLong)?.text ?? "";
  expect(tokenizer.encode(long)).toHaveLength(LONG_TEXT_TOKENS);
});

/**
 * Counting and cutting by BERT's vocabulary: the built-in model's tokens of a text, with the two marks that every server counts.
 * Another vocabulary has a file of its own beside this one.
 */
import { expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { Tokenizer } from "../../plugins/local/tokenizer";
import type { Steps } from "../../src/tokens/token";
import { countTokens, cutByTokens } from "../../src/tokens/vocabulary";

const vocabulary = join(import.meta.dir, "../../plugins/local/weights/vocab.txt");
const tokenizer = new Tokenizer(readFileSync(vocabulary, "utf8"));

function done<Result>(steps: Steps<Result>): Result {
  for (;;) {
    const step = steps.next();
    if (step.done) return step.value;
  }
}

const cut = (text: string, limit: number) => done(cutByTokens("bert_uncased", text, limit, "all"));
const mixed = fc
  .array(
    fc.oneof(
      fc.constantFrom(
        "naïve",
        "café",
        "한국어",
        "नमस्ते",
        "東京都",
        "👩‍👩‍👧",
        "e\u0301",
        "—",
        "don't",
        "[CLS]",
        "\t\n",
        "3.14",
      ),
      fc.lorem({ maxCount: 3 }),
      fc.string({ unit: "grapheme", maxLength: 12 }),
    ),
    { minLength: 1, maxLength: 60 },
  )
  .map((words) => words.join(" "));

test("a text's tokens are the model's ids and two marks", () => {
  fc.assert(
    fc.property(mixed, (text) => {
      expect(countTokens("bert_uncased", text, 100_000)).toBe(tokenizer.encode(text).length + 2);
    }),
  );
});

test("a text over the limit gives limit + 1, one within it its exact count", () => {
  const text = "word ".repeat(510).trim();
  expect(countTokens("bert_uncased", text, 512)).toBe(512);
  expect(countTokens("bert_uncased", `${text} word`, 512)).toBe(513);
  expect(cut(text, 512)).toBeUndefined();
});

test("cut, it is consecutive pieces that together are complete, none over the limit", () => {
  fc.assert(
    fc.property(mixed, fc.integer({ min: 16, max: 60 }), (text, limit) => {
      const pieces = cut(text, limit);
      if (pieces === undefined) {
        expect(tokenizer.encode(text).length + 2).toBeLessThanOrEqual(limit);
        return;
      }
      expect(pieces.map((piece) => piece.text).join("")).toBe(text);
      for (const piece of pieces) {
        expect(tokenizer.encode(piece.text).length + 2).toBeLessThanOrEqual(limit);
        expect(piece.text.isWellFormed()).toBe(text.isWellFormed());
      }
    }),
    { numRuns: 60 },
  );
});

test("a text without blanks is cut between characters, and a hostile one takes linear time", () => {
  const pieces = cut("東京".repeat(5_000), 512) ?? [];
  expect(pieces.slice(0, -1).every(({ tokens }) => tokens > 500 && tokens <= 512)).toBe(true);
  for (const text of [
    "a".repeat(300_000),
    "é".repeat(100_000),
    "! ".repeat(100_000),
    "\u0301".repeat(100_000),
  ]) {
    const whole = (cut(text, 512) ?? [{ text }]).map((piece) => piece.text).join("");
    expect(whole).toBe(text);
  }
});

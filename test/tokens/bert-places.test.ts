/**
 * Positions of BERT's tokens in a text, compared with Python's `tokenizers`: bert-places.json has the result of tokenizers 0.23.3, in code points, with the
 * vocabulary in plugins/local/weights; a mark has only an id. A further text is a line there.
 */
import { expect, test } from "bun:test";
import fc from "fast-check";
import { tokenizer } from "../../src/tokens/bert";
import type { Token } from "../../src/tokens/token";
import { encodeText } from "../../src/tokens/vocabulary";
import reference from "./bert-places.json";

function encoded(text: string): readonly Token[] {
  const steps = encodeText("bert_uncased", text);
  for (;;) {
    const step = steps.next();
    if (step.done) return step.value;
  }
}

const codePoints = (text: string, units: number) => [...text.slice(0, units)].length;

test("ids, positions and marks are the reference's", () => {
  for (const { text, tokens } of reference) {
    const own = encoded(text).map(({ id, start, stop }) =>
      start === null || stop === null ? [id] : [id, codePoints(text, start), codePoints(text, stop)],
    );
    expect([text, own]).toEqual([text, tokens]);
  }
});

test("for any text the ids are the tokenizer's, and the positions are in order and within it", () => {
  fc.assert(
    fc.property(fc.string({ unit: "grapheme", maxLength: 60 }), (text) => {
      const own = encoded(text).filter(({ special }) => !special);
      expect(own.map(({ id }) => id)).toEqual(tokenizer().encode(text));
      let before = 0;
      for (const { start, stop, text: said } of own) {
        expect(said).toBe(text.slice(start ?? 0, stop ?? 0));
        expect(start).toBeGreaterThanOrEqual(before);
        expect(stop).toBeGreaterThan(start ?? 0);
        before = start ?? 0;
      }
    }),
  );
});

test.each([
  ["one letter", "a".repeat(1_000_000), 1],
  ["a mark of punctuation", "!".repeat(300_000), 300_000],
  ["syllables of several tokens", "\ud55c".repeat(100_000), 1],
  ["marks that stand for themselves", "[SEP]".repeat(50_000), 50_000],
])("%s over and over takes no longer than it is long", (_, text, count) => {
  expect(encoded(text)).toHaveLength(count + 2);
});

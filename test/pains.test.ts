/**
 * Every known problem of gateways (pains.ts) has its test, or says what it is waiting for.
 * A new problem is a row there; nothing changes here.
 */
import { describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { LATER, PAINS } from "./pains";

const textOf = (file: string) => readFileSync(join(import.meta.dir, file), "utf8");

describe("each pain has its test:", () => {
  test.each(Object.entries(PAINS).map(([id, pain]) => [idOf(id), pain.what, pain] as const))(
    "%s: %s",
    (_, what, { tested }) => {
      expect(what).not.toBe("");
      expect(Object.keys(tested)).not.toEqual([]);
      for (const [file, names] of Object.entries(tested)) {
        const text = textOf(file);
        expect(text).not.toBe("");
        for (const name of names) expect(`${file}: ${text}`).toContain(`"${name}"`);
      }
    },
  );
});

test("none of the thirty is missing", () => {
  const numbers = Array.from({ length: 30 }, (_, i) => String(i + 1));
  expect(numbers.filter((number) => !(number in PAINS) && !(number in LATER))).toEqual([]);
});

test("a problem that a test of this suite names by its number is in the list", () => {
  const files = new Set(Object.values(PAINS).flatMap(({ tested }) => Object.keys(tested)));
  for (const file of files) {
    for (const [, numbers = ""] of textOf(file).matchAll(/"pain ([\d, ]+):/g)) {
      const unknown = numbers.split(", ").filter((number) => !PAINS[number]?.tested[file]);
      expect([file, numbers, unknown]).toEqual([file, numbers, []]);
    }
  }
});

function idOf(id: string): string {
  return /^\d+$/.test(id) ? `pain ${id}` : id;
}

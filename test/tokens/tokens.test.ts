/**
 * Decoding and counting with the real vocabulary, in the real Worker: nothing lost, nothing invented, no text too long for it.
 * A new vocabulary is tested against the library that it comes from.
 */
import { afterAll, describe, expect, test } from "bun:test";
import fc from "fast-check";
import words from "gpt-tokenizer/bpeRanks/cl100k_base";
import { encode, countTokens as libraryCount } from "gpt-tokenizer/encoding/cl100k_base";
import { createTokens } from "../../src/tokens/tokens";
import { countTokens, decodeTokens } from "../../src/tokens/vocabulary";
import { failureOf } from "../plugins/conformance/subject";

const AS_TEXT = { disallowedSpecial: new Set<string>() };
const tokens = createTokens();
afterAll(() => tokens.close());

const texts = fc.array(fc.oneof(fc.string({ unit: "grapheme" }), fc.lorem({ maxCount: 20 })), {
  maxLength: 8,
});

describe("decode", () => {
  test("gives back the text that the ids were made from", async () => {
    await fc.assert(
      fc.asyncProperty(texts, async (originals) => {
        const ids = originals.map((text) => Uint32Array.from(encode(text, AS_TEXT)));
        expect(await tokens.decode("cl100k_base", ids)).toEqual(originals);
      }),
      { numRuns: 50 },
    );
  });

  test.each([0, 255, 100_255, 100_257, 100_258, 100_259, 100_260, 100_276])("knows the id %d", (id) => {
    expect(decodeTokens("cl100k_base", Uint32Array.of(id))).not.toEqual({ fault: "unknown id" });
  });

  test.each([100_256, 100_261, 100_270, 100_275, 100_277, 200_000, 2 ** 31, 2 ** 32 - 1])(
    "refuses the id %d, which no word has, and names the array that holds it",
    async (id) => {
      const lists = [Uint32Array.of(15339), Uint32Array.of(15339, id), Uint32Array.of(1917)];
      expect(await failureOf(tokens.decode("cl100k_base", lists))).toMatchObject({
        kind: "invalid",
        input: 1,
      });
    },
  );

  test("no ids give no text", () => {
    expect(decodeTokens("cl100k_base", new Uint32Array())).toBe("");
  });

  test("half of a character is refused, with a hint what to set in the client", async () => {
    const bird = Uint32Array.from(encode("🦜"));
    for (const cut of [bird.subarray(0, 1), bird.subarray(1), Uint32Array.of(9468)]) {
      const failure = await failureOf(tokens.decode("cl100k_base", [bird, cut]));
      expect(failure).toMatchObject({ kind: "invalid", input: 1 });
      expect(failure.message).toContain("check_embedding_ctx_length=False");
    }
  });

  test("pieces of one text that were split by ids come together as that text, each complete", async () => {
    const characters = fc.array(fc.constantFrom("🦜", "é", "한", "a ", "क्", "👩‍👩‍👧"), {
      minLength: 4,
      maxLength: 60,
    });
    await fc.assert(
      fc.asyncProperty(characters, fc.integer({ min: 4, max: 9 }), async (all, size) => {
        const text = all.join("");
        const ids = encode(text);
        const lists: Uint32Array[] = [];
        for (let from = 0; from < ids.length; from += size)
          lists.push(Uint32Array.from(ids.slice(from, from + size)));
        // A last piece that is only the end of a character leaves nothing of its own.
        fc.pre((lists.at(-1)?.length ?? 0) > 3);
        const mended = await tokens.mend("cl100k_base", lists);
        const whole = await Promise.all(
          lists.map(async (list, i) => mended[i] ?? (await tokens.decode("cl100k_base", [list]))[0]),
        );
        expect(whole.join("")).toBe(text);
        expect(whole.join("")).not.toContain("\ufffd");
      }),
      { numRuns: 60 },
    );
  });

  test("of any ids it is the text of their bytes, whatever was decoded before", async () => {
    const lists = fc.array(
      fc.array(fc.oneof(fc.nat(100_255), fc.integer({ min: 94, max: 255 })), { maxLength: 20 }),
      { minLength: 1, maxLength: 5 },
    );
    await fc.assert(
      fc.asyncProperty(lists, async (idLists) => {
        const bytesOf = (id: number) => {
          const word = words[id] ?? [];
          return typeof word === "string" ? [...new TextEncoder().encode(word)] : word;
        };
        for (const ids of idLists) {
          const bytes = Buffer.from(ids.flatMap(bytesOf));
          const right = bytes.toString("utf8");
          const decoded = decodeTokens("cl100k_base", Uint32Array.from(ids));
          expect(decoded).toEqual(Buffer.from(right).equals(bytes) ? right : { fault: "cut character" });
        }
      }),
    );
  });
});

describe("count", () => {
  test("equals the library's for everyday texts", async () => {
    const everyday = fc.array(fc.lorem({ maxCount: 40, mode: "sentences" }), { minLength: 1, maxLength: 5 });
    await fc.assert(
      fc.asyncProperty(everyday, async (originals) => {
        const counts = await tokens.count("cl100k_base", originals, 10_000);
        expect(counts).toEqual(originals.map((text) => libraryCount(text)));
      }),
      { numRuns: 30 },
    );
  });

  test("of long runs equals the library's within two tokens per piece, and never exceeds the limit by more than one", () => {
    const runs = fc.tuple(
      fc.constantFrom("a", "é", "字", "!", " ", "\n", "ab", "🦜", "1"),
      fc.integer({ min: 1, max: 500 }),
    );
    const long = fc
      .array(runs, { maxLength: 5 })
      .map((parts) => parts.map(([unit, times]) => unit.repeat(times)).join(""));
    fc.assert(
      fc.property(long, fc.integer({ min: 0, max: 400 }), (text, limit) => {
        const real = libraryCount(text, AS_TEXT);
        const counted = countTokens("cl100k_base", text, limit);
        expect(counted).toBeLessThanOrEqual(limit + 1);
        const pieces = Math.ceil(text.length / 128) + 10;
        expect(counted).toBeGreaterThanOrEqual(Math.min(real - 2 * pieces, limit + 1));
        expect(counted).toBeLessThanOrEqual(real + 2 * pieces);
      }),
      { numRuns: 60 },
    );
  });

  test("a special token's name in a text is ordinary text", async () => {
    const [count] = await tokens.count("cl100k_base", ["<|endoftext|>"], 100);
    expect(count).toBe(encode("<|endoftext|>", AS_TEXT).length);
    expect(count).toBeGreaterThan(1);
  });

  test("an empty text has no tokens, and any other has at least one", async () => {
    expect(await tokens.count("cl100k_base", ["", "a"], 0)).toEqual([0, 1]);
  });

  const HOSTILE: readonly (readonly [string, string])[] = [
    ["one letter", "a".repeat(100_000)],
    ["one letter beyond ASCII", "字".repeat(100_000)],
    ["two letters in turn", "ab".repeat(100_000)],
    ["letters and their marks", "e\u0301".repeat(100_000)],
    ["one sign", "!".repeat(200_000 * 8)],
    ["blanks", " ".repeat(1_000_000 * 2)],
    ["line breaks", "\n".repeat(1_000_000)],
    ["digits", "1".repeat(100_000)],
    ["birds", "🦜".repeat(100_000)],
    ["halves of characters", "\ud83e".repeat(100_000)],
    ["apostrophes", "a'".repeat(100_000)],
  ];
  test.each(HOSTILE)(
    "a hundred thousand and more of %s is counted, as more than the limit",
    async (_, text) => {
      expect(await tokens.count("cl100k_base", [text], 8192)).toEqual([8193]);
    },
  );
});

describe("cut", () => {
  const limits = fc.integer({ min: 1, max: 40 });
  const parts = fc.oneof(
    fc.string({ unit: "grapheme" }),
    fc.lorem({ maxCount: 20 }),
    fc.constantFrom("a".repeat(400), "🦜".repeat(150)),
  );
  const anyText = fc.array(parts, { maxLength: 5 }).map((some) => some.join(" "));

  test("pieces add up to the text, none exceeds the limit except for a single character, and undefined is a text within it", async () => {
    await fc.assert(
      fc.asyncProperty(anyText, limits, async (text, limit) => {
        const [pieces] = await tokens.cut("cl100k_base", [text], limit, "all");
        if (pieces === undefined) {
          expect(countTokens("cl100k_base", text, limit)).toBeLessThanOrEqual(limit);
          return;
        }
        expect(pieces.map((piece) => piece.text).join("")).toBe(text);
        for (const piece of pieces) {
          expect(piece.text.isWellFormed()).toBe(true);
          if ([...piece.text].length > 1)
            expect(countTokens("cl100k_base", piece.text, 1_000)).toBeLessThanOrEqual(limit);
        }
        const [first] = await tokens.cut("cl100k_base", [text], limit, "first");
        expect(first).toEqual(pieces.slice(0, 1));
      }),
      { numRuns: 60 },
    );
  });

  test("everyday text is cut close to the limit", async () => {
    const text = "The quick brown fox jumps over the lazy dog. ".repeat(400);
    const [pieces] = await tokens.cut("cl100k_base", [text], 512, "all");
    expect(pieces?.slice(0, -1).every((piece) => piece.tokens >= 510 && piece.tokens <= 512)).toBe(true);
  });

  test("ten million letters in one run are cut", async () => {
    const [pieces] = await tokens.cut("cl100k_base", ["a".repeat(10_000_000)], 8192, "first");
    expect(pieces?.[0]?.tokens).toBe(8192);
  });
});

describe("encode", () => {
  test.each([
    ["words", "The quick brown fox"],
    ["characters of several bytes", "naïve — 日本語 😀👨‍👩‍👧 ünïcode"],
    ["a very long word", "ab".repeat(500)],
    ["what looks like a mark", "<|endoftext|> is text"],
    ["nothing", ""],
  ])("%s: the ids stand for the text, and the places for all of it", async (_, text) => {
    const [found = []] = await tokens.encode("cl100k_base", [text]);
    const ids = Uint32Array.from(found.map(({ id }) => id));
    expect(await tokens.decode("cl100k_base", [ids])).toEqual([text]);
    expect(found.map(({ start, stop }) => text.slice(start ?? 0, stop ?? 0)).join("")).toBe(text);
    expect(await tokens.count("cl100k_base", [text], 1e6)).toEqual([found.length]);
  });
});

describe("the Worker", () => {
  test("answers each question with its own answer, however many are asked at once", async () => {
    const asked = Array.from({ length: 40 }, (_, i) => `${"word ".repeat(i)}end`);
    const answers = await Promise.all(asked.map((text) => tokens.count("cl100k_base", [text], 1000)));
    expect(answers).toEqual(asked.map((text) => [libraryCount(text)]));
  });

  test("a short job after a long one is not kept waiting, and a cancelled one ends", async () => {
    const over = new AbortController();
    const order: string[] = [];
    const long = tokens
      .cut("cl100k_base", ["word ".repeat(4_000_000)], 64, "all", over.signal)
      .catch((reason: unknown) => order.push(String(reason)));
    await tokens.count("cl100k_base", ["a text"], 10);
    order.push("short");
    over.abort("given up");
    await long;
    expect(order).toEqual(["short", "given up"]);
    expect(await tokens.count("cl100k_base", ["a text"], 10)).toEqual([2]);
  });

  test("when it is closed, waiting callers get an error, and it can be used again", async () => {
    const closing = createTokens();
    const waiting = failureOf(closing.count("cl100k_base", ["a text"], 10));
    closing.close();
    expect((await waiting).kind).toBe("unavailable");
    expect(await closing.count("cl100k_base", ["a text"], 10)).toEqual([2]);
    closing.close();
  });
});

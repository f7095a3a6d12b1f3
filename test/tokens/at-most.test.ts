/** The upper bound for an unknown vocabulary, compared with those that split most: GPT-2's into bytes, BERT's into letters and marks. */
import { describe, expect, test } from "bun:test";
import * as cl100k from "gpt-tokenizer/encoding/cl100k_base";
import * as gpt2 from "gpt-tokenizer/encoding/gpt2";
import { mayHaveMore, slicesAtMost, tokensAtMost } from "../../src/tokens/at-most";
import { countBert } from "../../src/tokens/bert";

const countOf = {
  gpt2: (text: string) => gpt2.encode(text).length,
  cl100k_base: (text: string) => cl100k.encode(text).length,
  bert_uncased: (text: string) => countBert(text, 1e9) - 2,
};

const WRITTEN = {
  English:
    "The committee's findings, published on Tuesday, suggest that most small companies underestimate it.",
  German: "Die Donaudampfschifffahrtsgesellschaft veröffentlichte gestern eine ausführliche Stellungnahme.",
  Polish: "W Szczebrzeszynie chrząszcz brzmi w trzcinie; wół go pyta: po cóż pan tak brzęczy w gąszczu?",
  Turkish: "Çekoslovakyalılaştıramadıklarımızdan mısınız? Bugün hava çok güzel.",
  Vietnamese: "Tiếng Việt là ngôn ngữ của người Việt và là ngôn ngữ chính thức tại Việt Nam.",
  Russian: "Съешь же ещё этих мягких французских булок, да выпей чаю.",
  Greek: "Η Αθήνα είναι η πρωτεύουσα της Ελλάδας και η μεγαλύτερη πόλη της χώρας.",
  Arabic: "جميع الناس يولدون أحراراً ومتساوين في الكرامة والحقوق.",
  Hebrew: "כל בני האדם נולדו בני חורין ושווים בערכם ובזכויותיהם.",
  Hindi: "सभी मनुष्यों को गौरव और अधिकारों के मामले में समानता प्राप्त है।",
  Thai: "มนุษย์ทั้งหลายเกิดมามีอิสระและเสมอภาคกันในเกียรติศักดิ์และสิทธิ",
  Korean: "모든 인간은 태어날 때부터 자유로우며 그 존엄과 권리에 있어 동등하다.",
  Japanese: "すべての人間は、生まれながらにして自由であり、かつ、尊厳と権利とについて平等である。",
  Chinese: "人人生而自由，在尊严和权利上一律平等。他们赋有理性和良心。",
  emoji: "👩‍💻👨‍👩‍👧‍👦🇩🇪🏳️‍🌈🤷🏽‍♀️ 🎉🎉🎉",
  digits: "7 3 9 1 4 8 2 0 5 6 83910482710938471029384710293847 3.14159, 1,000,000.00",
  punctuation: "!?.,;:-()[]{}'\"/\\|@#$%^&*~`<>=+_",
  code: "for(int i=0;i<n;++i){a[i]+=b[i]*c[i%k];}//x",
  JSON: '{"id":17,"t":[0.1,0.22,3],"ok":true}',
  hex: "3fa9c01be77d4a2f9e8d7c6b5a493827 550e8400-e29b-41d4-a716-446655440000",
  base64: "q83vASNFZ4mrze8BI0VniavN7wEjRWeJq83vASNFZ4mrze8=",
  capitals: "THE QUICK BROWN FOX JUMPS OVER LAZY DOGS XQZJ",
  blanks: "a    b\n\n\tc\n d  \r\n  e",
} as const;

const texts = Object.entries(WRITTEN).map(([kind, text]) => [kind, `${text} `.repeat(6)] as const);

describe("no vocabulary makes more of", () => {
  test.each(texts)("%s", (_, text) => {
    const most = Math.max(...Object.values(countOf).map((count) => count(text)));
    expect(tokensAtMost(text)).toBeGreaterThanOrEqual(most);
    expect(tokensAtMost(text)).toBeLessThanOrEqual(Buffer.byteLength(text));
  });
});

const tokens = {
  count: async (name: "bert_uncased" | "cl100k_base", all: readonly string[], limit: number) =>
    all.map((text) => Math.min(countOf[name](text), limit + 1)),
};

/** Invented words have more tokens than their letters suggest. */
const INVENTED = "xoqe zuki vapo qexu jofi wuzo xago yiqu ".repeat(20);

test("of invented words the known vocabularies tell", async () => {
  const most = countOf.gpt2(INVENTED);
  expect(tokensAtMost(INVENTED)).toBeLessThan(most);
  const [short, invented, prose] = await mayHaveMore(
    ["short", INVENTED, "rain ".repeat(300)],
    most - 1,
    tokens,
    undefined,
  );
  expect([short, invented, prose]).toEqual(
    [false, true, true].map((one, i) => (i === 2 ? 600 > most - 1 : one)),
  );
});

test("of a text with no more bytes than the limit nothing is counted", async () => {
  let asked = 0;
  const counting = {
    count: async (_: unknown, all: readonly string[]) => {
      asked += all.length;
      return all.map(() => 1);
    },
  };
  expect(await mayHaveMore(["a", "b".repeat(100)], 100, counting, undefined)).toEqual([false, false]);
  expect(asked).toBe(0);
});

describe("pieces of", () => {
  test.each([...texts, ["invented words", INVENTED] as const])("%s fit and are the whole", (_, text) => {
    for (const limit of [16, 50, 126]) {
      const slices = slicesAtMost(text, limit);
      expect(slices.map((slice) => slice.text).join("")).toBe(text);
      for (const { text: slice } of slices) {
        expect(slice.isWellFormed()).toBe(true);
        for (const count of Object.values(countOf)) expect(count(slice)).toBeLessThanOrEqual(limit);
      }
    }
  });
});

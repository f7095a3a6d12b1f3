/**
 * Limits learned from a server: found at any length, reported to the operator, remembered across restarts as long as the
 * configuration is the same, and applied with the model's own vocabulary if that is known. silent-cut.test.ts has how cuts are refused.
 */

import { describe, expect, test } from "bun:test";
import { countBert } from "../../src/tokens/bert";
import { ON_POSTGRES, onSqliteAlone } from "../stores/on-postgres";
import { type Opened, openBefore, quiet, rightly, SIZE, tokensOf, vectorFor, vectorsOf } from "./vendor";

const yaml = (plugin: string, model = "", more = "") => `
providers: { a: { plugin: ${plugin}, base_url: "http://a/v1"${more} } }
space_probe: false
cache: false
models: { m: { routes: [ { provider: a } ], dimensions: ${SIZE}, price: 1${model} } }
`;
const words = (count: number) => "where ".repeat(count).trim();
const errorOf = ({ json }: { readonly json: unknown }) => Object(json).error;
const callsOf = ({ vendor }: Opened) => vendor.calls.length;
const sizesOf = ({ vendor }: Opened) => vendor.calls.flatMap(({ input }) => input.map(tokensOf));

/** Reads the first words of a text, and ignores the rest silently. */
function cuts(open: Opened, limit: number, usage: "none" | "given" = "none"): void {
  open.vendor.answer = ({ input }, { data }) => {
    const seen = input.map((text) => String(text).split(" ").slice(0, limit).join(" "));
    const cut = data.map((item, i) => ({
      ...item,
      embedding: [...vectorFor(seen[i] ?? "", [undefined, undefined])],
    }));
    // As BERT's vocabulary counts.
    const tokens = seen.reduce((sum, text) => sum + countBert(text, 1e6), 0);
    return usage === "given"
      ? rightly({ data: cut, tokens })
      : Response.json({ object: "list", data: cut.map((item) => ({ object: "embedding", ...item })) });
  };
}

/** Refuses longer texts, and states its limit. */
function refuses(open: Opened, limit: number): void {
  open.vendor.answer = ({ input }, right) => {
    const most = Math.max(...input.map((text) => countBert(String(text), 1e6)));
    const message = `This model's maximum context length is ${limit} tokens. However, you requested ${most} tokens in the input for embedding generation.`;
    return most > limit ? Response.json({ error: { message, code: 400 } }, { status: 400 }) : rightly(right);
  };
}

async function noticesOf(open: Opened): Promise<readonly Record<string, unknown>[]> {
  await quiet();
  const { notices } = Object((await open.send("/admin/notices")).json);
  // Of machines there are some where several gateways have one server.
  return notices.filter(({ space }: { space: string }) => space !== "");
}

/** Another gateway on the same database, with another routing file if one is given. */
const again = (open: Opened, text: string): Promise<Opened> => openBefore(`${text}${open.database}`);

describe("a server whose usage proves nothing", () => {
  test.each([126, 254, 510, 1022, 2046, 8190, 700])(
    "that cuts at %d words is found out by the first text that is longer",
    async (limit) => {
      await using open = await openBefore(yaml("infinity"));
      cuts(open, limit);
      const sent = await open.post({ model: "m", input: words(Math.ceil(limit * 1.2) + 10) });
      expect([sent.status, errorOf(sent).code]).toEqual([400, "context_length_exceeded"]);
      expect(await noticesOf(open)).toMatchObject([
        { space: "m", provider: "a", model: "m", out_of_service: false },
      ]);
      expect((await noticesOf(open))[0]?.message).toContain(`truncates texts to ${limit} tokens`);
      expect(callsOf(open)).toBeLessThan(20);
    },
  );

  test("is tested again only with a text longer than any that was read whole", async () => {
    await using open = await openBefore(yaml("infinity"));
    cuts(open, 2046);
    expect((await open.post({ model: "m", input: words(500) })).status).toBe(200);
    expect(callsOf(open)).toBe(3);
    expect((await open.post({ model: "m", input: `${words(490)} more` })).status).toBe(200);
    expect(callsOf(open)).toBe(4);
    expect((await open.post({ model: "m", input: words(2_500) })).status).toBe(400);
  });

  test("is known after a restart, as long as the configuration is the same", async () => {
    await using open = await openBefore(yaml("infinity"));
    cuts(open, 254);
    await open.post({ model: "m", input: words(400) });
    await quiet();
    await using after = await again(open, yaml("infinity"));
    cuts(after, 254);
    expect((await after.post({ model: "m", input: words(400) })).status).toBe(400);
    expect(callsOf(after)).toBe(0);
    expect(await noticesOf(after)).toHaveLength(1);
    await using changed = await again(open, yaml("infinity", "", ", headers: { x-a: b }"));
    expect(await noticesOf(changed)).toHaveLength(1);
    await using other = await again(open, yaml("infinity", ", max_inputs: 7"));
    expect(await noticesOf(other)).toEqual([]);
  });
});

/** On a server the others hear of it within a second. */
async function heard(open: Opened, words: string): Promise<void> {
  const told = async () => String((await noticesOf(open))[0]?.message);
  // A turn of the event loop each time: the server's answer must get a chance to arrive.
  while (ON_POSTGRES && !(await told()).includes(words)) await new Promise((turn) => setImmediate(turn));
}

describe("several processes on one database", () => {
  const both = async (text: string) => {
    const one = await openBefore(text);
    return { one, other: await again(one, text) };
  };

  test.each([
    ["a cut that a trial has shown", "infinity", "", 400],
    ["a cut that a count has shown", "openai", ", tokenizer: bert_uncased, token_ids: decode", 600],
  ])("what one has learned of %s the others know at once", async (_, plugin, model, length) => {
    const { one, other } = await both(yaml(plugin, model));
    await using _one = one;
    await using _other = other;
    const usage = plugin === "openai" ? "given" : "none";
    for (const each of [one, other]) cuts(each, 254, usage);
    expect((await other.post({ model: "m", input: "short" })).status).toBe(200);
    const before = callsOf(other);
    expect((await one.post({ model: "m", input: words(length) })).status).toBe(400);
    await quiet();
    await heard(other, "tokens");
    expect((await other.post({ model: "m", input: words(length) })).status).toBe(400);
    expect(callsOf(other)).toBe(before);
    expect(await noticesOf(other)).toHaveLength(1);
  });

  test.skipIf(
    onSqliteAlone("one may hear of the other's limit before it has its own; stores/spaces.test.ts has both"),
  )("what both learn at the same time is not lost: the smaller limit applies", async () => {
    const { one, other } = await both(yaml("infinity"));
    await using _one = one;
    await using _other = other;
    cuts(one, 510);
    cuts(other, 254);
    await Promise.all([one, other].map((each) => each.post({ model: "m", input: words(700) })));
    await quiet();
    for (const each of [one, other]) {
      await heard(each, "to 254 tokens");
      const before = callsOf(each);
      expect((await each.post({ model: "m", input: words(600) })).status).toBe(400);
      expect(callsOf(each)).toBe(before);
      expect((await noticesOf(each))[0]?.message).toContain("to 254 tokens");
    }
  });
});

describe("with the model's own vocabulary", () => {
  const known = (more = "") => `, tokenizer: bert_uncased, uncounted: refuse${more}`;

  test("a cut of a few tokens among many texts is detected, and nothing of it is answered", async () => {
    await using open = await openBefore(yaml("openai", known(", token_ids: decode")));
    cuts(open, 510, "given");
    const many = Array.from({ length: 40 }, (_, i) => `${words(100)} ${i}`);
    expect((await open.post({ model: "m", input: many })).status).toBe(200);
    const sent = await open.post({ model: "m", input: [...many, words(520), "last"] });
    expect([sent.status, errorOf(sent).code, errorOf(sent).param]).toEqual([
      400,
      "context_length_exceeded",
      "input[40]",
    ]);
    expect((await noticesOf(open))[0]?.message).toContain("truncates texts to 512 tokens");
    // From then on before anything is sent.
    const before = callsOf(open);
    expect((await open.post({ model: "m", input: [words(511)] })).status).toBe(400);
    expect(callsOf(open)).toBe(before);
    expect((await open.post({ model: "m", input: [words(510)] })).status).toBe(200);
  });

  test.each([0, 1])(
    "a count of the whole text does not hide that it was cut (raullenchai/Rapid-MLX#1381), at a price of %d",
    async (price) => {
      for (const [more, status, header] of [
        ["", 400, null],
        [", long_input: truncate", 200, "1"],
      ] as const) {
        const text = yaml("openai", known(`, token_ids: decode${more}`)).replace(
          "price: 1",
          `price: ${price}`,
        );
        await using open = await openBefore(text);
        cuts(open, 510, "given");
        const cutting = open.vendor.answer;
        open.vendor.answer = async (call, right) => {
          const { data } = Object(await (await cutting(call, right)).json());
          return rightly({
            data,
            tokens: call.input.reduce((sum: number, one) => sum + countBert(String(one), 1e6), 0),
          });
        };
        for (const length of [520, 700, 515]) {
          const sent = await open.post({ model: "m", input: ["a", words(length), "b"] });
          expect([length, sent.status, sent.headers.get("x-embedgate-truncated")]).toEqual([
            length,
            status,
            header,
          ]);
        }
        expect((await open.post({ model: "m", input: ["a", words(510)] })).status).toBe(200);
        expect((await noticesOf(open))[0]?.message).toContain("truncates texts to 512 tokens");
      }
    },
  );

  test("such a text is cut if long_input says so, at the limit and not before it", async () => {
    await using open = await openBefore(yaml("openai", known(", long_input: truncate")));
    cuts(open, 510, "given");
    const sent = await open.post({ model: "m", input: ["a", words(520), "b"] });
    expect([sent.status, sent.headers.get("x-embedgate-truncated")]).toEqual([200, "1"]);
    expect(vectorsOf(sent)[1]).toEqual([...vectorFor(words(510), [undefined, undefined])]);
  });

  test("a count of another vocabulary is not a cut", async () => {
    await using open = await openBefore(yaml("openai", known()));
    open.vendor.answer = ({ input }, { data }) => {
      const own = input.reduce((sum: number, text) => sum + countBert(String(text), 1e6), 0);
      return rightly({ data, tokens: Math.round(own * 0.97) });
    };
    // Two tokens per word.
    for (const count of [100, 150, 300, 600]) {
      const input = ["a b c", "tokenization ".repeat(count).trim()];
      expect((await open.post({ model: "m", input })).status).toBe(200);
    }
    expect(await noticesOf(open)).toEqual([]);
  });

  test("a limit in a provider's error is kept: texts are then cut to it at once, also after a restart", async () => {
    const text = yaml("openai", known(", long_input: truncate"));
    await using open = await openBefore(text);
    refuses(open, 300);
    for (let time = 0; time < 2; time++) {
      const sent = await open.post({ model: "m", input: words(400 + time) });
      expect([sent.status, sent.headers.get("x-embedgate-truncated")]).toEqual([200, "0"]);
    }
    expect(sizesOf(open)).toEqual([400, 298, 298]);
    expect(await noticesOf(open)).toEqual([]);
    await using after = await again(open, text);
    refuses(after, 300);
    await after.post({ model: "m", input: words(400) });
    expect(sizesOf(after)).toEqual([298]);
    // The operator's own setting is another configuration.
    await using raised = await again(open, text.replace("price: 1", "price: 1, max_input_tokens: 1000"));
    await raised.post({ model: "m", input: words(400) });
    expect(sizesOf(raised)[0]).toBe(400);
  });

  test("an impossible token count is replaced by our own count, of each text, and marked", async () => {
    await using open = await openBefore(yaml("infinity", known()));
    const fox = "The quick brown fox jumps over the lazy dog";
    open.vendor.answer = ({ input }, { data }) =>
      rightly({ data, tokens: input.reduce((sum: number, text) => sum + String(text).length, 0) });
    const sent = await open.post({ model: "m", input: [fox, "embeddings"] });
    expect(Object(sent.json).usage.prompt_tokens).toBe(countBert(fox, 100) + countBert("embeddings", 100));
    expect(sent.headers.get("x-embedgate-usage")).toBe("estimated");
  });
});

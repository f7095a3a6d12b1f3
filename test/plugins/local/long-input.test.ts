/**
 * Inputs at, over and far over the limit under each policy, token ids as inputs, and what the reply says about them.
 */
import { afterAll, describe, expect, test } from "bun:test";
import { call, failureOf, inOrder, openLocal, vectorOf } from "./local-model";

const local = openLocal({ workers: 1 });
afterAll(() => local.close?.());

/** "x" is one token. */
const tokens = (count: number) => "x ".repeat(count);

describe("an input of 254 tokens, the most that fit", () => {
  test.each(["reject", "truncate", "average"] as const)("is embedded whole under %s", async (longInput) => {
    const reply = await local.embed(call([tokens(254)], { longInput }));
    expect(reply).toMatchObject({ tokens: 254, tokensSource: "counted", truncated: [], averaged: [] });
  });
});

describe("reject", () => {
  test("names the first input at fault, its tokens, the limit and what to do", async () => {
    const failure = await failureOf(local.embed(call(["fine", tokens(255), tokens(999)])));
    expect(failure).toMatchObject({ kind: "input_too_long", input: 1 });
    expect(failure.message).toContain("255 tokens");
    expect(failure.message).toContain("takes 254");
    expect(failure.message).toContain("long_input");
  });

  test("counts a text far over the limit completely", async () => {
    expect((await failureOf(local.embed(call([tokens(100_000)])))).message).toContain("100000 tokens");
  });
});

describe("truncate", () => {
  test("embeds the first 254 tokens, and says which inputs were cut and what was embedded", async () => {
    const reply = await local.embed(
      call(["x", tokens(255), "x x", tokens(100_000)], { longInput: "truncate" }),
    );
    expect(reply).toMatchObject({ tokens: 1 + 254 + 2 + 254, truncated: [1, 3], averaged: [] });
    expect(reply.tokensByInput).toEqual([1, 254, 2, 254]);
    const whole = await vectorOf(local, tokens(254));
    expect(inOrder(reply)[1]).toEqual(whole);
    expect(inOrder(reply)[3]).toEqual(whole);
  });
});

describe("average", () => {
  test("embeds every token, and says which inputs were averaged", async () => {
    const reply = await local.embed(call([tokens(255), "x", tokens(1000)], { longInput: "average" }));
    expect(reply).toMatchObject({ tokens: 255 + 1 + 1000, truncated: [], averaged: [0, 2] });
    expect(reply.tokensByInput).toEqual([255, 1, 1000]);
  });

  test("takes one word a million characters long, which is one token", async () => {
    const reply = await local.embed(call(["a".repeat(1_000_000)], { longInput: "average" }));
    expect(reply).toMatchObject({ tokens: 1, averaged: [] });
  });
});

describe("an empty text", () => {
  test.each(["", "   ", "\u0000\n"])("%j has a vector and no tokens", async (text) => {
    const reply = await local.embed(call([text]));
    expect(reply.tokens).toBe(0);
    expect(inOrder(reply)).toEqual([await vectorOf(local, "")]);
  });
});

describe("token ids", () => {
  const helloWorld = Uint32Array.of(7592, 1010, 2088, 999);

  test("are the model's own, without its special tokens", async () => {
    expect(await vectorOf(local, helloWorld)).toEqual(await vectorOf(local, "Hello, world!"));
  });

  test("follow the same policies as text", async () => {
    const long = new Uint32Array(300).fill(1060);
    expect((await failureOf(local.embed(call([long])))).kind).toBe("input_too_long");
    expect(await local.embed(call([long], { longInput: "truncate" }))).toMatchObject({
      tokens: 254,
      truncated: [0],
    });
    expect(await local.embed(call([long], { longInput: "average" }))).toMatchObject({
      tokens: 300,
      averaged: [0],
    });
  });

  test("outside the vocabulary are refused, with their index", async () => {
    const failure = await failureOf(local.embed(call(["fine", Uint32Array.of(7592, 30522)])));
    expect(failure).toMatchObject({ kind: "invalid", input: 1, field: "input" });
    expect(failure.message).toContain("30522");
  });
});

/**
 * Token ids that a client split inside a character, through the gateway: never U+FFFD, never another text's vector from the cache.
 * A further way to split is a test here.
 */
import { expect, test } from "bun:test";
import { encode } from "gpt-tokenizer/encoding/cl100k_base";
import { openBefore, routing } from "./vendor";

const ROUTING = routing({ model: "token_ids: decode" }).replace("    token_ids: native\n", "");
const errorOf = ({ json }: { readonly json: unknown }) => Object(json).error;

/** As LangChain does with texts for a model that it does not know: every n ids. */
function cutEvery(count: number, text: string): number[][] {
  const ids = encode(text);
  const lists: number[][] = [];
  for (let from = 0; from < ids.length; from += count) lists.push(ids.slice(from, from + count));
  return lists;
}

test("consecutive pieces are split at a character, and sent as text", async () => {
  await using open = await openBefore(ROUTING);
  const text = "a🦜b🦜c🦜d🦜e";
  const input = cutEvery(3, text);
  const sent = await open.post({ model: "m", input });
  expect(sent.status).toBe(200);
  expect(sent.headers.get("x-embedgate-decoded")).toBe("cl100k_base");
  const asked = open.vendor.calls.flatMap(({ input }) => input).map(String);
  expect(asked).toHaveLength(input.length);
  expect(asked.join("")).toBe(text);
});

test("the same ids with other neighbours are another text, even if the first is cached", async () => {
  await using open = await openBefore(ROUTING);
  const texts = ["🦜 and more", "🦝 and less"];
  // One id alone is the start of either.
  const pairs = texts.map((text) => [encode(text).slice(0, 1), encode(text).slice(1)]);
  expect(pairs[0]?.[0]).toEqual(pairs[1]?.[0] ?? []);
  for (const input of pairs) expect((await open.post({ model: "m", input })).status).toBe(200);
  const asked = open.vendor.calls.map(({ input }) => input.map(String));
  expect(asked.map((pair) => pair.join(""))).toEqual(texts);
});

test("ids without a text of their own are refused before any call, naming the input and what to set", async () => {
  await using open = await openBefore(ROUTING);
  for (const [input, param] of [
    [[9468], "input"],
    [[[9468]], "input"],
    [[[15339], [9468]], "input[1]"],
  ] as const) {
    const sent = await open.post({ model: "m", input });
    expect([sent.status, errorOf(sent).param]).toEqual([400, param]);
    expect(errorOf(sent).message).toContain("check_embedding_ctx_length=False");
  }
  expect(open.vendor.calls).toEqual([]);
});

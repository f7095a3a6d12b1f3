/**
 * Inputs that are embedded in the context of each other (late chunking): one call, nothing of it divided, merged or cached.
 * The plugin decides which field requests it: `isIndivisible` of src/plugin.ts.
 */
import { describe, expect, test } from "bun:test";
import fake from "../../plugins/fake";
import openai from "../../plugins/openai";
import { realOutside } from "../../src/network/real-outside";
import { createHost } from "../../src/upstream/host";
import { FAKE_YAML, openGateway } from "../gateway";
import { cacheOf, expected, openBefore, quiet, routing, vectorsOf } from "./vendor";

const together = { late_chunking: true };

describe.each([
  ["openai", openai],
  ["fake", fake],
] as const)("the plugin %s", (_, plugin) => {
  test("is requested by extra_body.late_chunking: true, and by nothing else", () => {
    const { isIndivisible } = plugin(createHost(realOutside));
    const asks = (extraBody: Record<string, unknown>, fields = {}) => isIndivisible?.({ extraBody, fields });
    expect(asks(together)).toBe(true);
    for (const other of [{}, { late_chunking: false }, { late_chunking: null }, { late_chunking: "true" }]) {
      expect(asks(other)).toBe(false);
    }
  });
});

test("everything is one call, whatever the limits are, including duplicates", async () => {
  const limits = "max_call_bytes: 3, max_call_tokens: 2".replace(", ", "\n    ");
  await using open = await openBefore(routing({ model: limits }));
  const input = ["one", "two", "one", "three"];
  const sent = await open.post({ model: "m", input, extra_body: together });
  expect(open.vendor.calls.map((call) => call.input)).toEqual([input]);
  expect(open.vendor.calls[0]?.body.late_chunking).toBe(true);
  expect(vectorsOf(sent)).toEqual(expected(input));
});

test("nothing is found in the cache or stored there, and the answer says so", async () => {
  await using open = await openBefore();
  const input = ["one", "two"];
  for (let i = 1; i <= 2; i++) {
    const sent = await open.post({ model: "m", input, extra_body: together });
    expect([sent.status, cacheOf(sent), open.vendor.calls.length]).toEqual([200, "bypass", i]);
  }
  expect(open.gateway.cache.stats().memoryEntries).toBe(0);
  await open.post({ model: "m", input });
  expect(open.vendor.calls).toHaveLength(3);
});

test("equal simultaneous requests are two calls", async () => {
  await using open = await openBefore();
  const posted = [1, 2].map(() => open.post({ model: "m", input: ["a", "b"], extra_body: together }));
  await quiet();
  await Promise.all(posted);
  expect(open.vendor.calls).toHaveLength(2);
});

test("more inputs than a call takes are refused before anything is sent", async () => {
  await using open = await openBefore(routing({ model: "max_inputs: 3" }));
  const post = (count: number, extra_body = {}) =>
    open.post({ model: "m", input: Array.from({ length: count }, (_, i) => `text ${i}`), extra_body });
  expect((await post(3, together)).status).toBe(200);
  const refused = await post(4, together);
  expect([refused.status, Object(refused.json).error.param]).toEqual([400, "input"]);
  expect(open.vendor.calls).toHaveLength(1);
  expect((await post(4)).status).toBe(200);
});

test("a call that is too large for the provider is refused, not halved", async () => {
  await using open = await openBefore();
  open.vendor.answer = () =>
    Response.json({ error: { message: "too much", code: "max_tokens_per_request" } }, { status: 400 });
  const sent = await open.post({ model: "m", input: ["a", "b"], extra_body: together });
  expect([sent.status, Object(sent.json).error.code]).toEqual([400, "max_tokens_per_request"]);
  expect(open.vendor.calls).toHaveLength(1);
});

test("a text that would be averaged from pieces is refused with its index: its pieces would share the context", async () => {
  const model = "max_input_tokens: 4\n    long_input: average";
  await using open = await openBefore(routing({ model }));
  const input = ["short", "much longer than that"];
  const sent = await open.post({ model: "m", input, extra_body: together });
  expect([sent.status, Object(sent.json).error.param]).toEqual([400, "input[1]"]);
  expect(open.vendor.calls).toHaveLength(0);
  expect((await open.post({ model: "m", input })).headers.get("x-embedgate-averaged")).toBe("1");
});

test("the fake plugin's inputs stay together too", async () => {
  const yaml = `${FAKE_YAML.replace("provider: fake } ] }", "provider: fake } ], max_inputs: 2 }")}\ncache: {}\n`;
  await using open = await openGateway({ yaml });
  const post = (input: readonly string[], extra_body = {}) => open.post({ model: "fake", input, extra_body });
  expect(cacheOf(await post(["a", "a"], together))).toBe("bypass");
  expect((await post(["a", "b", "c"], together)).status).toBe(400);
  expect((await post(["a", "b", "c"])).status).toBe(200);
});

/**
 * Coalesced requests, from HTTP to the ledger: each has its own row, and the rows add up to the provider's count.
 * test/execute/coalesce.test.ts has who shares a call and who does not.
 */
import { expect, test } from "bun:test";
import { fakeOutside } from "../fake-outside";
import { openGateway } from "../gateway";
import { expected, openBefore, type Row, rightly, routing, rowsOf, vectorsOf } from "../request/vendor";

const sumOf = (rows: readonly Row[], column: string) =>
  rows.reduce((sum, row) => sum + Number(row[column]), 0);

const coalescing = (provider = "") =>
  routing({ cache: "false", provider: `coalesce_ms: 10${provider && `, ${provider}`}` });

test("each request has its own row, and together they add up to the provider's count", async () => {
  const clock = fakeOutside();
  await using open = await openBefore(coalescing(), {
    outside: { sleep: clock.outside.sleep, alarm: clock.outside.alarm },
  });
  open.vendor.answer = (_, { data }) => rightly({ data, tokens: 37 });
  const inputs = ["a", "a much longer text than that", "two words", "a"];
  const sent = await clock.until(Promise.all(inputs.map((input) => open.post({ model: "m", input }))));
  expect(open.vendor.calls.map(({ input }) => [...input].sort())).toEqual([[...inputs].sort().slice(1)]);
  expect(sent.flatMap(vectorsOf)).toEqual(expected(inputs));
  expect(sent.map(({ status, headers }) => [status, headers.get("x-embedgate-usage")])).toEqual(
    inputs.map(() => [200, "estimated"]),
  );
  const rows = rowsOf(open);
  expect(rows).toHaveLength(4);
  expect(sumOf(rows, "tokens_upstream")).toBe(37);
  expect(sumOf(rows, "tokens_billed")).toBe(37);
  for (const row of rows) expect(row).toMatchObject({ status: 200, inputs: 1, tokens_source: "estimated" });
});

test("workspaces share a call, and no error shows another's text", async () => {
  const clock = fakeOutside();
  await using open = await openBefore(coalescing(), {
    outside: { sleep: clock.outside.sleep, alarm: clock.outside.alarm },
  });
  open.vendor.answer = ({ input }, right) =>
    input.includes("poison")
      ? Response.json({ error: { message: `Bad inputs: ${input.join(" | ")}` } }, { status: 400 })
      : rightly(right);
  const keys = await Promise.all(
    ["one", "two"].map(async (workspace) => (await open.gateway.keys.create("a key", workspace)).key),
  );
  const inputs = ["my secret", "poison"];
  const sent = await clock.until(
    Promise.all(
      inputs.map((input, i) => open.post({ model: "m", input }, { authorization: `Bearer ${keys[i]}` })),
    ),
  );
  expect(open.vendor.calls.map(({ input }) => input.length)).toEqual([2, 1, 1]);
  expect(sent.map(({ status }) => status)).toEqual([200, 400]);
  expect(sent[1]?.text).toContain("poison");
  expect(sent[1]?.text).not.toContain("secret");
  const rows = rowsOf(open);
  expect(new Map(rows.map(({ workspace, status }) => [workspace, status]))).toEqual(
    new Map([
      ["one", 200],
      ["two", 400],
    ]),
  );
});

test("the built-in model embeds requests together that wait for a core, and counts the tokens of each", async () => {
  await using open = await openGateway({
    yaml: `
providers: { local: { plugin: local, concurrency: 1 } }
models: { m: { routes: [ { provider: local, model: all-MiniLM-L6-v2 } ] } }
`,
  });
  const inputs = Array.from({ length: 20 }, (_, i) => `${"word ".repeat(i + 1)}`);
  const sent = await Promise.all(inputs.map((input) => open.post({ model: "m", input })));
  const batch = await open.post({ model: "m", input: inputs });
  expect(sent.flatMap(vectorsOf)).toEqual(vectorsOf(batch));
  const shown = sent.map(({ json }) => Object(json).usage.prompt_tokens);
  expect(shown).toEqual(inputs.map((_, i) => i + 1));
  expect(sent.map(({ headers }) => headers.get("x-embedgate-usage"))).toEqual(inputs.map(() => null));
  const { text } = await open.send("/metrics");
  const calls = Number(
    /embedgate_upstream_calls_total\{provider="local",outcome="ok"\} (\d+)/.exec(text)?.[1],
  );
  // One of those is the batch.
  expect(calls).toBeLessThan(inputs.length);
});

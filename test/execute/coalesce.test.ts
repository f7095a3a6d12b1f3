/**
 * Request coalescing: which single-input requests share a call, when it is sent, and that each still gets its own vector and tokens.
 * A new reason to go alone is a row of APART; coalesce-failures.test.ts has calls that fail.
 */
import { describe, expect, test } from "bun:test";
import { type Asking, ask, askAll, opened, rightVectors, sizes, texts, WINDOW_MS } from "./coalescing";
import { answerThrough, gateOf, runUnder } from "./opened";

describe("requests of one input within the window", () => {
  test("are one call, and each gets its own vector when it is answered", async () => {
    const open = opened();
    const asked = askAll(open, texts(7));
    const results = await open.clock.until(Promise.all(asked));
    expect(sizes(open)).toEqual([7]);
    expect(open.callTimes).toEqual([WINDOW_MS]);
    expect(results.map(({ vectors }) => vectors)).toEqual(rightVectors(texts(7)).map((vector) => [vector]));
    expect(open.clock.sleeping()).toEqual([]);
  });

  test("share it however late in the window they come; later ones start another call", async () => {
    const open = opened();
    const first = ask(open, "first");
    await open.clock.advance(WINDOW_MS - 1);
    const last = ask(open, "last");
    await open.clock.advance(1);
    const late = ask(open, "late");
    await open.clock.until(Promise.all([first, last, late]));
    expect(open.calls.map(({ inputs }) => inputs)).toEqual([["first", "last"], ["late"]]);
    expect(open.callTimes).toEqual([WINDOW_MS, 2 * WINDOW_MS]);
  });

  test("are answered right if the provider answers in another order", async () => {
    const open = opened({ model: "fake-shuffled" });
    const results = await open.clock.until(Promise.all(askAll(open, texts(9))));
    expect(sizes(open)).toEqual([9]);
    expect(results.flatMap(({ vectors }) => vectors)).toEqual(rightVectors(texts(9)));
  });

  test("get shares of its tokens by their bytes, which add up and are marked as estimates", async () => {
    const open = opened({ spoil: (reply) => ({ ...reply, tokens: 67 }) });
    const runs = texts(6).map(() => runUnder());
    const inputs = ["a", "bb", "cccc", "é", "the longest of them all", "bb"];
    const asked = inputs.map((text, i) => ask(open, text, { run: runs[i] ?? {} }));
    const results = await open.clock.until(Promise.all(asked));
    const shown = results.map(({ tokens }) => tokens);
    expect(shown).toEqual([2, 4, 8, 4, 45, 4]);
    expect(shown.reduce((sum, tokens) => sum + tokens, 0)).toBe(67);
    expect(runs.map(({ tally }) => tally.tokens)).toEqual(shown);
    expect(new Set(results.map(({ tokensSource }) => tokensSource))).toEqual(new Set(["estimated"]));
  });

  test("are charged for their own texts only, not for those of a cut test", async () => {
    const long = "where ".repeat(200).trim();
    for (const [inputs, shown] of [
      [[long], [300]],
      [
        [long, "short"],
        [301, 1],
      ],
    ] as const) {
      const open = opened({ model: "fake-uncounted" });
      const results = await open.clock.until(Promise.all(askAll(open, inputs)));
      expect(results.map(({ tokens }) => tokens)).toEqual([...shown]);
    }
  });

  test("have their own count each, if the plugin counts each", async () => {
    const open = opened({
      spoil: (reply) => ({ ...reply, tokens: 10, tokensByInput: [1, 2, 7], tokensSource: "counted" }),
    });
    const results = await open.clock.until(Promise.all(askAll(open, ["a long text", "b", "c"])));
    expect(results.map(({ tokens, tokensSource }) => [tokens, tokensSource])).toEqual([
      [1, "counted"],
      [2, "counted"],
      [7, "counted"],
    ]);
  });

  test("learn that their own input was truncated", async () => {
    const open = opened({ spoil: (reply) => ({ ...reply, truncated: [1], averaged: [2] }) });
    const results = await open.clock.until(Promise.all(askAll(open, texts(3))));
    expect(results.map(({ truncated }) => truncated)).toEqual([[], [0], []]);
    expect(results.map(({ averaged }) => averaged)).toEqual([[], [], [0]]);
  });

  test("that is alone until it ends is sent like a single request", async () => {
    const open = opened();
    const { tokens, tokensSource } = await open.clock.until(ask(open, "three little words"));
    expect([tokens, tokensSource]).toEqual([3, "provider"]);
    expect(sizes(open)).toEqual([1]);
  });
});

const APART: readonly (readonly [string, Asking, Asking])[] = [
  ["users", { request: { user: "ann" } }, { request: { user: "bob" } }],
  ["users, one of them unnamed", { request: { user: "ann" } }, {}],
  ["sizes", { plan: { requestedDimensions: 8, dimensions: 8 } }, {}],
  ["tasks", { request: { task: { task: "query", field: "task", word: "query" } } }, {}],
  ["fields", { request: { fields: { title: "a" } } }, { request: { fields: { title: "b" } } }],
  ["extra bodies", { request: { extraBody: { a: 1 } } }, { request: { extraBody: { a: 2 } } }],
  ["wishes for long inputs", { plan: { longInput: "truncate" } }, { plan: { longInput: "reject" } }],
  ["types", { plan: { types: ["int8"] } }, {}],
];

describe("requests that share no call", () => {
  test.each(APART)("of different %s", async (_, one, other) => {
    const tasks = { words: { query: "query" } };
    const open = opened({ provider: { tasks, accepts: () => () => null } });
    const asked = [ask(open, "one", one), ask(open, "other", other), ask(open, "alike", other)];
    await open.clock.until(Promise.allSettled(asked));
    const together = open.calls.filter(({ inputs }) => inputs.includes("one") && inputs.length > 1);
    expect(together).toEqual([]);
    expect(open.calls.some(({ inputs }) => inputs.includes("other") && inputs.includes("alike"))).toBe(true);
  });

  test("with a text and with token ids", async () => {
    const open = opened({ facts: { token_ids: "native" } });
    await open.clock.until(Promise.all([ask(open, "one"), ask(open, Uint32Array.of(1, 2))]));
    expect(sizes(open)).toEqual([1, 1]);
  });

  test("with inputs that are embedded in the context of each other", async () => {
    const open = opened();
    const asking = { plan: { indivisible: true } };
    await open.clock.until(Promise.all(askAll(open, texts(3), asking)));
    expect(sizes(open)).toEqual([1, 1, 1]);
    expect(open.callTimes).toEqual([0, 0, 0]);
  });

  test("with several inputs, or with an empty one", async () => {
    const open = opened();
    const { route, clock } = open;
    const several = answerThrough(route, ["a", "b"], clock.outside);
    await clock.until(Promise.all([several, ask(open, ""), ask(open, "one")]));
    expect(open.calls.map(({ inputs }) => inputs)).toEqual([["a", "b"], [""], ["one"]]);
    expect(open.callTimes).toEqual([0, 0, WINDOW_MS]);
  });

  test("to a provider without coalescing", async () => {
    const open = opened({ provider: { coalescing: undefined } });
    await open.clock.until(Promise.all(askAll(open, texts(5))));
    expect(sizes(open)).toEqual([1, 1, 1, 1, 1]);
    expect(open.callTimes).toEqual([0, 0, 0, 0, 0]);
  });

  test("with only one call left: another's input must not fail it", async () => {
    const open = opened();
    await open.clock.until(Promise.all(askAll(open, texts(3), { run: { attemptsMax: 1 } })));
    expect(sizes(open)).toEqual([1, 1, 1]);
  });
});

describe("a full call", () => {
  test("is sent at once, and the next one starts", async () => {
    const open = opened({ facts: { max_inputs: 3 } });
    await open.clock.until(Promise.all(askAll(open, texts(8))));
    expect(sizes(open)).toEqual([3, 3, 2]);
    expect(open.callTimes).toEqual([0, 0, WINDOW_MS]);
  });

  test.each([
    ["bytes", { max_call_bytes: 10 }],
    ["tokens", { max_call_tokens: 10 }],
  ])("in %s leaves at once, before it is too much", async (_, facts) => {
    const open = opened({ facts });
    await open.clock.until(Promise.all(askAll(open, ["1234", "5678", "90123", "45678", "9"])));
    expect(open.calls.map(({ inputs }) => inputs)).toEqual([["1234", "5678"], ["90123", "45678"], ["9"]]);
    expect(open.callTimes).toEqual([0, 0, WINDOW_MS]);
  });
});

describe("without a window", () => {
  test("a request with a free place goes at once; those that wait for one go together", async () => {
    const open = opened({
      windowMs: 0,
      provider: { gate: gateOf(2) },
      before: (call, host) => host.sleep(100, call.signal),
    });
    const asked = [ask(open, "first")];
    await open.clock.advance(10);
    asked.push(ask(open, "second"));
    await open.clock.advance(10);
    asked.push(...askAll(open, texts(6)));
    await open.clock.until(Promise.all(asked));
    expect(sizes(open)).toEqual([1, 1, 6]);
    expect(open.callTimes).toEqual([0, 10, 100]);
  });
});

describe("at a provider whose places do the work themselves", () => {
  test("waiting requests are spread evenly among its places", async () => {
    const open = opened({
      windowMs: 0,
      isSpread: true,
      provider: { gate: gateOf(2) },
      before: (call, host) => host.sleep(100 * call.inputs.length, call.signal),
    });
    const asked = askAll(open, texts(12));
    const results = await open.clock.until(Promise.all(asked));
    // Otherwise the first place would take all the others.
    expect(Math.max(...sizes(open))).toBeLessThanOrEqual(12 / 2);
    expect(open.calls.length).toBeLessThan(12);
    expect(results.flatMap(({ vectors }) => vectors)).toEqual(rightVectors(texts(12)));
  });

  test("a single request goes at once", async () => {
    const open = opened({ windowMs: 0, isSpread: true });
    for (let i = 0; i < 3; i++) await open.clock.until(ask(open, `text ${i}`));
    expect(open.callTimes).toEqual([0, 0, 0]);
  });
});

describe("together with other rules", () => {
  test("a slow call is hedged once, however many requests share it", async () => {
    const open = opened({
      hedgeAfterMs: 150,
      before: async (call, host) => {
        if (open.calls.length === 1) await host.sleep(900, call.signal);
      },
    });
    const results = await open.clock.until(Promise.all(askAll(open, texts(4))));
    expect(sizes(open)).toEqual([4, 4]);
    expect(results.flatMap(({ vectors }) => vectors)).toEqual(rightVectors(texts(4)));
    expect(open.clock.outside.monotonic()).toBe(150 + WINDOW_MS);
  });

  test("a window longer than the hedge delay does not send an input twice in one call", async () => {
    const open = opened({ hedgeAfterMs: 5 });
    await open.clock.until(Promise.all(askAll(open, texts(2))));
    for (const { inputs } of open.calls) expect(new Set(inputs).size).toBe(inputs.length);
  });

  test("equal texts of different requests are two inputs of the call", async () => {
    const open = opened();
    const results = await open.clock.until(Promise.all(askAll(open, ["same words", "same words"])));
    expect(open.calls.map(({ inputs }) => inputs)).toEqual([["same words", "same words"]]);
    expect(results.map(({ tokens }) => tokens)).toEqual([2, 2]);
  });
});

/**
 * A cut test (cut-test.ts) that fails temporarily: it is retried by itself, and the answer that it tests is kept and not requested again.
 */
import { describe, expect, test } from "bun:test";
import { GatewayError } from "../../src/domain/errors";
import type { EmbedCall, Host } from "../../src/plugin";
import { fakeOutside } from "../fake-outside";
import { failureOf } from "../plugins/conformance/subject";
import { answerThrough, routeThrough, runUnder } from "./opened";
import { type Watching, watched } from "./watched";

/** It may be longer than what any server is known to look at. */
const LONG = "where ".repeat(200).trim();

const isTest = ({ inputs: [first] }: EmbedCall) => typeof first === "string" && /^(?:rain|gold) /.test(first);

/** @param fail returns what the test's call of that number fails with */
function failingTests(
  fail: (call: number, host: Host) => Error | undefined,
  watching: Watching = {},
): ReturnType<typeof watched> {
  let tests = 0;
  return watched("fake-uncounted", {
    provider: { retries: 2 },
    ...watching,
    before(call, host) {
      if (!isTest(call)) return;
      tests += 1;
      const failure = fail(tests, host);
      if (failure) throw failure;
    },
  });
}

const unavailable = (host: Host, about = {}) => host.failure("unavailable", "The connection broke.", about);
const testsOf = ({ calls }: ReturnType<typeof watched>) => calls.filter(isTest).length;

describe("a cut test that fails once", () => {
  test.each([1, 2])("in its call %d is retried, and the answer is asked for once", async (failing) => {
    const one = failingTests((call, host) => (call === failing ? unavailable(host) : undefined));
    const run = runUnder();
    const { vectors } = await one.clock.until(answerThrough(one.route, [LONG], one.clock.outside, { run }));
    expect(vectors).toHaveLength(1);
    expect([one.timesSent(LONG), testsOf(one)]).toEqual([1, 3]);
    expect(one.clock.sleeping()).toEqual([]);
    expect(one.clock.logs.map(({ message }) => message)).toEqual([
      "upstream call failed: a retry or fallback follows",
      "provider tested for silent truncation",
    ]);
    // An estimate of the three answered calls: the one that was refused costs nothing.
    const bytes = [LONG, ...one.calls.filter(isTest).map(({ inputs }) => String(inputs[0]))];
    expect(run.tally.tokens).toBeLessThan(bytes.reduce((sum, text) => sum + Math.ceil(text.length / 4), 0));
    const again = await answerThrough(one.route, [LONG], one.clock.outside);
    expect([again.vectors.length, testsOf(one)]).toEqual([1, 3]);
  });

  test("with a time to come back is not retried before it", async () => {
    const { clock, route, calls, callTimes } = failingTests((call, host) =>
      call === 1 ? host.failure("overloaded", "Later.", { retryAfterMs: 7_500 }) : undefined,
    );
    await clock.until(answerThrough(route, [LONG], clock.outside));
    expect(callTimes[calls.findIndex(isTest) + 1]).toBe(7_500);
  });
});

describe("a cut test that fails for good", () => {
  test.each([0, 1, 2])(
    "is tried 1 + %d times, and the answer is not asked for again there",
    async (retries) => {
      const one = failingTests((_, host) => unavailable(host), { provider: { retries } });
      const failure = await failureOf(one.clock.until(answerThrough(one.route, [LONG], one.clock.outside)));
      expect(failure.kind).toBe("unavailable");
      expect([one.timesSent(LONG), testsOf(one)]).toEqual([1, 1 + retries]);
    },
  );

  test("uses up the request's attempts", async () => {
    const one = failingTests((_, host) => unavailable(host), { provider: { retries: 9 } });
    const run = { ...runUnder(), attemptsMax: 3 };
    await failureOf(one.clock.until(answerThrough(one.route, [LONG], one.clock.outside, { run })));
    expect([one.timesSent(LONG), testsOf(one)]).toEqual([1, 3]);
  });

  test("leaves the text to the next target", async () => {
    const clock = fakeOutside();
    const first = failingTests((_, host) => unavailable(host), { clock, provider: { retries: 1 } });
    const second = failingTests(() => undefined, { clock, group: 1 });
    const route = routeThrough([first.target, second.target]);
    const { vectors } = await clock.until(answerThrough(route, [LONG], clock.outside));
    expect(vectors).toHaveLength(1);
    expect([first.timesSent(LONG), testsOf(first), second.timesSent(LONG)]).toEqual([1, 2, 1]);
  });

  test("with a 500 is no reason to look for a text at fault among the caller's", async () => {
    const one = failingTests((_, host) => unavailable(host, { upstreamStatus: 500 }));
    const inputs = [LONG, "a", "b", "c"];
    await failureOf(one.clock.until(answerThrough(one.route, inputs, one.clock.outside)));
    expect(inputs.map(one.timesSent)).toEqual([1, 1, 1, 1]);
  });

  test("and would fail again is not retried", async () => {
    const one = failingTests((_, host) => host.failure("unauthorized", "The API key is wrong."));
    const failure = await failureOf(one.clock.until(answerThrough(one.route, [LONG], one.clock.outside)));
    expect([failure.kind, testsOf(one)]).toEqual(["unauthorized", 1]);
  });
});

test("it is not retried past the request's deadline", async () => {
  const one = failingTests((_, host) => host.failure("overloaded", "Later.", { retryAfterMs: 30_000 }));
  const run = { ...runUnder(), endsAt: 20_000 };
  const failure = await failureOf(
    one.clock.until(answerThrough(one.route, [LONG], one.clock.outside, { run })),
  );
  expect([failure.kind, failure.retryAfterMs, testsOf(one)]).toEqual(["overloaded", 30_000, 1]);
  expect(one.clock.outside.monotonic()).toBe(0);
});

test("while it waits for its retry, the end of the request ends it, and of those that wait for the test", async () => {
  const gone = new GatewayError("cancelled", "The client closed the connection.");
  const { clock, route } = failingTests((_, host) =>
    host.failure("overloaded", "Later.", { retryAfterMs: 30_000 }),
  );
  const clients = [new AbortController(), new AbortController()];
  const failures = clients.map(({ signal }) =>
    failureOf(answerThrough(route, [LONG], clock.outside, { run: runUnder(signal) })),
  );
  await clock.advance(10);
  // The second waits for the first one's test.
  clients[1]?.abort(gone);
  expect(await failures[1]).toBe(gone);
  clients[0]?.abort(gone);
  expect(await failures[0]).toBe(gone);
  expect(clock.sleeping()).toEqual([]);
});

/**
 * How long the gateway waits for a provider, between attempts and at its concurrency gate, and what ends the waiting.
 * With a clock that only the test moves; a new reason to wait or to stop is a test here.
 */
import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { GatewayError } from "../../src/domain/errors";
import { failureOf } from "../plugins/conformance/subject";
import { answerThrough, gateOf, runUnder } from "./opened";
import { watched } from "./watched";

describe("between attempts", () => {
  test("it waits longer each time, randomly within bounds that double from 250 ms", async () => {
    await fc.assert(
      fc.asyncProperty(fc.nat(), async (seed) => {
        const { clock, route, callTimes } = watched("fake-down", { provider: { retries: 3 }, seed });
        await failureOf(clock.until(answerThrough(route, ["one"], clock.outside)));
        for (let retry = 1; retry < 4; retry++) {
          const waited = (callTimes[retry] ?? 0) - (callTimes[retry - 1] ?? 0);
          const most = 250 * 2 ** (retry - 1);
          expect(waited).toBeGreaterThanOrEqual(most / 4);
          expect(waited).toBeLessThanOrEqual(most);
        }
      }),
      { numRuns: 30 },
    );
  });

  test("two requests that failed together are not retried together", async () => {
    const returns = [1, 2, 3, 4].map(async (seed) => {
      const { clock, route, callTimes } = watched("fake-down", { provider: { retries: 1 }, seed });
      await failureOf(clock.until(answerThrough(route, ["one"], clock.outside)));
      return callTimes[1];
    });
    expect(new Set(await Promise.all(returns)).size).toBe(4);
  });

  test("a provider that says when to come back is not called before", async () => {
    const { clock, route, callTimes } = watched("fake", {
      provider: { retries: 1 },
      before: (_, host) => {
        if (callTimes.length === 1) throw host.failure("overloaded", "Later.", { retryAfterMs: 7_500 });
      },
    });
    await clock.until(answerThrough(route, ["one"], clock.outside));
    expect(callTimes).toEqual([0, 7_500]);
  });

  test.each([60_001, 86_400_000, 2 ** 31, 1e12])(
    "a provider that says %d ms is not waited for: the caller is told now",
    async (retryAfterMs) => {
      const { clock, route, callTimes } = watched("fake", {
        provider: { retries: 3 },
        before: (_, host) => {
          throw host.failure("overloaded", "Tomorrow.", { retryAfterMs });
        },
      });
      const failure = await failureOf(clock.until(answerThrough(route, ["one"], clock.outside)));
      expect(failure).toMatchObject({ kind: "overloaded", retryAfterMs });
      expect(callTimes).toEqual([0]);
    },
  );
});

describe("an attempt's time", () => {
  test.each(["fake-slow", "fake-stuck"])(
    "%s: an attempt is over when its time is, and another is made",
    async (model) => {
      const { clock, route, calls, callTimes } = watched(model, {
        provider: { retries: 1, timeoutMs: 1_000, gate: gateOf(1) },
      });
      const failure = await failureOf(clock.until(answerThrough(route, ["one"], clock.outside)));
      expect(failure.kind).toBe("timeout");
      expect(failure.message).toContain("1000 ms");
      expect(calls.map(({ signal }) => signal.aborted)).toEqual([true, true]);
      expect(callTimes[1]).toBeGreaterThan(1_000);
      expect(clock.outside.monotonic()).toBe((callTimes[1] ?? 0) + 1_000);
      expect(clock.sleeping()).toEqual([]);
    },
  );

  test("an answer just in time is accepted, and its timer is freed", async () => {
    const { clock, route } = watched("fake", {
      provider: { timeoutMs: 1_000 },
      before: (_, host) => host.sleep(999),
    });
    const { vectors } = await clock.until(answerThrough(route, ["one"], clock.outside));
    expect(vectors).toHaveLength(1);
    expect(clock.sleeping()).toEqual([]);
  });

  test("time spent waiting at the gate does not count as the attempt's", async () => {
    const { clock, route } = watched("fake", {
      facts: { max_inputs: 1 },
      provider: { timeoutMs: 1_000, gate: gateOf(1) },
      before: (_, host) => host.sleep(900),
    });
    const { vectors } = await clock.until(answerThrough(route, ["a", "b", "c", "d"], clock.outside));
    expect(vectors).toHaveLength(4);
    expect(clock.outside.monotonic()).toBe(3_600);
  });
});

describe("the request's end", () => {
  const gone = new GatewayError("cancelled", "The client closed the connection.");

  test.each([
    ["during a call that obeys its signal", "fake-slow", 500, 1],
    ["during a call that does not", "fake-stuck", 500, 1],
    ["between two attempts", "fake-down", 10, 1],
  ])("%s ends it at once, and nothing is sent any more", async (_, model, endsAfterMs, callCount) => {
    const { clock, route, calls } = watched(model, { provider: { retries: 3, timeoutMs: 30_000 } });
    const controller = new AbortController();
    const run = runUnder(controller.signal);
    const failure = failureOf(answerThrough(route, ["one"], clock.outside, { run }));
    await clock.advance(endsAfterMs);
    controller.abort(gone);
    expect(await failure).toBe(gone);
    await clock.advance(120_000);
    expect(calls).toHaveLength(callCount);
    expect(clock.sleeping()).toEqual([]);
  });

  test("while it waits at the gate ends it without a call, and calls in flight go on", async () => {
    const gate = gateOf(1);
    const { clock, route, calls } = watched("fake", { provider: { gate } });
    await gate.enter(new AbortController().signal, "interactive");
    const controller = new AbortController();
    const failure = failureOf(
      answerThrough(route, ["one"], clock.outside, { run: runUnder(controller.signal) }),
    );
    await clock.advance(10);
    controller.abort(gone);
    expect(await failure).toBe(gone);
    gate.leave("interactive");
    const { vectors } = await answerThrough(route, ["two"], clock.outside);
    expect(vectors).toHaveLength(1);
    expect(calls.map(({ inputs }) => inputs)).toEqual([["two"]]);
  });

  test("before it has begun sends nothing", async () => {
    const { clock, route, calls } = watched("fake");
    const run = runUnder(AbortSignal.abort(gone));
    expect(await failureOf(answerThrough(route, ["one"], clock.outside, { run }))).toBe(gone);
    expect(calls).toEqual([]);
  });
});

describe("a place at the gate", () => {
  test.each(["fake", "fake-down", "fake-short", "fake-buggy", "fake-slow", "fake-stuck"])(
    "is free again after %s",
    async (model) => {
      const gate = gateOf(1);
      const { clock, route } = watched(model, { provider: { gate, retries: 1 } });
      await clock.until(answerThrough(route, ["one"], clock.outside).catch((thrown: unknown) => thrown));
      let entered = false;
      void gate.enter(new AbortController().signal, "interactive").then(() => {
        entered = true;
      });
      await clock.advance(0);
      expect(entered).toBe(true);
    },
  );

  test("is not held while waiting for the next attempt", async () => {
    const gate = gateOf(1);
    const down = watched("fake-down", { provider: { gate, retries: 1 } });
    const failure = failureOf(answerThrough(down.route, ["one"], down.clock.outside));
    await down.clock.advance(0);
    const good = watched("fake", { provider: { gate } });
    expect((await answerThrough(good.route, ["two"], good.clock.outside)).vectors).toHaveLength(1);
    await down.clock.advance(10_000);
    expect((await failure).kind).toBe("unavailable");
  });
});

test("if a provider's Retry-After is past the deadline, its error is returned at once", async () => {
  const { clock, route, calls } = watched("fake", {
    provider: { retries: 2 },
    before: (_, host) => {
      throw host.failure("overloaded", "Slow down.", { retryAfterMs: 30_000 });
    },
  });
  const run = { ...runUnder(), endsAt: 20_000 };
  const failure = await failureOf(clock.until(answerThrough(route, ["one"], clock.outside, { run })));
  expect([failure.kind, failure.retryAfterMs]).toEqual(["overloaded", 30_000]);
  expect(calls).toHaveLength(1);
  expect(clock.outside.monotonic()).toBe(0);
});

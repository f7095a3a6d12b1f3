/**
 * A model with several routes: which of them gets a part, in what order, and what happens when one fails.
 * A new rule for choosing the next target is a test here; breaker.test.ts has circuit breakers.
 */
import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { exactVector } from "../../plugins/fake";
import { GatewayError } from "../../src/domain/errors";
import { type FakeOutside, fakeOutside } from "../fake-outside";
import { failureOf } from "../plugins/conformance/subject";
import { answerThrough, gateOf, routeThrough, runUnder } from "./opened";
import { type Watching, watched } from "./watched";

const texts = (count: number) => Array.from({ length: count }, (_, place) => `text ${place}`);
const rightVectors = (inputs: readonly string[]) => inputs.map((text) => exactVector(text, 16));

interface Spec extends Watching {
  /** The fake's model: its failure. */
  readonly model?: string;
  readonly retries?: number;
}

/** Routes called a, b, c …, each a group of its own unless the test says otherwise; `order` lists the calls. */
function ways(clock: FakeOutside, ...specs: readonly [Spec, ...Spec[]]) {
  const called: string[] = [];
  const opened = specs.map(({ model = "fake", retries = 1, before, ...spec }, i) => {
    const name = String.fromCharCode(97 + i);
    return watched(model, {
      group: i,
      ...spec,
      clock,
      provider: { name, retries, gate: gateOf(64), ...spec.provider },
      before(call, host) {
        called.push(name);
        return before?.(call, host);
      },
    });
  });
  const [first, ...others] = opened.map(({ target }) => target);
  if (!first) throw new Error("no ways");
  return { route: routeThrough([first, ...others]), opened, order: () => called.join("") };
}

describe("a part that failed", () => {
  test.each(["down", "unauthorized", "overloaded", "short", "nan", "buggy", "slow", "stuck"])(
    "at fake-%s goes to the next way at once, and comes through",
    async (fault) => {
      const clock = fakeOutside();
      const { route, opened, order } = ways(clock, { model: `fake-${fault}` }, {});
      const run = runUnder();
      const { vectors } = await clock.until(answerThrough(route, texts(3), clock.outside, { run }));
      expect(vectors).toEqual(rightVectors(texts(3)));
      expect(order()).toBe("ab");
      const [, b] = opened;
      expect(b?.callTimes).toEqual([fault === "slow" || fault === "stuck" ? 1_000 : 0]);
      expect([...run.tally.providers]).toEqual(["b"]);
      expect(clock.sleeping()).toEqual([]);
    },
  );

  test("is cut by the next route's limits, and answered parts are kept", async () => {
    const clock = fakeOutside();
    const { route, opened } = ways(
      clock,
      {
        facts: { max_inputs: 8 },
        before: ({ inputs }, host) => {
          if (inputs.includes("text 9")) throw host.failure("unavailable", "The connection broke.");
        },
      },
      { facts: { max_inputs: 3 } },
    );
    const { vectors } = await clock.until(answerThrough(route, texts(20), clock.outside));
    expect(vectors).toEqual(rightVectors(texts(20)));
    const [a, b] = opened;
    expect(a?.calls.map(({ inputs }) => inputs.length)).toEqual([8, 8, 4]);
    expect(b?.calls.map(({ inputs }) => inputs)).toEqual([
      texts(20).slice(8, 11),
      texts(20).slice(11, 14),
      texts(20).slice(14, 16),
    ]);
  });

  test("goes back to the first route only after every other was called, and then after a pause", async () => {
    const clock = fakeOutside();
    const { route, opened, order } = ways(
      clock,
      { model: "fake-down" },
      { model: "fake-down" },
      { model: "fake-down" },
    );
    await failureOf(clock.until(answerThrough(route, ["one"], clock.outside)));
    expect(order()).toBe("abca");
    expect(opened.flatMap(({ callTimes }) => callTimes.slice(0, 1))).toEqual([0, 0, 0]);
    expect(opened[0]?.callTimes[1]).toBeGreaterThanOrEqual(62);
    expect(opened[0]?.callTimes[1]).toBeLessThanOrEqual(250);
  });

  test("is sent at most four times over all routes, however it is cut", async () => {
    const clock = fakeOutside();
    const { route, opened } = ways(
      clock,
      { model: "fake-down", retries: 3, facts: { max_inputs: 6 } },
      { model: "fake-down", retries: 3, facts: { max_inputs: 2 } },
      { model: "fake-down", retries: 3, facts: { max_inputs: 1 } },
    );
    await failureOf(clock.until(answerThrough(route, texts(6), clock.outside)));
    for (const text of texts(6))
      expect(opened.reduce((sum, { timesSent }) => sum + timesSent(text), 0)).toBeLessThanOrEqual(4);
    expect(opened.reduce((sum, { timesSent }) => sum + timesSent("text 0"), 0)).toBe(4);
  });

  test("is not sent to one route more often than its own retries allow", async () => {
    const clock = fakeOutside();
    const { route, order } = ways(
      clock,
      { model: "fake-down", retries: 0 },
      { model: "fake-down", retries: 1 },
    );
    await failureOf(clock.until(answerThrough(route, ["one"], clock.outside)));
    expect(order()).toBe("abb");
  });

  test("does not go again to a route that refused our key, even if the others fail too", async () => {
    const clock = fakeOutside();
    const { route, order } = ways(clock, { model: "fake-unauthorized", retries: 3 }, { model: "fake-down" });
    const failure = await failureOf(clock.until(answerThrough(route, ["one"], clock.outside)));
    expect(order()).toBe("abb");
    expect(failure.kind).toBe("unavailable");
  });

  test("gets the last error of the route at which it failed", async () => {
    const clock = fakeOutside();
    let calls = 0;
    const { route } = ways(clock, {
      before: (_, host) => {
        calls += 1;
        throw calls === 1
          ? new GatewayError("unavailable", "It fell over.", { upstreamStatus: 500 })
          : host.failure("unauthorized", "The key is wrong.");
      },
    });
    const failure = await failureOf(clock.until(answerThrough(route, ["one"], clock.outside)));
    expect([calls, failure.kind]).toEqual([2, "unauthorized"]);
  });

  test.each(["invalid", "missing"])("by its own fault (fake-%s) goes nowhere else", async (fault) => {
    const clock = fakeOutside();
    const { route, order } = ways(clock, { model: `fake-${fault}` }, {});
    const failure = await failureOf(clock.until(answerThrough(route, ["one"], clock.outside)));
    expect(failure.meaning.status).toBeLessThan(500);
    expect(order()).toBe("a");
  });

  test("does not wait for a route with Retry-After while another may be retried", async () => {
    const clock = fakeOutside();
    const { route, order } = ways(
      clock,
      {
        before: (_, host) => {
          throw host.failure("overloaded", "Later.", { retryAfterMs: 30_000 });
        },
      },
      { model: "fake-flaky" },
    );
    const { vectors } = await clock.until(answerThrough(route, ["one"], clock.outside));
    expect(vectors).toHaveLength(1);
    expect(order()).toBe("abb");
    expect(clock.outside.monotonic()).toBeLessThanOrEqual(250);
  });
});

describe("a route that may not serve", () => {
  test("is never called, even if the others fail", async () => {
    const clock = fakeOutside();
    const { route, order } = ways(clock, { mayServe: () => false }, { model: "fake-down" });
    expect((await failureOf(clock.until(answerThrough(route, ["one"], clock.outside)))).kind).toBe(
      "unavailable",
    );
    expect(order()).toBe("bb");
  });

  test("leaves the model out of service if there is no other", async () => {
    const clock = fakeOutside();
    const { route, order } = ways(clock, { mayServe: () => false }, { mayServe: () => false });
    const failure = await failureOf(answerThrough(route, texts(40), clock.outside));
    expect([failure.kind, failure.meaning.status]).toEqual(["space_out_of_service", 503]);
    expect(order()).toBe("");
  });

  test("from the middle of a request on gets no further part of it", async () => {
    const clock = fakeOutside();
    let serves = true;
    const { route, opened } = ways(
      clock,
      {
        facts: { max_inputs: 1 },
        provider: { gate: gateOf(2) },
        mayServe: () => serves,
        spoil: (reply) => {
          serves = false;
          return reply;
        },
      },
      {},
    );
    const { vectors } = await clock.until(answerThrough(route, texts(100), clock.outside));
    expect(vectors).toEqual(rightVectors(texts(100)));
    // Those that were sent, or queued, when it changed.
    expect(opened[0]?.calls.length).toBeLessThan(70);
    expect(opened[1]?.calls.length).toBeGreaterThan(0);
  });
});

describe("within a group", () => {
  const shares = async (weights: readonly number[], requests: number) => {
    const clock = fakeOutside();
    const [first = {}, ...others] = weights.map((weight) => ({ weight, group: 0 }));
    const { route, opened } = ways(clock, first, ...others);
    for (let request = 0; request < requests; request++)
      await clock.until(answerThrough(route, [`text ${request}`], clock.outside));
    return opened.map(({ calls }) => calls.length);
  };

  test("requests are distributed by weight", async () => {
    const [three = 0, one = 0] = await shares([3, 1], 800);
    expect(three + one).toBe(800);
    // Within four standard deviations of 600.
    expect(Math.abs(three - 600)).toBeLessThan(50);
  });

  test("weight 0 serves only if the others cannot", async () => {
    expect(await shares([0, 1, 2], 200)).toMatchObject([0, expect.any(Number), expect.any(Number)]);
    const clock = fakeOutside();
    const { route, order } = ways(
      clock,
      { weight: 0, group: 0 },
      { model: "fake-down", weight: 1, group: 0 },
    );
    await clock.until(answerThrough(route, ["one"], clock.outside));
    expect(order()).toBe("ba");
  });

  test("a later group is called only if the earlier ones cannot serve", async () => {
    const clock = fakeOutside();
    const down = { model: "fake-down", group: 0 };
    const { route, opened } = ways(clock, down, down, { group: 1 }, { group: 2 });
    await clock.until(answerThrough(route, ["one"], clock.outside));
    expect(opened.map(({ calls }) => calls.length)).toEqual([1, 1, 1, 0]);
  });

  test("the parts of one large request are spread over all of it", async () => {
    const clock = fakeOutside();
    const spec = {
      group: 0,
      facts: { max_inputs: 4 },
      before: (_: unknown, host: { sleep(ms: number): Promise<void> }) => host.sleep(100),
    };
    const { route, opened } = ways(clock, spec, spec);
    const { vectors } = await clock.until(answerThrough(route, texts(160), clock.outside));
    expect(vectors).toEqual(rightVectors(texts(160)));
    expect(opened.map(({ calls }) => calls.length)).toEqual([20, 20]);
  });

  test("a slow route gets less: the one with less in flight for its weight is chosen", async () => {
    const clock = fakeOutside();
    const taking = (ms: number) => ({
      group: 0,
      facts: { max_inputs: 1 },
      provider: { gate: gateOf(4) },
      before: (_: unknown, host: { sleep(ms: number): Promise<void> }) => host.sleep(ms),
    });
    const { route, opened } = ways(clock, taking(900), taking(100));
    await clock.until(answerThrough(route, texts(100), clock.outside));
    const [slow = 0, fast = 0] = opened.map(({ calls }) => calls.length);
    expect(slow + fast).toBe(100);
    expect(fast).toBeGreaterThan(slow * 3);
  });

  test("of two with weights 3 and 1, both busy, the first has three times as much in flight", async () => {
    const clock = fakeOutside();
    const spec = (weight: number) => ({
      group: 0,
      weight,
      facts: { max_inputs: 1 },
      before: (_: unknown, host: { sleep(ms: number): Promise<void> }) => host.sleep(500),
    });
    const { route, opened } = ways(clock, spec(3), spec(1));
    const answer = answerThrough(route, texts(40), clock.outside);
    await clock.advance(0);
    expect(opened.map(({ calls }) => calls.length)).toEqual([30, 10]);
    await clock.until(answer);
  });
});

describe("a route with Retry-After", () => {
  const limited = (clock: FakeOutside, retryAfterMs: number | undefined) => {
    let isLimited = true;
    const { route, opened } = ways(
      clock,
      {
        before: (_, host) => {
          if (isLimited) throw host.failure("overloaded", "Later.", { retryAfterMs });
        },
      },
      {},
    );
    const ask = () => clock.until(answerThrough(route, ["one"], clock.outside));
    const lift = () => {
      isLimited = false;
    };
    return { ask, lift, opened };
  };

  test.each([
    [20_000, 20_000],
    [undefined, 1_000],
    [86_400_000, 300_000],
  ])("(%p ms) rests for %d ms while others are there", async (retryAfterMs, restMs) => {
    const clock = fakeOutside();
    const { ask, lift, opened } = limited(clock, retryAfterMs);
    await ask();
    lift();
    await ask();
    await clock.advance(restMs - 1);
    await ask();
    await clock.advance(1);
    await ask();
    expect(opened.map(({ calls }) => calls.length)).toEqual([2, 3]);
    expect(opened[0]?.callTimes).toEqual([0, restMs]);
  });

  test("is called anyway by the next caller if there is no other", async () => {
    const clock = fakeOutside();
    const { route, opened } = ways(clock, {
      retries: 0,
      before: (_, host) => {
        throw host.failure("overloaded", "Later.", { retryAfterMs: 20_000 });
      },
    });
    for (let caller = 0; caller < 8; caller++) {
      const failure = await failureOf(answerThrough(route, ["one"], clock.outside));
      expect(failure).toMatchObject({ kind: "overloaded", retryAfterMs: 20_000 });
    }
    expect(opened[0]?.callTimes).toEqual([0, 0, 0, 0, 0, 0, 0, 0]);
  });
});

test("whatever fails: the answer is right or an error, and no route is called too often", async () => {
  const faults = ["", "", "", "-down", "-overloaded", "-short", "-unauthorized", "-stuck", "-flaky", "-nan"];
  const spec = fc.record({
    model: fc.constantFrom(...faults).map((fault) => `fake${fault}`),
    retries: fc.integer({ min: 0, max: 3 }),
    max_inputs: fc.integer({ min: 1, max: 5 }),
    places: fc.integer({ min: 1, max: 4 }),
    group: fc.integer({ min: 0, max: 2 }),
    weight: fc.integer({ min: 0, max: 3 }),
  });
  const scenario = fc.record({
    specs: fc.array(spec, { minLength: 1, maxLength: 4 }),
    count: fc.integer({ min: 1, max: 14 }),
    seed: fc.nat(),
  });
  let answered = 0;
  await fc.assert(
    fc.asyncProperty(scenario, async ({ specs, count, seed }) => {
      const clock = fakeOutside({}, seed);
      const [first = {}, ...others] = specs.map(({ max_inputs, places, ...rest }) => ({
        ...rest,
        facts: { max_inputs },
        provider: { gate: gateOf(places, clock.outside) },
      }));
      const { route, opened } = ways(clock, first, ...others);
      const outcome = await clock.until(
        answerThrough(route, texts(count), clock.outside).catch((thrown: unknown) => thrown),
      );
      if (outcome instanceof GatewayError) expect(outcome.kind).not.toBe("internal");
      else {
        expect(Object(outcome).vectors).toEqual(rightVectors(texts(count)));
        answered += 1;
      }
      for (const text of texts(count)) {
        const sent = opened.map(({ timesSent }) => timesSent(text));
        expect(sent.reduce((sum, times) => sum + times, 0)).toBeLessThanOrEqual(4);
        for (const [i, times] of sent.entries())
          expect(times).toBeLessThanOrEqual((specs[i]?.retries ?? 0) + 1);
      }
      await clock.advance(0);
      expect(clock.sleeping()).toEqual([]);
      for (const { target } of opened) {
        expect(target.provider.healthOf(target.model).inputsUnderWay).toBe(0);
        for (let place = 0; place < target.provider.gate.places; place++)
          await target.provider.gate.enter(new AbortController().signal, "interactive");
      }
    }),
    { numRuns: 200 },
  );
  expect(answered).toBeGreaterThan(50);
});

/**
 * The circuit breaker of a target: what opens it, for how long, which calls may test it meanwhile, and what callers see.
 * A new rule for opening it is a test here; targets.test.ts has which target is called instead.
 */
import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { exactVector } from "../../plugins/fake";
import { GatewayError } from "../../src/domain/errors";
import type { Breaker, Outcome } from "../../src/domain/health";
import type { EmbedCall, Host } from "../../src/plugin";
import { createBreaker } from "../../src/upstream/breaker";
import { createHealths } from "../../src/upstream/health";
import { answerThrough, gateOf, routeThrough } from "../execute/opened";
import { type Watching, watched } from "../execute/watched";
import { type FakeOutside, fakeOutside } from "../fake-outside";
import { failureOf } from "../plugins/conformance/subject";

const texts = (count: number) => Array.from({ length: count }, (_, place) => `text ${place}`);
const owner = {};

/** A complete call without others in flight; undefined if the circuit breaker refuses it. */
function call(breaker: Breaker, outcome: Outcome, isLast = false) {
  return breaker.begin(owner, isLast)?.ended(outcome);
}

function openBreaker(clock: FakeOutside): Breaker {
  const breaker = createBreaker(clock.outside);
  for (let failure = 0; failure < 5; failure++) call(breaker, "failed");
  return breaker;
}

describe("a circuit breaker", () => {
  test("opens at the fifth failure in a row, and not before", () => {
    const breaker = createBreaker(fakeOutside().outside);
    for (let failure = 1; failure < 5; failure++) expect(call(breaker, "failed")).toBe("unchanged");
    expect(call(breaker, "failed")).toBe("opened");
    expect(call(breaker, "failed")).toBeUndefined();
  });

  test("forgets failures at every success, and ignores abandoned calls", () => {
    const breaker = createBreaker(fakeOutside().outside);
    for (let round = 0; round < 10; round++) {
      for (let failure = 1; failure < 5; failure++) call(breaker, "failed");
      call(breaker, "good");
    }
    expect(breaker.isClosed()).toBe(true);
    for (let failure = 1; failure < 5; failure++) call(breaker, "failed");
    call(breaker, "unknown");
    expect(call(breaker, "failed")).toBe("opened");
  });

  test("counts calls that were in flight together and broke together once", () => {
    const breaker = createBreaker(fakeOutside().outside);
    const together = () => Array.from({ length: 30 }, () => breaker.begin(owner, false));
    for (let crash = 1; crash < 5; crash++) {
      for (const begun of together()) expect(begun?.ended("failed")).toBe("unchanged");
    }
    expect(together().map((begun) => begun?.ended("failed"))).toContain("opened");
  });

  test("counts each call that timed out", () => {
    const breaker = createBreaker(fakeOutside().outside);
    const together = Array.from({ length: 5 }, () => breaker.begin(owner, false));
    expect(together.map((begun) => begun?.ended("timed out")).at(-1)).toBe("opened");
  });

  test("is open for a second, and for twice as long after each failed trial, up to a minute", async () => {
    await fc.assert(
      fc.asyncProperty(fc.nat(), async (seed) => {
        const clock = fakeOutside({}, seed);
        const breaker = openBreaker(clock);
        for (const seconds of [1, 2, 4, 8, 16, 32, 60, 60, 60]) {
          const openMs = breaker.openForMs();
          expect(openMs).toBeGreaterThanOrEqual(seconds * 800);
          expect(openMs).toBeLessThanOrEqual(seconds * 1_200);
          await clock.advance(Math.floor(openMs - 1));
          expect(breaker.admits(false)).toBe(false);
          await clock.advance(2);
          expect(call(breaker, "failed")).toBe("opened");
        }
        await clock.advance(72_001);
        expect(call(breaker, "good")).toBe("closed");
        for (let failure = 0; failure < 5; failure++) call(breaker, "failed");
        expect(breaker.openForMs()).toBeLessThanOrEqual(1_200);
      }),
      { numRuns: 20 },
    );
  });

  test("lets one call at a time test it; its outcome decides for all", async () => {
    const clock = fakeOutside();
    const breaker = openBreaker(clock);
    await clock.advance(1_200);
    const trial = breaker.begin(owner, false);
    expect([breaker.admits(false), breaker.admits(true), breaker.begin(owner, true)]).toEqual([
      false,
      false,
      undefined,
    ]);
    expect(breaker.trial()?.owner).toBe(owner);
    // Abandoned: the outcome is unknown, and the next call may test it.
    expect(trial?.ended("unknown")).toBe("unchanged");
    expect(breaker.trial()).toBeUndefined();
    expect(call(breaker, "good")).toBe("closed");
    expect(Array.from({ length: 9 }, () => breaker.begin(owner, false))).not.toContain(undefined);
  });

  test("lets a caller without any other target through, one at a time, and stays open no longer for it", async () => {
    const breaker = openBreaker(fakeOutside());
    const openMs = breaker.openForMs();
    for (let caller = 0; caller < 20; caller++) {
      expect(breaker.admits(false)).toBe(false);
      const trial = breaker.begin(owner, true);
      expect(breaker.begin(owner, true)).toBeUndefined();
      expect(trial?.ended("failed")).toBe("unchanged");
    }
    expect(breaker.openForMs()).toBe(openMs);
    expect(call(breaker, "good", true)).toBe("closed");
  });

  test("is closed by the answer of a call that began before it opened", () => {
    const breaker = createBreaker(fakeOutside().outside);
    const early = breaker.begin(owner, false);
    for (let failure = 0; failure < 5; failure++) call(breaker, "failed");
    expect(early?.ended("good")).toBe("closed");
  });
});

describe("the health of a model at a provider", () => {
  test("is kept from request to request by its name there, separately for each model", () => {
    const healthOf = createHealths(fakeOutside().outside);
    for (let failure = 0; failure < 5; failure++) call(healthOf("one").breaker, "failed");
    expect(healthOf("one").breaker.isClosed()).toBe(false);
    expect(healthOf("two").breaker.isClosed()).toBe(true);
  });

  test("is forgotten after callers made up a thousand other names, and kept while it is used", () => {
    const healthOf = createHealths(fakeOutside().outside);
    const [kept, dropped] = [healthOf("kept"), healthOf("dropped")];
    for (let name = 0; name < 1_500; name++) {
      healthOf(`made up ${name}`);
      healthOf("kept");
    }
    expect(healthOf("kept")).toBe(kept);
    expect(healthOf("dropped")).not.toBe(dropped);
  });
});

type Before = (call: EmbedCall, host: Host) => Promise<void> | void;

/** One route, or several, to a provider that does what `before` says; they are called a, b, … */
function opened(clock: FakeOutside, ...specs: readonly [Watching, ...Watching[]]) {
  const all = specs.map((spec, i) =>
    watched("fake", {
      group: i,
      ...spec,
      clock,
      provider: { name: "ab"[i] ?? "c", retries: 0, gate: gateOf(64, clock.outside), ...spec.provider },
    }),
  );
  const [first, ...others] = all.map(({ target }) => target);
  if (!first) throw new Error("no ways");
  return { route: routeThrough([first, ...others]), calls: () => all.map(({ calls }) => calls.length), all };
}

const down: Before = (_, host) => {
  throw host.failure("unavailable", "The connection broke.");
};

describe("a provider that is down, with another beside it", () => {
  test("is called five times, then not for a second, then once", async () => {
    const clock = fakeOutside();
    const { route, calls } = opened(clock, { before: down }, {});
    const ask = () => clock.until(answerThrough(route, ["one"], clock.outside));
    for (let caller = 0; caller < 20; caller++) await ask();
    expect(calls()).toEqual([5, 20]);
    await clock.advance(1_200);
    for (let caller = 0; caller < 20; caller++) await ask();
    expect(calls()).toEqual([6, 40]);
    await clock.advance(1_200);
    await ask();
    expect(calls()).toEqual([6, 41]);
  });

  test("is logged when its circuit breaker opens, and when it closes", async () => {
    const clock = fakeOutside();
    let isDown = true;
    const { route } = opened(clock, { before: (...call) => (isDown ? down(...call) : undefined) }, {});
    for (let caller = 0; caller < 20; caller++) await answerThrough(route, ["one"], clock.outside);
    isDown = false;
    await clock.advance(1_200);
    for (let caller = 0; caller < 20; caller++) await answerThrough(route, ["one"], clock.outside);
    const told = clock.logs.filter(({ message }) => message.startsWith("circuit breaker"));
    expect(told.map(({ level, about }) => [level, about])).toEqual([
      ["error", { provider: "a", model: "fake" }],
      ["info", { provider: "a", model: "fake" }],
    ]);
  });

  test.each<[string, Before]>([
    [
      "limits us",
      (_, host) => {
        throw host.failure("overloaded", "Slower.");
      },
    ],
    [
      "refuses what we send",
      (_, host) => {
        throw host.failure("invalid", "Not this.", { field: "user" });
      },
    ],
  ])("one that %s is not taken for down", async (_, before) => {
    const clock = fakeOutside();
    const { all, route } = opened(clock, { before });
    for (let caller = 0; caller < 20; caller++) await failureOf(answerThrough(route, ["one"], clock.outside));
    expect(all[0]?.target.provider.healthOf("fake").breaker.isClosed()).toBe(true);
  });

  test("one text that it cannot embed, sent again and again, does not look like an outage", async () => {
    const clock = fakeOutside();
    const { all, route } = opened(clock, {
      provider: { retries: 3 },
      before: ({ inputs }) => {
        if (inputs.includes("bomb"))
          throw new GatewayError("unavailable", "It fell over.", { upstreamStatus: 500 });
      },
    });
    await failureOf(clock.until(answerThrough(route, ["bomb"], clock.outside)));
    await failureOf(clock.until(answerThrough(route, ["bomb"], clock.outside)));
    expect(all[0]?.calls).toHaveLength(8);
    expect(all[0]?.target.provider.healthOf("fake").breaker.isClosed()).toBe(true);
  });
});

describe("the only provider, when it is down", () => {
  test("is called for every caller who comes alone, and each gets its answer", async () => {
    const clock = fakeOutside();
    let count = 0;
    const { route, calls } = opened(clock, {
      before: (_, host) => {
        count += 1;
        throw host.failure("timeout", `failure ${count}`);
      },
    });
    for (let caller = 1; caller <= 30; caller++) {
      const failure = await failureOf(clock.until(answerThrough(route, ["one"], clock.outside)));
      expect([failure.kind, failure.message]).toEqual(["timeout", `failure ${caller}`]);
    }
    expect(calls()).toEqual([30]);
  });

  test("is not called twice for one request while its circuit breaker is open", async () => {
    const clock = fakeOutside();
    const { route, calls } = opened(clock, { provider: { retries: 3 }, before: down });
    const ask = () => failureOf(clock.until(answerThrough(route, ["one"], clock.outside)));
    await ask();
    expect(calls()).toEqual([4]);
    await ask();
    expect(calls()).toEqual([5]);
    await ask();
    expect(calls()).toEqual([6]);
  });

  test("is not stormed by many callers: one call is made, all others are told to come back later", async () => {
    const clock = fakeOutside();
    const { route, calls } = opened(clock, {
      provider: { timeoutMs: 30_000 },
      before: async (...call) => {
        await call[1].sleep(calls()[0] === 6 ? 5_000 : 0);
        return down(...call);
      },
    });
    for (let caller = 0; caller < 5; caller++)
      await failureOf(clock.until(answerThrough(route, ["one"], clock.outside)));
    const crowd = Array.from({ length: 50 }, () => failureOf(answerThrough(route, ["one"], clock.outside)));
    await clock.advance(1_000);
    // All except the one that tests know by now.
    const told = await Promise.all(crowd.slice(1));
    expect(new Set(told.map(({ kind }) => kind))).toEqual(new Set(["unavailable"]));
    for (const { meaning, retryAfterMs } of told) {
      expect(meaning.status).toBe(503);
      expect(retryAfterMs).toBeGreaterThanOrEqual(1_000);
      expect(retryAfterMs).toBeLessThanOrEqual(60_000);
    }
    expect(calls()).toEqual([6]);
    await clock.advance(5_000);
    expect((await crowd[0])?.message).toBe("The connection broke.");
    expect(calls()).toEqual([6]);
    expect(clock.sleeping()).toEqual([]);
  });

  test("does not get the queued calls of many callers after it went down", async () => {
    const clock = fakeOutside();
    const { route, calls } = opened(clock, {
      provider: { gate: gateOf(1, clock.outside) },
      before: async (...call) => {
        await call[1].sleep(10);
        return down(...call);
      },
    });
    const crowd = Array.from({ length: 100 }, () => failureOf(answerThrough(route, ["one"], clock.outside)));
    const failures = await clock.until(Promise.all(crowd));
    expect(new Set(failures.map(({ kind }) => kind))).toEqual(new Set(["unavailable"]));
    // Five, and then one at a time, but by nobody who waited for longer than a second.
    expect(calls()[0]).toBeLessThanOrEqual(5 + 1 + 1_000 / 10);
    expect(calls()[0]).toBeGreaterThanOrEqual(5);
  });

  test("serves everybody at once when it is back", async () => {
    const clock = fakeOutside();
    let isDown = true;
    const { route, calls } = opened(clock, {
      before: async (...call) => {
        await call[1].sleep(200);
        if (isDown) await down(...call);
      },
    });
    for (let caller = 0; caller < 6; caller++)
      await failureOf(clock.until(answerThrough(route, ["one"], clock.outside)));
    isDown = false;
    const crowd = Array.from({ length: 50 }, (_, who) =>
      answerThrough(route, [`text ${who}`], clock.outside).then(({ vectors }) => vectors[0]),
    );
    expect(await clock.until(Promise.all(crowd))).toEqual(texts(50).map((text) => exactVector(text, 16)));
    expect(calls()).toEqual([6 + 50]);
  });

  test("serves a large request completely when it is back: its own first call is awaited, however long", async () => {
    const clock = fakeOutside();
    let isDown = true;
    const { route, calls } = opened(clock, {
      facts: { max_inputs: 2 },
      provider: { timeoutMs: 60_000 },
      before: async (...call) => {
        if (isDown) await down(...call);
        await call[1].sleep(30_000);
      },
    });
    for (let caller = 0; caller < 6; caller++)
      await failureOf(clock.until(answerThrough(route, ["one"], clock.outside)));
    isDown = false;
    const { vectors } = await clock.until(answerThrough(route, texts(40), clock.outside));
    expect(vectors).toEqual(texts(40).map((text) => exactVector(text, 16)));
    expect(calls()).toEqual([6 + 20]);
  });

  test("two that are both down: a caller alone gets the error of one of them, and many callers reach neither", async () => {
    const clock = fakeOutside();
    const { route, calls } = opened(clock, { before: down }, { before: down });
    for (let caller = 0; caller < 30; caller++) {
      const failure = await failureOf(clock.until(answerThrough(route, ["one"], clock.outside)));
      expect(failure.message).toBe("The connection broke.");
    }
    const [a = 0, b = 0] = calls();
    expect(a + b).toBe(5 + 5 + 25);
    expect(a).toBeGreaterThanOrEqual(5);
  });
});

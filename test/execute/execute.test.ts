/**
 * The calls of a request, through a real Route with the fake plugin, with a clock that only the test moves.
 * execute-time.test.ts has waiting and its ends; a new rule about retries is a test here.
 */
import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import fake, { exactVector } from "../../plugins/fake";
import { GatewayError } from "../../src/domain/errors";
import type { EmbedCall } from "../../src/plugin";
import { createHost } from "../../src/upstream/host";
import { fakeOutside } from "../fake-outside";
import { failureOf } from "../plugins/conformance/subject";
import { answerThrough, gateOf, routeTo } from "./opened";
import { watched } from "./watched";

const texts = (count: number) => Array.from({ length: count }, (_, place) => `text ${place}`);
const rightVectors = (inputs: readonly string[]) => inputs.map((text) => exactVector(text, 16));

describe("attempts", () => {
  test.each([
    [0, 1],
    [1, 2],
    [2, 3],
    [3, 4],
    [10, 4],
  ])(
    "with %d retries a provider that is down is asked %d times, and no more than four",
    async (retries, calls) => {
      const { clock, route, calls: made } = watched("fake-down", { provider: { retries } });
      const failure = await failureOf(clock.until(answerThrough(route, ["one"], clock.outside)));
      expect(failure.kind).toBe("unavailable");
      expect(made).toHaveLength(calls);
      expect(clock.logs).toHaveLength(calls - 1);
      expect(clock.sleeping()).toEqual([]);
    },
  );

  test.each(["unauthorized", "missing", "invalid"])(
    "fake-%s is asked once: no retry would help",
    async (fault) => {
      const { clock, route, calls } = watched(`fake-${fault}`, { provider: { retries: 3 } });
      await failureOf(clock.until(answerThrough(route, ["one"], clock.outside)));
      expect(calls).toHaveLength(1);
      expect(clock.sleeping()).toEqual([]);
    },
  );

  test("a transient error leaves no trace in the answer", async () => {
    const { clock, route, calls } = watched("fake-flaky", { provider: { retries: 1 } });
    const { vectors } = await clock.until(answerThrough(route, ["one", "two"], clock.outside));
    expect(vectors).toEqual(rightVectors(["one", "two"]));
    expect(calls).toHaveLength(2);
  });

  test("an invalid answer is requested again", async () => {
    const { clock, route, calls } = watched("fake", {
      provider: { retries: 1 },
      spoil: (reply) => (calls.length === 1 ? { ...reply, vectors: reply.vectors.slice(1) } : reply),
    });
    const { vectors } = await clock.until(answerThrough(route, ["one", "two"], clock.outside));
    expect(vectors).toEqual(rightVectors(["one", "two"]));
    expect(calls).toHaveLength(2);
  });

  test("a plugin's own exception is in the log and not in the answer", async () => {
    const { clock, route } = watched("fake-buggy");
    const failure = await failureOf(answerThrough(route, ["one"], clock.outside));
    expect(failure.kind).toBe("malformed");
    expect(failure.message).not.toContain("undefined is not");
    expect(clock.logs[0]?.level).toBe("error");
    expect(JSON.stringify(clock.logs[0]?.about)).toContain("undefined is not a vector");
  });

  test("a plugin that returns nothing at all is at fault, not the gateway", async () => {
    for (const reply of [
      "null",
      "42",
      "{}",
      '{"vectors":null}',
      '{"vectors":[null]}',
      '{"vectors":[{"index":0}]}',
    ]) {
      const { clock, route } = watched("fake", { spoil: () => JSON.parse(reply) });
      expect((await failureOf(answerThrough(route, ["one"], clock.outside))).kind).toBe("malformed");
    }
  });
});

describe("parts", () => {
  const facts = { max_inputs: 2 };

  test("only the part that failed is sent again", async () => {
    const inputs = texts(7);
    let failed = false;
    const { clock, route, timesSent } = watched("fake", {
      facts,
      provider: { retries: 2 },
      before: (call, host) => {
        if (failed || !call.inputs.includes("text 4")) return;
        failed = true;
        throw host.failure("unavailable", "The connection broke.");
      },
    });
    const { vectors } = await clock.until(answerThrough(route, inputs, clock.outside));
    expect(vectors).toEqual(rightVectors(inputs));
    expect(inputs.map(timesSent)).toEqual([1, 1, 1, 1, 2, 2, 1]);
  });

  test("a part that is too large for the provider is sent in halves, and only that part", async () => {
    const inputs = texts(12);
    const { clock, route, calls, timesSent } = watched("fake", {
      facts: { max_inputs: 8 },
      before: (call, host) => {
        if (call.inputs.length > 4) throw host.failure("too_many_tokens", "max 4 tokens per request");
      },
    });
    const { vectors } = await clock.until(answerThrough(route, inputs, clock.outside));
    expect(vectors).toEqual(rightVectors(inputs));
    expect(calls.map(({ inputs: sent }) => sent.length).sort()).toEqual([4, 4, 4, 8]);
    expect(inputs.map(timesSent)).toEqual([2, 2, 2, 2, 2, 2, 2, 2, 1, 1, 1, 1]);
  });

  test("halving ends at one input, whose refusal is then the caller's error", async () => {
    const { clock, route, timesSent } = watched("fake", {
      before: (call, host) => {
        if (call.inputs.includes("text 3")) throw host.failure("too_many_tokens", "Too many.");
      },
    });
    const failure = await failureOf(clock.until(answerThrough(route, texts(8), clock.outside)));
    expect(failure.kind).toBe("too_many_tokens");
    expect(timesSent("text 3")).toBe(4);
  });

  test("the input at fault is named by its index in the request, also after halving", async () => {
    const refuses = (text: string) =>
      watched("fake", {
        facts: { max_inputs: 4 },
        before: (call, host) => {
          if (call.inputs.length > 2) throw host.failure("too_many_tokens", "Too many.");
          const input = call.inputs.indexOf(text);
          if (input >= 0) throw host.failure("invalid", "Not to its liking.", { input });
        },
      });
    for (const place of [0, 1, 6, 7, 8]) {
      const { clock, route } = refuses(`text ${place}`);
      const failure = await failureOf(clock.until(answerThrough(route, texts(9), clock.outside)));
      expect([failure.kind, failure.input]).toEqual(["invalid", place]);
    }
  });

  test("truncated and averaged inputs are listed by their index in the request, in order", async () => {
    const { clock, route } = watched("fake", {
      facts,
      spoil: (reply) => ({ ...reply, truncated: [1], averaged: [0] }),
    });
    const result = await answerThrough(route, texts(6), clock.outside);
    expect(result.truncated).toEqual([1, 3, 5]);
    expect(result.averaged).toEqual([0, 2, 4]);
  });

  test("a part that fails permanently ends the others in flight", async () => {
    const { clock, route, calls } = watched("fake", {
      facts,
      before: (call, host) => {
        if (call.inputs.includes("text 2")) throw host.failure("unauthorized", "The key is wrong.");
        return new Promise(() => undefined);
      },
    });
    const failure = await failureOf(answerThrough(route, texts(6), clock.outside));
    expect(failure.kind).toBe("unauthorized");
    expect(calls.map(({ signal }) => signal.aborted)).toEqual([true, false, true]);
    await clock.advance(0);
    expect(clock.sleeping()).toEqual([]);
  });

  test.each([1, 3])(
    "once one has failed for good, none of those that wait for one of %d places is sent",
    async (places) => {
      const { clock, route, calls } = watched("fake-unauthorized", {
        facts,
        provider: { gate: gateOf(places) },
        before: (_, host) => host.sleep(calls.length),
      });
      await failureOf(clock.until(answerThrough(route, texts(40), clock.outside)));
      await clock.advance(1_000);
      expect(calls).toHaveLength(Math.max(1, places - 1));
    },
  );

  test("a large request uses all places except the reserved one, and is answered", async () => {
    let inside = 0;
    let most = 0;
    const { clock, route } = watched("fake", {
      facts: { max_inputs: 1 },
      provider: { gate: gateOf(4) },
      before: async (_, host) => {
        inside += 1;
        most = Math.max(most, inside);
        await host.sleep(10);
        inside -= 1;
      },
    });
    const { vectors } = await clock.until(answerThrough(route, texts(20), clock.outside));
    expect(vectors).toEqual(rightVectors(texts(20)));
    expect(most).toBe(3);
  });
});

describe("whatever fails", () => {
  const FAULTS = [
    "",
    "",
    "",
    "-short",
    "-empty",
    "-duplicate",
    "-misplaced",
    "-narrow",
    "-nan",
    "-zero",
    "-shuffled",
  ];
  const FAILURES = ["-down", "-overloaded", "-stuck", "-slow", "-buggy", "-uncounted"];

  test("the answer is completely right or it is an error, and nothing is left behind", async () => {
    const scenario = fc.record({
      count: fc.integer({ min: 1, max: 12 }),
      max_inputs: fc.integer({ min: 1, max: 5 }),
      places: fc.integer({ min: 1, max: 3 }),
      retries: fc.integer({ min: 0, max: 4 }),
      faults: fc.array(fc.constantFrom(...FAULTS, ...FAILURES), { minLength: 1, maxLength: 12 }),
      seed: fc.nat(),
    });
    let answered = 0;
    await fc.assert(
      fc.asyncProperty(scenario, async ({ count, max_inputs, places, retries, faults, seed }) => {
        const clock = fakeOutside({}, seed);
        const upstream = fake(createHost(clock.outside)).open({});
        const gate = gateOf(places);
        let calls = 0;
        const embed = (call: EmbedCall) =>
          upstream.embed({ ...call, model: `fake${faults[calls++ % faults.length] ?? ""}` });
        const route = routeTo({ ...upstream, embed }, "fake", {
          facts: { max_inputs },
          provider: { gate, retries },
        });
        const outcome = await clock.until(
          answerThrough(route, texts(count), clock.outside).catch((thrown: unknown) => thrown),
        );
        if (outcome instanceof GatewayError) expect(outcome.kind).not.toBe("internal");
        else {
          expect(Object(outcome).vectors).toEqual(rightVectors(texts(count)));
          answered += 1;
        }
        // A part that was too slow continues in halves: no input is sent more often, but in other calls.
        const parts = faults.some((fault) => fault === "-stuck" || fault === "-slow")
          ? count
          : Math.ceil(count / max_inputs);
        expect(calls).toBeLessThanOrEqual(parts * Math.min(retries + 1, 4));
        // The clock runs once more, so that cancelled work can free its timers.
        await clock.advance(0);
        expect(clock.sleeping()).toEqual([]);
        // Every place is free again.
        const patient = new AbortController().signal;
        for (let place = 0; place < places; place++) await gate.enter(patient, "interactive");
      }),
      { numRuns: 150 },
    );
    expect(answered).toBeGreaterThan(10);
  });
});

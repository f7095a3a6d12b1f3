/**
 * One input that a provider cannot embed: it is found among the others and named, and the others are not lost.
 * A provider's further reaction to such an input is a row of WAYS.
 */
import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { exactVector } from "../../plugins/fake";
import { GatewayError } from "../../src/domain/errors";
import { collect } from "../../src/execute/collect";
import { execute } from "../../src/execute/execute";
import type { Host, Input } from "../../src/plugin";
import { failureOf } from "../plugins/conformance/subject";
import { added, answerThrough, gateOf, planFor, requestFor, runUnder } from "./opened";
import { type Watched, type Watching, watched } from "./watched";

const texts = (count: number) => Array.from({ length: count }, (_, place) => `text ${place}`);
const rightVectors = (inputs: readonly string[]) => inputs.map((text) => exactVector(text, 16));

type Choke = (isPoison: (input: Input) => boolean) => Watching;

const refusing =
  (refusal: (host: Host) => Error): Choke =>
  (isPoison) => ({
    before: ({ inputs }, host) => {
      if (inputs.some(isPoison)) throw refusal(host);
    },
  });

/** How a provider reacts to a call with one of these inputs. */
const WAYS: Readonly<Record<string, Choke>> = {
  "400 without a word which": refusing((host) => host.failure("invalid", "Something is not to its liking.")),
  "422 without a word which": refusing(
    () => new GatewayError("invalid", "Unprocessable.", { upstreamStatus: 422 }),
  ),
  "a context that is too long, of one of them": refusing((host) =>
    host.failure("input_too_long", "Too long."),
  ),
  "500": refusing(() => new GatewayError("unavailable", "It fell over.", { upstreamStatus: 500 })),
  "a vector that is no number": (isPoison) => ({
    spoil: (reply, { inputs }) => ({
      ...reply,
      vectors: reply.vectors.map(({ index, values }) => {
        const input = inputs[index];
        const isSpoilt = input !== undefined && isPoison(input);
        return { index, values: isSpoilt ? values.map(() => Number.NaN) : values };
      }),
    }),
  }),
};

/** What was taken before the request failed, by index. */
async function takenThrough({ route, clock }: Watched, inputs: readonly string[]) {
  const plan = planFor(inputs, route);
  const collection = collect(plan);
  const taken = new Map<number, Float32Array>();
  const error = await failureOf(
    clock.until(
      execute(requestFor(inputs), route, plan, runUnder(), clock.outside, (answered) => {
        for (const [place, { values }] of added(collection, answered)) taken.set(place, values);
        return undefined;
      }),
    ),
  );
  return { taken, error };
}

describe.each(Object.entries(WAYS))("%s", (_, choke) => {
  const isPoison = (input: Input) => input === "text 17";

  test("names the one input, with the provider's message, in few calls, and keeps all the others of its part", async () => {
    const provider = watched("fake", { facts: { max_inputs: 64 }, ...choke(isPoison) });
    const { error, taken } = await takenThrough(provider, texts(64));
    expect(error.input).toBe(17);
    expect(error.kind).not.toBe("internal");
    expect(provider.calls.length).toBeLessThanOrEqual(1 + 2 * Math.log2(64));
    expect([...taken.keys()].sort((a, b) => a - b)).toEqual(
      texts(64)
        .map((_, i) => i)
        .filter((i) => i !== 17),
    );
    for (const [place, values] of taken) expect(values).toEqual(exactVector(`text ${place}`, 16));
    // A half that was answered is never sent again.
    const good = provider.calls
      .filter(({ inputs }) => !inputs.some(isPoison))
      .flatMap(({ inputs }) => inputs);
    expect(new Set(good).size).toBe(good.length);
  });

  test("names it at every index, for any number of inputs, and any size of calls", async () => {
    const scenario = fc
      .record({ count: fc.integer({ min: 2, max: 40 }), max_inputs: fc.integer({ min: 1, max: 40 }) })
      .chain(({ count, max_inputs }) =>
        fc.record({
          count: fc.constant(count),
          max_inputs: fc.constant(max_inputs),
          places: fc.integer({ min: 1, max: 4 }),
          at: fc.nat(count - 1),
        }),
      );
    await fc.assert(
      fc.asyncProperty(scenario, async ({ count, max_inputs, places, at }) => {
        const provider = watched("fake", {
          facts: { max_inputs },
          provider: { gate: gateOf(places) },
          ...choke((input) => input === `text ${at}`),
        });
        const { error, taken } = await takenThrough(provider, texts(count));
        expect(error.input).toBe(at);
        expect(taken.has(at)).toBe(false);
        await provider.clock.advance(0);
        expect(provider.clock.sleeping()).toEqual([]);
      }),
      { numRuns: 60 },
    );
  });

  test("names the first one if each call has one input and only one call runs at a time", async () => {
    const { error, taken } = await takenThrough(
      watched("fake", {
        facts: { max_inputs: 1 },
        provider: { gate: gateOf(1) },
        ...choke((input) => input === "text 0"),
      }),
      texts(9),
    );
    expect(error.input).toBe(0);
    expect(taken.get(1)).toEqual(exactVector("text 1", 16));
  });

  test("names one of several", async () => {
    const bad = new Set([3, 4, 29]);
    const provider = watched(
      "fake",
      choke((input) => bad.has(Number(String(input).slice(5)))),
    );
    const { error } = await takenThrough(provider, texts(32));
    expect(bad.has(error.input ?? -1)).toBe(true);
  });

  test("names none if every input is refused: the request or the provider is at fault", async () => {
    for (const [count, max_inputs] of [
      [2, 2],
      [32, 32],
      [40, 8],
      [20, 1],
    ] as const) {
      const provider = watched("fake", { facts: { max_inputs }, ...choke(() => true) });
      const { error, taken } = await takenThrough(provider, texts(count));
      expect(error.input).toBeUndefined();
      expect(taken.size).toBe(0);
      // One search, whatever the number of parts.
      const parts = Math.ceil(count / max_inputs);
      expect(provider.calls.length).toBeLessThanOrEqual(parts + 2 * Math.ceil(Math.log2(max_inputs)) + 2);
    }
  });

  test("of a request for one input is unchanged", async () => {
    const provider = watched(
      "fake",
      choke(() => true),
    );
    const failure = await failureOf(answerThrough(provider.route, ["one"], provider.clock.outside));
    expect(failure.input).toBeUndefined();
    expect(provider.calls).toHaveLength(1);
  });

  test("of inputs that must not be divided is unchanged", async () => {
    const provider = watched("fake", choke(isPoison));
    const plan = planFor(texts(32), provider.route, { indivisible: true });
    await failureOf(answerThrough(provider.route, texts(32), provider.clock.outside, { plan }));
    expect(provider.calls).toHaveLength(1);
  });
});

describe("a call that is refused only for its size", () => {
  test.each<[string, () => Error]>([
    [
      "422, as some servers say it",
      () => new GatewayError("invalid", "batch size 30 > 8", { upstreamStatus: 422 }),
    ],
    ["413", () => new GatewayError("invalid", "Payload too large.", { upstreamStatus: 413 })],
  ])("%s: is answered in smaller ones, and nothing is named", async (_, refusal) => {
    const { route, clock } = watched("fake", {
      facts: { max_inputs: 32 },
      before: ({ inputs }) => {
        if (inputs.length > 8) throw refusal();
      },
    });
    const { vectors } = await clock.until(answerThrough(route, texts(70), clock.outside));
    expect(vectors).toEqual(rightVectors(texts(70)));
  });
});

describe("no search is made", () => {
  test.each<[string, () => Error]>([
    ["for a field of the request", () => new GatewayError("invalid", "No such user.", { field: "user" })],
    [
      "where the provider names the input itself",
      () => new GatewayError("invalid", "This one.", { input: 5 }),
    ],
    ["for a method that is not allowed", () => new GatewayError("invalid", "No.", { upstreamStatus: 405 })],
    ["for a model that is not there", () => new GatewayError("not_found", "No such model.")],
    ["for a key that is refused", () => new GatewayError("unauthorized", "Wrong key.")],
    ["for a broken connection", () => new GatewayError("unavailable", "It broke.")],
    ["for a 502", () => new GatewayError("unavailable", "Bad gateway.", { upstreamStatus: 502 })],
    ["for a 503", () => new GatewayError("unavailable", "Down.", { upstreamStatus: 503 })],
    ["for a 504", () => new GatewayError("unavailable", "Late.", { upstreamStatus: 504 })],
    ["for a 529", () => new GatewayError("unavailable", "Overloaded.", { upstreamStatus: 529 })],
    ["for a 429", () => new GatewayError("overloaded", "Slower.", { upstreamStatus: 429 })],
    ["for a page instead of an answer", () => new GatewayError("malformed", "HTML.")],
  ])("%s", async (_, refusal) => {
    const { route, clock, calls } = watched("fake", {
      before: ({ inputs }) => {
        if (inputs.includes("text 5")) throw refusal();
      },
    });
    await failureOf(clock.until(answerThrough(route, texts(32), clock.outside)));
    expect(calls).toHaveLength(1);
  });
});

describe("another failure", () => {
  test("in between leaves the provider's first error, and blames no input", async () => {
    const { route, clock, calls } = watched("fake", {
      before: ({ inputs }, host) => {
        if (inputs.length < 16) throw host.failure("overloaded", "Slower.", { retryAfterMs: 90_000 });
        if (inputs.includes("text 5")) throw host.failure("invalid", "Not this.");
      },
    });
    const failure = await failureOf(clock.until(answerThrough(route, texts(32), clock.outside)));
    expect([failure.kind, failure.input]).toEqual(["invalid", undefined]);
    expect(calls.length).toBeLessThanOrEqual(5);
  });

  test("that is intermittent blames no input: a single input is sent as often as every part", async () => {
    const fellOver = new Set<string>();
    const { route, clock, timesSent } = watched("fake", {
      provider: { retries: 2 },
      before: ({ inputs }) => {
        const sent = inputs.join();
        if (inputs.length === 1 && fellOver.has(sent)) return;
        fellOver.add(sent);
        throw new GatewayError("unavailable", "It fell over.", { upstreamStatus: 500 });
      },
    });
    const { vectors } = await clock.until(answerThrough(route, texts(4), clock.outside));
    expect(vectors).toEqual(rightVectors(texts(4)));
    // All of them three times, in halves once, and alone until they were answered.
    expect(texts(4).map(timesSent)).toEqual([6, 6, 6, 6]);
  });

  test("of a provider that fails every call at the moment blames nobody, even if it recovers for the next input", async () => {
    let isDown = true;
    const { route, clock, calls } = watched("fake", {
      facts: { max_inputs: 1 },
      before: ({ inputs }) => {
        if (isDown || inputs.includes("text 0"))
          throw new GatewayError("unavailable", "It fell over.", { upstreamStatus: 500 });
      },
    });
    for (let caller = 0; caller < 6; caller++)
      await failureOf(clock.until(answerThrough(route, ["one"], clock.outside)));
    isDown = false;
    const failure = await failureOf(clock.until(answerThrough(route, texts(4), clock.outside)));
    expect([failure.kind, failure.input]).toEqual(["unavailable", undefined]);
    expect(calls.length).toBeLessThanOrEqual(6 + 2);
  });

  test("at one route is made up for by another, before any search", async () => {
    const clock = watched("fake").clock;
    const falls = watched("fake", {
      clock,
      before: () => {
        throw new GatewayError("unavailable", "It fell over.", { upstreamStatus: 500 });
      },
    });
    const { target, calls } = watched("fake", { clock, group: 1 });
    const route = { ...falls.route, targets: [falls.target, target] as const };
    const { vectors } = await clock.until(answerThrough(route, texts(32), clock.outside));
    expect(vectors).toEqual(rightVectors(texts(32)));
    expect([falls.calls.length, calls.length]).toEqual([1, 1]);
  });
});

/**
 * The concurrency gate of a provider: never more calls than places, first come first served within a lane, no abandoned call counted; and the
 * two lanes, each of which makes progress while the other is at full load. A further lane adds its rules of precedence here.
 */
import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import type { Gate, Lane, Route } from "../../src/domain/request";
import { createLanes } from "../../src/upstream/lanes";
import { answerThrough, gateOf, routeThrough } from "../execute/opened";
import { watched } from "../execute/watched";
import { type FakeOutside, fakeOutside } from "../fake-outside";
import { failureOf } from "../plugins/conformance/subject";

const patient = () => new AbortController().signal;

describe("the gate", () => {
  test("lets in as many as it has places, the others in the order in which they came", async () => {
    const gate = gateOf(2);
    const clock = fakeOutside();
    const inside: number[] = [];
    for (let who = 0; who < 6; who++) void gate.enter(patient(), "interactive").then(() => inside.push(who));
    await clock.advance(0);
    expect(inside).toEqual([0, 1]);
    gate.leave("interactive");
    gate.leave("interactive");
    gate.leave("interactive");
    await clock.advance(0);
    expect(inside).toEqual([0, 1, 2, 3, 4]);
  });

  test("a freed place goes to a waiting call, not to one that comes at that moment", async () => {
    const gate = gateOf(1);
    const order: string[] = [];
    await gate.enter(patient(), "interactive");
    const waited = gate.enter(patient(), "interactive").then(() => order.push("waited"));
    gate.leave("interactive");
    const came = gate.enter(patient(), "interactive").then(() => order.push("came"));
    await waited;
    gate.leave("interactive");
    await came;
    expect(order).toEqual(["waited", "came"]);
  });

  test("a call that is abandoned while waiting gets the signal's reason and takes no place", async () => {
    const gate = gateOf(1);
    await gate.enter(patient(), "interactive");
    const controller = new AbortController();
    const givingUp = gate.enter(controller.signal, "interactive");
    const next = gate.enter(patient(), "interactive");
    controller.abort(new Error("gone"));
    await expect(givingUp).rejects.toThrow("gone");
    gate.leave("interactive");
    expect(await next).toBeUndefined();
  });

  test("a call whose signal has fired is not let in, though there is room", async () => {
    const gate = gateOf(1);
    await expect(gate.enter(AbortSignal.abort(new Error("gone")), "interactive")).rejects.toThrow("gone");
    expect(await gate.enter(patient(), "interactive")).toBeUndefined();
  });

  test("a signal that fires after the call was let in changes nothing", async () => {
    const gate = gateOf(1);
    await gate.enter(patient(), "interactive");
    const controller = new AbortController();
    const admitted = gate.enter(controller.signal, "interactive");
    gate.leave("interactive");
    controller.abort(new Error("too late to give up"));
    expect(await admitted).toBeUndefined();
    const next = gate.enter(patient(), "interactive");
    gate.leave("interactive");
    expect(await next).toBeUndefined();
  });

  test("whatever comes, gives up and leaves: never more inside than places, in order, and none lost", async () => {
    const step = fc.oneof(
      { weight: 4, arbitrary: fc.constant("enter" as const) },
      { weight: 3, arbitrary: fc.constant("leave" as const) },
      { weight: 2, arbitrary: fc.constant("give up" as const) },
    );
    const scenario = fc.record({
      places: fc.integer({ min: 1, max: 4 }),
      steps: fc.array(fc.tuple(step, fc.nat(20)), { maxLength: 60 }),
    });
    await fc.assert(
      fc.asyncProperty(scenario, async ({ places, steps }) => {
        const gate = gateOf(places);
        const waiting: { who: number; controller: AbortController }[] = [];
        const admitted: number[] = [];
        const expected: number[] = [];
        let inside = 0;
        let who = 0;
        const admitNext = () => {
          for (let next = waiting[0]; next && inside < places; next = waiting[0]) {
            waiting.shift();
            inside += 1;
            expected.push(next.who);
          }
        };
        for (const [action, pick] of steps) {
          if (action === "enter") {
            const me = who++;
            const controller = new AbortController();
            waiting.push({ who: me, controller });
            gate.enter(controller.signal, "interactive").then(
              () => admitted.push(me),
              () => undefined,
            );
          } else if (action === "leave" && inside > 0) {
            inside -= 1;
            gate.leave("interactive");
          } else if (action === "give up" && waiting.length > 0) {
            const [gone] = waiting.splice(pick % waiting.length, 1);
            gone?.controller.abort(new Error("gone"));
          }
          admitNext();
          await Promise.resolve();
          await Promise.resolve();
          expect(admitted).toEqual(expected);
        }
      }),
    );
  });
});

describe("the lanes", () => {
  /** Enters, and records who it was once inside. */
  function visitor(gate: Gate, log: string[]) {
    return (lane: Lane, who: string = lane) =>
      void gate.enter(patient(), lane).then(() => {
        log.push(who);
      });
  }

  test.each([
    [1, 1],
    [2, 1],
    [3, 2],
    [8, 7],
    [9, 8],
    [16, 14],
    [64, 56],
  ])("of %d places bulk takes %d; a single query finds the others free", async (places, forBulk) => {
    const gate = gateOf(places);
    const inside: string[] = [];
    const enter = visitor(gate, inside);
    const clock = fakeOutside();
    for (let who = 0; who < places + 5; who++) enter("bulk");
    await clock.advance(0);
    expect(inside).toHaveLength(forBulk);
    for (let who = 0; who < places + 5; who++) enter("interactive");
    await clock.advance(0);
    expect(inside).toHaveLength(places);
  });

  test("if both wait, four of five places are interactive, and each lane keeps its order", async () => {
    const gate = gateOf(1);
    const inside: string[] = [];
    const enter = visitor(gate, inside);
    const clock = fakeOutside();
    await gate.enter(patient(), "interactive");
    for (let who = 0; who < 4; who++) enter("bulk", `b${who}`);
    for (let who = 0; who < 9; who++) enter("interactive", `i${who}`);
    gate.leave("interactive");
    for (let served = 0; served < 13; served++) {
      await clock.advance(0);
      gate.leave(inside.at(-1)?.startsWith("b") ? "bulk" : "interactive");
    }
    expect(inside.join(" ")).toBe("i0 b0 i1 i2 i3 i4 b1 i5 i6 i7 i8 b2 b3");
  });

  test("a lane that was empty has saved up no places", async () => {
    const gate = gateOf(1);
    const inside: string[] = [];
    const enter = visitor(gate, inside);
    const clock = fakeOutside();
    await gate.enter(patient(), "interactive");
    for (let who = 0; who < 40; who++) enter("interactive", "i");
    for (let served = 0; served < 20; served++) {
      gate.leave("interactive");
      await clock.advance(0);
    }
    for (let who = 0; who < 20; who++) enter("bulk", "b");
    for (let served = 0; served < 15; served++) {
      gate.leave(inside.at(-1) === "b" ? "bulk" : "interactive");
      await clock.advance(0);
    }
    expect(inside.slice(20).filter((who) => who === "b")).toHaveLength(3);
  });

  test("bulk that has waited for five seconds is served every other time, not only every fifth", async () => {
    const clock = fakeOutside();
    const gate = gateOf(1, clock.outside);
    const inside: string[] = [];
    const enter = visitor(gate, inside);
    await gate.enter(patient(), "interactive");
    for (let who = 0; who < 20; who++) enter("bulk", "b");
    for (let who = 0; who < 20; who++) enter("interactive", "i");
    await clock.advance(5_000);
    gate.leave("interactive");
    for (let served = 0; served < 9; served++) {
      await clock.advance(0);
      gate.leave(inside.at(-1) === "b" ? "bulk" : "interactive");
    }
    await clock.advance(0);
    expect(inside.join("")).toBe("ibibibibib");
  });

  test("each reports by itself that too many wait", async () => {
    const gate = createLanes(1, 2, fakeOutside().outside);
    await gate.enter(patient(), "bulk");
    const givingUp = new AbortController();
    void gate.enter(patient(), "bulk");
    expect(gate.isFull("bulk")).toBe(false);
    const given = gate.enter(givingUp.signal, "bulk");
    expect([gate.isFull("bulk"), gate.isFull("interactive")]).toEqual([true, false]);
    givingUp.abort(new Error("gone"));
    await expect(given).rejects.toThrow("gone");
    expect(gate.isFull("bulk")).toBe(false);
  });
});

describe("two kinds of work at one provider", () => {
  const CALL_MS = 200;

  function provider(clock: FakeOutside, places: number) {
    return watched("fake", {
      clock,
      facts: { max_inputs: 8 },
      provider: { gate: gateOf(places, clock.outside), timeoutMs: 60_000 },
      before: (_, host) => host.sleep(CALL_MS),
    });
  }

  /** Sends one text after each pause, as often as it is told; resolves to how long each waited. */
  async function queries(route: Route, { outside }: FakeOutside, count: number, everyMs: number) {
    const waits: Promise<number>[] = [];
    for (let who = 0; who < count; who++) {
      const askedAt = outside.monotonic();
      waits.push(answerThrough(route, [`query ${who}`], outside).then(() => outside.monotonic() - askedAt));
      await outside.sleep(everyMs);
    }
    return Promise.all(waits);
  }

  test("single queries are answered at once beside four batches of 2048 at full load", async () => {
    const clock = fakeOutside();
    const { route, calls } = provider(clock, 8);
    const batch = Array.from({ length: 2048 }, (_, place) => `text ${place}`);
    const batches = Promise.all(
      [1, 2, 3, 4].map(() =>
        answerThrough(route, batch, clock.outside).then(() => clock.outside.monotonic()),
      ),
    );
    const waits = await clock.until(queries(route, clock, 100, 250));
    expect(Math.max(...waits)).toBe(CALL_MS);
    const ended = await clock.until(batches);
    // 1024 calls on seven of the eight places: none of those was idle.
    expect(Math.max(...ended)).toBeLessThanOrEqual(Math.ceil(1024 / 7) * CALL_MS);
    expect(calls).toHaveLength(1024 + 100);
    // They were served side by side: the first did not take all before the last got one.
    expect(Math.min(...ended)).toBeGreaterThan(Math.max(...ended) * 0.8);
  });

  test("a batch gets at least a fifth of the places while more queries come than can be served", async () => {
    const clock = fakeOutside();
    const { route, callTimes, calls } = provider(clock, 8);
    const flood = queries(route, clock, 1_000, 10);
    const batch = Array.from({ length: 400 }, (_, place) => `text ${place}`);
    const endsAt = answerThrough(route, batch, clock.outside).then(() => clock.outside.monotonic());
    // 50 calls; eight places serve 40 calls a second, a fifth of that is 8.
    expect(await clock.until(endsAt)).toBeLessThanOrEqual((50 / 8) * 1_000 + CALL_MS);
    const callsOfFirstSeconds = callTimes.filter((time) => time < 5_000).length;
    expect(callsOfFirstSeconds).toBe((5_000 / CALL_MS) * 8);
    await clock.until(flood);
    expect(calls).toHaveLength(1_000 + 50);
  });
});

describe("a full queue", () => {
  const full = { ...gateOf(1), isFull: () => true };

  test("is a 503 that says when to come back, and nothing is sent", async () => {
    const { route, clock, calls } = watched("fake", { provider: { gate: full } });
    const failure = await failureOf(answerThrough(route, ["one", "two"], clock.outside));
    expect(failure).toMatchObject({ kind: "busy", retryAfterMs: 1_000 });
    expect(failure.meaning.status).toBe(503);
    expect(calls).toEqual([]);
  });

  test("is skipped if another route has room", async () => {
    const busy = watched("fake", { provider: { gate: full } });
    const { clock } = busy;
    const { target, calls } = watched("fake", { clock, group: 1 });
    const { vectors } = await answerThrough(routeThrough([busy.target, target]), ["one"], clock.outside);
    expect(vectors).toHaveLength(1);
    expect([busy.calls.length, calls.length]).toEqual([0, 1]);
  });
});

/**
 * The gate of a provider: never more than its places inside, first come first served, nobody lost who gave up.
 * Further lanes bring their own rules of who goes first; these stay.
 */
import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { createGate } from "../../src/upstream/gate";
import { fakeOutside } from "../fake-outside";

const patient = () => new AbortController().signal;

describe("the gate", () => {
  test("lets in as many as it has places, the others in the order in which they came", async () => {
    const gate = createGate(2);
    const clock = fakeOutside();
    const inside: number[] = [];
    for (let who = 0; who < 6; who++) void gate.enter(patient()).then(() => inside.push(who));
    await clock.advance(0);
    expect(inside).toEqual([0, 1]);
    gate.leave();
    gate.leave();
    gate.leave();
    await clock.advance(0);
    expect(inside).toEqual([0, 1, 2, 3, 4]);
  });

  test("a place that falls free goes to who waits, not to who comes at that moment", async () => {
    const gate = createGate(1);
    const order: string[] = [];
    await gate.enter(patient());
    const waited = gate.enter(patient()).then(() => order.push("waited"));
    gate.leave();
    const came = gate.enter(patient()).then(() => order.push("came"));
    await waited;
    gate.leave();
    await came;
    expect(order).toEqual(["waited", "came"]);
  });

  test("who gives up while waiting is told the signal's reason and takes no place", async () => {
    const gate = createGate(1);
    await gate.enter(patient());
    const controller = new AbortController();
    const givingUp = gate.enter(controller.signal);
    const next = gate.enter(patient());
    controller.abort(new Error("gone"));
    await expect(givingUp).rejects.toThrow("gone");
    gate.leave();
    expect(await next).toBeUndefined();
  });

  test("who comes with a fired signal is not let in, though there is room", async () => {
    const gate = createGate(1);
    await expect(gate.enter(AbortSignal.abort(new Error("gone")))).rejects.toThrow("gone");
    expect(await gate.enter(patient())).toBeUndefined();
  });

  test("a signal that fires after it let somebody in changes nothing", async () => {
    const gate = createGate(1);
    await gate.enter(patient());
    const controller = new AbortController();
    const admitted = gate.enter(controller.signal);
    gate.leave();
    controller.abort(new Error("too late to give up"));
    expect(await admitted).toBeUndefined();
    const next = gate.enter(patient());
    gate.leave();
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
        const gate = createGate(places);
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
            gate.enter(controller.signal).then(
              () => admitted.push(me),
              () => undefined,
            );
          } else if (action === "leave" && inside > 0) {
            inside -= 1;
            gate.leave();
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

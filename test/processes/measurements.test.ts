/**
 * Which of several processes measures a space: one, and another one if that dies or gives up.
 * processes.test.ts has real processes.
 */
import { expect, test } from "bun:test";
import { createMeasurements } from "../../src/processes/measurements";

const asked = { generation: 1, what: { claim: "m p m", space: "m", provider: "p", model: "m" } };
const outcome = {
  cosine: 1,
  failed: false,
  agrees: true,
  outOfService: false,
  space: "m",
  message: "",
  forMs: 1_000,
};

function opened() {
  let now = 0;
  return { measurements: createMeasurements({ monotonic: () => now }), pass: (ms: number) => (now += ms) };
}

test("the first that asks measures, and its result is everybody's until it is due again", async () => {
  const { measurements, pass } = opened();
  expect(await measurements.ask("a", asked)).toEqual({ outcome: null });
  const waiting = measurements.ask("b", asked);
  expect(measurements.measured("a", { ...asked, outcome })).toBe(true);
  expect(await waiting).toEqual({ outcome });
  expect(await measurements.ask("c", asked)).toEqual({ outcome });
  pass(1_000);
  expect(await measurements.ask("c", asked)).toEqual({ outcome: null });
});

test("an agreement does not count once a quick check found other vectors; what was found then does", async () => {
  const { measurements } = opened();
  const suspected = { ...asked, what: { ...asked.what, isSuspected: true } };
  await measurements.ask("a", asked);
  measurements.measured("a", { ...asked, outcome });
  expect(await measurements.ask("b", suspected)).toEqual({ outcome: null });
  const waiting = measurements.ask("c", suspected);
  const found = { ...outcome, agrees: false };
  measurements.measured("b", { ...suspected, outcome: found });
  expect(await waiting).toEqual({ outcome: found });
  expect(await measurements.ask("d", suspected)).toEqual({ outcome: found });
});

test("another routing file needs another measurement", async () => {
  const { measurements } = opened();
  await measurements.ask("a", asked);
  measurements.measured("a", { ...asked, outcome });
  expect(await measurements.ask("a", { ...asked, generation: 2 })).toEqual({ outcome: null });
});

test.each([
  ["dies", (m: ReturnType<typeof createMeasurements>) => m.gone("a")],
  ["gives up", (m: ReturnType<typeof createMeasurements>) => m.measured("a", { ...asked, outcome: null })],
])("one that %s leaves it to the next that waits", async (_, ends) => {
  const { measurements } = opened();
  await measurements.ask("a", asked);
  const waiting = [measurements.ask("b", asked), measurements.ask("c", asked)] as const;
  ends(measurements);
  expect(await waiting[0]).toEqual({ outcome: null });
  expect(measurements.measured("a", { ...asked, outcome })).toBe(false);
  expect(measurements.measured("b", { ...asked, outcome })).toBe(true);
  expect(await waiting[1]).toEqual({ outcome });
});

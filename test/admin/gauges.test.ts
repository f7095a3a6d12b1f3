/** Gauges that each process writes for all: they add up, and whatever has ended or is no longer configured is 0. */
import { expect, test } from "bun:test";
import { openCounts } from "../../src/admin/counts";
import { createGauges } from "../../src/admin/gauges";
import type { ProviderState } from "../../src/domain/provider-state";

const state = (provider: string, breakersOpen: number): ProviderState => ({
  provider,
  breakersOpen,
  callsInFlight: 2,
  waiting: { interactive: 1, bulk: 0 },
});

function openTwo() {
  const counts = openCounts();
  const providers = { one: [state("a", 1)], other: [state("a", 2), state("b", 0)] };
  let now = 0;
  const open = (process: "one" | "other", startedAt: number) =>
    createGauges({
      counts,
      process,
      providers: () => providers[process],
      connections: () => ({ inUse: 1, most: 4, waiting: 2, longestWaitMs: process === "one" ? 30.4 : 7 }),
      figures: () => ({ cpuMicroseconds: 10, residentBytes: 100, openDescriptors: 3 }),
      startedAt,
      monotonic: () => now,
    });
  const [one, other] = [open("one", 5_000), open("other", 9_000)];
  const read = () =>
    Object.fromEntries(one.samples().map(({ name, values, value }) => [[name, ...values].join(" "), value]));
  return { one, other, providers, read, later: (ms: number) => (now += ms) };
}

test("of several processes are added up, except for the start time, which is the first one's, and the longest wait", () => {
  const { one, other, read } = openTwo();
  one.write(true);
  other.write(true);
  expect(read()).toMatchObject({
    "breakersOpen a": 3,
    "callsInFlight a": 4,
    "callsWaiting a interactive": 2,
    "callsWaiting a bulk": 0,
    "callsInFlight b": 2,
    cpu: 20,
    memory: 200,
    descriptors: 6,
    startTime: 5_000,
    connectionsInUse: 2,
    connectionsMost: 8,
    connectionsWaiting: 4,
    connectionWait: 30,
  });
});

test("a process that has ended contributes only its CPU time", () => {
  const { one, other, read } = openTwo();
  one.write(true);
  other.write(true);
  one.ended("other");
  expect(read()).toMatchObject({ "breakersOpen a": 1, memory: 100, cpu: 20, startTime: 5_000 });
});

test("a provider that is no longer configured is 0, and so is a problem that is over", () => {
  const { one, other, providers, read } = openTwo();
  other.write(true);
  providers.other = [state("b", 0)];
  other.write(true);
  one.write(true);
  expect(read()).toMatchObject({ "breakersOpen a": 1, "callsInFlight a": 2, "callsInFlight b": 2 });
});

test("they are written at most once per second, unless it is urgent", () => {
  const { one, providers, read, later } = openTwo();
  one.write(false);
  providers.one = [state("a", 0)];
  one.write(false);
  expect(read()).toMatchObject({ "breakersOpen a": 1 });
  later(1_000);
  one.write(false);
  expect(read()).toMatchObject({ "breakersOpen a": 0 });
});

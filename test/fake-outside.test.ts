/**
 * Tests of the fake clock itself, on which other tests rely.
 * A new promise of test/fake-outside.ts gets a test here.
 */
import { expect, test } from "bun:test";
import { fakeOutside, STARTED_AT } from "./fake-outside";

test("sleeps end at their own times, in order, and code that they wake runs in between", async () => {
  const clock = fakeOutside();
  const seen: [string, number][] = [];
  const sleeper = async (name: string, ms: number) => {
    await clock.outside.sleep(ms);
    seen.push([name, clock.outside.now() - STARTED_AT]);
    await clock.outside.sleep(15);
    seen.push([`${name} again`, clock.outside.monotonic()]);
  };
  const all = Promise.all([sleeper("late", 20), sleeper("early", 10)]);
  await clock.advance(19);
  expect(seen).toEqual([["early", 10]]);
  await clock.advance(100);
  await all;
  expect(seen).toEqual([
    ["early", 10],
    ["late", 20],
    ["early again", 25],
    ["late again", 35],
  ]);
  expect(clock.outside.monotonic()).toBe(119);
});

test("a sleep whose signal fires is rejected with the signal's reason and removed", async () => {
  const clock = fakeOutside();
  const controller = new AbortController();
  const sleep = clock.outside.sleep(1000, controller.signal);
  expect(clock.sleeping()).toEqual([1000]);
  controller.abort(new Error("enough"));
  expect(clock.sleeping()).toEqual([]);
  await expect(sleep).rejects.toThrow("enough");
  await expect(clock.outside.sleep(1, controller.signal)).rejects.toThrow("enough");
});

test("until moves the clock only as far as the work needs, and passes on its failure", async () => {
  const clock = fakeOutside();
  const work = async () => {
    await clock.outside.sleep(30);
    await clock.outside.sleep(12);
    return "done";
  };
  const other = new AbortController();
  const unneeded = clock.outside.sleep(100, other.signal);
  expect(await clock.until(work())).toBe("done");
  expect(clock.outside.monotonic()).toBe(42);
  expect(clock.sleeping()).toEqual([58]);
  await expect(clock.until(Promise.reject(new Error("broken")))).rejects.toThrow("broken");
  other.abort(new Error("over"));
  await expect(unneeded).rejects.toThrow("over");
});

test("the same seed gives the same numbers, another seed gives others", () => {
  const numbers = (seed: number) => Array.from({ length: 5 }, fakeOutside({}, seed).outside.random);
  expect(numbers(7)).toEqual(numbers(7));
  expect(numbers(7)).not.toEqual(numbers(8));
  expect(numbers(7).every((number) => number >= 0 && number < 1)).toBe(true);
});

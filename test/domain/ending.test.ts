/** `Ending` behaves like AbortController, in the same order. */
import { describe, expect, test } from "bun:test";
import { abortSignalOf, Ending } from "../../src/domain/ending";

describe("an ending", () => {
  test("notifies its listeners in order, once, with the first reason", () => {
    const ending = new Ending();
    const told: unknown[] = [];
    ending.addEventListener("abort", () => told.push(["one", ending.reason]));
    ending.addEventListener("abort", () => told.push(["two", ending.aborted]));
    ending.abort("first");
    ending.abort("second");
    expect(told).toEqual([
      ["one", "first"],
      ["two", true],
    ]);
    expect(ending.reason).toBe("first");
    expect(() => ending.throwIfAborted()).toThrow("first");
  });

  test.each([
    ["an Ending", () => new Ending()],
    ["an AbortController", () => new AbortController()],
  ])("does not tell whoever another listener took away, as %s does not", (_, make) => {
    const source = make();
    const signal = source instanceof Ending ? source : source.signal;
    const told: string[] = [];
    const second = () => void told.push("second");
    signal.addEventListener("abort", () => {
      told.push("first");
      signal.removeEventListener("abort", second);
    });
    signal.addEventListener("abort", second);
    signal.addEventListener("abort", () => void told.push("third"));
    source.abort("over");
    expect(told).toEqual(["first", "third"]);
  });

  test("follows another until it is told not to, also one that has already ended", () => {
    const [other, own, late] = [new Ending(), new Ending(), new Ending()];
    const free = new Ending();
    free.follow(other)();
    own.follow(other);
    other.abort("over");
    late.follow(other);
    expect([own.reason, late.reason, free.aborted]).toEqual(["over", "over", false]);
  });

  test("is an AbortSignal for code that needs one", () => {
    const ending = new Ending();
    const signal = abortSignalOf(ending);
    expect(signal.aborted).toBe(false);
    ending.abort("over");
    expect([signal.aborted, signal.reason, abortSignalOf(ending).reason]).toEqual([true, "over", "over"]);
  });
});

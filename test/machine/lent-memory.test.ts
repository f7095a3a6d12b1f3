/**
 * Memory that large replies share one after another: used again, freed when nobody needs it, and never seen by whoever gave it back.
 */
import { expect, test } from "bun:test";
import { giveBack, isLent, lend } from "../../src/machine/lent-memory";

const alarms: (() => void)[] = [];
const alarm = (_: number, ring: () => void) => {
  alarms.push(ring);
  return () => undefined;
};
function passTime(): void {
  for (const ring of alarms.splice(0)) ring();
}

/** The address would tell; a mark in the bytes does, too. */
function marked(size: number): Uint8Array<ArrayBuffer> {
  const bytes = lend(size).fill(7);
  expect(bytes.byteLength).toBe(size);
  return bytes;
}

test("memory that was given back is used for the next reply of about that size, and gone for whoever had it", () => {
  const first = marked(1_000_000);
  giveBack(first, alarm);
  expect(first.byteLength).toBe(0);
  const next = lend(900_000);
  expect(next.every((byte) => byte === 7)).toBe(true);
  expect([next.byteLength, isLent(next)]).toEqual([900_000, true]);
  giveBack(next, alarm);
  passTime();
});

test("two who have memory at once have different memory", () => {
  const [one, other] = [marked(500_000), marked(500_000)];
  one.fill(1);
  other.fill(2);
  expect([one[0], one.at(-1), other[0], other.at(-1)]).toEqual([1, 1, 2, 2]);
  for (const each of [one, other]) giveBack(each, alarm);
  passTime();
});

test("a reply never takes memory of many times its size, nor memory that is too small", () => {
  giveBack(marked(4_000_000), alarm);
  const [small, large] = [lend(300_000), lend(8_000_000)];
  expect(small.buffer.byteLength).toBeLessThan(600_000);
  expect(large.byteLength).toBe(8_000_000);
  for (const each of [small, large]) giveBack(each, alarm);
  passTime();
});

test("what nobody has used for a while is freed: fresh memory comes then", () => {
  giveBack(marked(3_000_000), alarm);
  expect(alarms).toHaveLength(1);
  passTime();
  const fresh = lend(2_500_000);
  // What was kept would be larger.
  expect(fresh.buffer.byteLength).toBeLessThan(3_000_000);
  giveBack(fresh, alarm);
  passTime();
});

test("only all of what was lent counts as lent, and other memory is freed at once", () => {
  const bytes = lend(400_000);
  expect(isLent(bytes)).toBe(true);
  expect([bytes.subarray(1), bytes.subarray(0, 100), new Uint8Array(400_000)].some(isLent)).toBe(false);
  const own = new Uint8Array(400_000);
  giveBack(own, alarm);
  expect(own.byteLength).toBe(0);
  giveBack(bytes, alarm);
  passTime();
});

/**
 * The memory of a reply's vectors: freed with the last of them, and never while it holds another one's.
 */
import { expect, test } from "bun:test";
import { freeSlabs, slabs } from "../../src/replies/slabs";

function vectors(count: number): Float32Array[] {
  const room = slabs(count * 4_000);
  return Array.from({ length: count }, (_, i) => room(1_000, 4_000).fill(i));
}

test("vectors of a whole reply are freed together, however many slabs they need", () => {
  const all = vectors(600);
  expect(new Set(all.map(({ buffer }) => buffer)).size).toBeGreaterThan(1);
  freeSlabs(all);
  expect(all.every(({ length }) => length === 0)).toBe(true);
});

test("a slab that holds a vector of somebody else is left as it is", () => {
  const all = vectors(100);
  freeSlabs(all.slice(0, 99));
  expect(all.map((vector) => vector[0])).toEqual(Array.from({ length: 100 }, (_, i) => i));
});

test("a vector that is named twice counts once", () => {
  const all = vectors(100);
  freeSlabs([...all.slice(0, 99), ...all.slice(0, 1)]);
  expect(all[99]?.[0]).toBe(99);
  freeSlabs([...all, ...all]);
  expect(all[99]).toHaveLength(0);
});

test("memory that is not a reply's is not freed", () => {
  const own = new Float32Array(100).fill(1);
  freeSlabs([own]);
  expect(own[99]).toBe(1);
});

/**
 * Vectors in memory: limited in bytes, the least recently used are removed first, and nobody's numbers are shared.
 * It is compared with a list in the order of use.
 */
import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { heldBytes, openMemory } from "../../src/cache/memory";
import { entry, keyOf, written } from "./made";

const ONE = heldBytes(entry(0));

describe("memory", () => {
  test("the most recently used stays, the least recently used is removed", () => {
    const memory = openMemory(3 * ONE);
    for (const name of ["a", "b", "c"]) memory.keep(keyOf(name), entry(1));
    memory.find(keyOf("a"));
    memory.keep(keyOf("d"), entry(2));
    expect(["a", "b", "c", "d"].filter((name) => memory.find(keyOf(name)))).toEqual(["a", "c", "d"]);
  });

  test("neither the given nor the found vector is the stored one", () => {
    const memory = openMemory(ONE);
    const given = entry(1);
    memory.keep(keyOf("a"), given);
    given.values.fill(0);
    memory.find(keyOf("a"))?.values.fill(0);
    expect(written(memory.find(keyOf("a")))).toEqual(written(entry(1)));
  });

  test("a vector that is a view of its batch is stored without the batch", () => {
    const batch = new Float32Array(1_000).fill(1);
    const memory = openMemory(10 * ONE);
    memory.keep(keyOf("a"), { ...entry(1), values: batch.subarray(10, 14) });
    expect(memory.find(keyOf("a"))?.values.buffer.byteLength).toBe(16);
  });

  test("an entry larger than the limit is not stored, and the one that it would replace is gone", () => {
    const memory = openMemory(2 * ONE);
    memory.keep(keyOf("a"), entry(1));
    memory.keep(keyOf("b"), entry(2));
    memory.keep(keyOf("a"), entry(3, 10_000));
    expect(memory.find(keyOf("a"))).toBeUndefined();
    expect(written(memory.find(keyOf("b")))).toEqual(written(entry(2)));
    expect(memory.bytes()).toBe(ONE);
  });

  test("a smaller limit removes the oldest at once, a larger one stores more from then on", () => {
    const memory = openMemory(3 * ONE);
    for (const name of ["a", "b", "c"]) memory.keep(keyOf(name), entry(1));
    memory.resize(ONE);
    expect([memory.entries(), memory.bytes()]).toEqual([1, ONE]);
    expect(memory.find(keyOf("c"))).toBeDefined();
    memory.resize(2 * ONE);
    memory.keep(keyOf("d"), entry(1));
    expect(memory.entries()).toBe(2);
  });

  test("never exceeds its limit, finds what a list in the order of use would, and counts right", () => {
    const step = fc.record({
      key: fc.integer({ min: 0, max: 9 }),
      keep: fc.option(fc.record({ number: fc.nat(99), dimensions: fc.integer({ min: 1, max: 900 }) })),
    });
    fc.assert(
      fc.property(fc.nat(8_000), fc.array(step, { maxLength: 60 }), (bytesMax, steps) => {
        const memory = openMemory(bytesMax);
        let model: { key: number; kept: ReturnType<typeof entry> }[] = [];
        const bytes = () => model.reduce((sum, { kept }) => sum + heldBytes(kept), 0);
        for (const { key, keep } of steps) {
          const before = model.find((each) => each.key === key);
          model = model.filter((each) => each.key !== key);
          if (keep) {
            const kept = entry(keep.number, keep.dimensions);
            memory.keep(keyOf(key), kept);
            if (heldBytes(kept) <= bytesMax) model.push({ key, kept });
            while (bytes() > bytesMax) model.shift();
          } else {
            expect(written(memory.find(keyOf(key)))).toEqual(written(before?.kept));
            if (before) model.push(before);
          }
          expect([memory.bytes(), memory.entries()]).toEqual([bytes(), model.length]);
        }
      }),
    );
  });
});

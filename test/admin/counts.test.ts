/** Counts of one process and counts in shared memory behave the same. */
import { expect, test } from "bun:test";
import { COUNT_WORDS, Counter, openCounts } from "../../src/admin/counts";

for (const [says, open] of [
  ["of one process", () => openCounts()],
  ["in memory that processes share", () => openCounts(new BigInt64Array(COUNT_WORDS))],
] as const) {
  test(`counts ${says} are added up, set, and there from the first mention`, () => {
    const counts = open();
    counts.add("asked", 2);
    counts.add("asked", 3);
    counts.add("failed", 0);
    const billed = new Counter("billed");
    counts.addTo(billed, 40);
    counts.addTo(billed, 2);
    counts.add("billed", 1);
    counts.set("open", 7);
    counts.set("open", 4);
    expect([...counts.all()].toSorted()).toEqual([
      ["asked", 5],
      ["billed", 43],
      ["failed", 0],
      ["open", 4],
    ]);
  });
}

test("what was read does not change with what is counted later", () => {
  const counts = openCounts();
  counts.add("asked", 1);
  const read = counts.all();
  counts.add("asked", 1);
  expect(read.get("asked")).toBe(1);
});

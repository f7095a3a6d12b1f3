/** The variables that the executable adds to its environment before it serves. */
import { expect, test } from "bun:test";
import { missingOptions } from "../../src/machine/collector-options";

const NAMES = [
  "BUN_JSC_largeHeapSize",
  "BUN_JSC_minEdenToOldGenerationRatio",
  "BUN_JSC_smallHeapGrowthFactor",
];

test("what serves gets all of them, however it is asked to", () => {
  for (const words of [[], ["serve"], ["serve", "gateway.yaml"], ["--port", "1"], ["--config=a.yaml"]])
    expect(Object.keys(missingOptions(words, {}) ?? {}).toSorted()).toEqual(NAMES);
});

test("what is over soon gets none", () => {
  for (const words of [["check"], ["keys", "list"], ["--version"], ["--help"], ["-h"]])
    expect(missingOptions(words, {})).toBeUndefined();
});

test("what the operator's environment says is left as it is", () => {
  const missing = missingOptions(["serve"], { BUN_JSC_smallHeapGrowthFactor: "1.5" });
  expect(Object.keys(missing ?? {})).not.toContain("BUN_JSC_smallHeapGrowthFactor");
});

test("once all are there it does not start again", () => {
  const first = missingOptions(["serve"], {});
  expect(missingOptions(["serve"], { ...first })).toBeUndefined();
});

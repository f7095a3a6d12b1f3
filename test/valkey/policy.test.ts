/**
 * Which maxmemory policies cause a warning. `embedgate check` shows it (test/commands/check-shared.test.ts).
 */
import { expect, test } from "bun:test";
import type { Use } from "../../src/valkey/link";
import { policyWarning } from "../../src/valkey/policy";

const info = (policy: string, maxmemory: string) =>
  `# Memory\r\nused_memory:1\r\nmaxmemory:${maxmemory}\r\nmaxmemory_human:0B\r\nmaxmemory_policy:${policy}\r\n`;

const CASES: readonly (readonly [Use, policy: string, maxmemory: string, warned: string | undefined])[] = [
  ["limits", "noeviction", "0", undefined],
  ["limits", "noeviction", "1000000", undefined],
  [
    "limits",
    "allkeys-lru",
    "1000000",
    "maxmemory-policy is allkeys-lru: when memory is full, rate limits are evicted",
  ],
  ["cache", "allkeys-lru", "1000000", undefined],
  ["cache", "volatile-lru", "1000000", undefined],
  ["cache", "allkeys-lfu", "1000000", undefined],
  [
    "cache",
    "noeviction",
    "1000000",
    "maxmemory-policy is noeviction: when memory is full, no new vector is kept",
  ],
  ["cache", "allkeys-random", "1000000", "vectors in use are evicted, too"],
  ["cache", "noeviction", "0", "maxmemory is 0, so that cached vectors take all of the machine's memory"],
];

test.each(CASES)("%s with %s and maxmemory %s", (use, policy, maxmemory, warned) => {
  const told = policyWarning(use, info(policy, maxmemory));
  if (warned === undefined) expect(told).toBeUndefined();
  else expect(told).toContain(warned);
});

test("a server that does not report its policy causes no warning", () => {
  expect(policyWarning("limits", "# Memory\r\n")).toBeUndefined();
});

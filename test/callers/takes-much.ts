/**
 * A process of rate-limits.test.ts: takes from one bucket in inherited memory as often as it is told, and prints how often it succeeded.
 * Its clock stands still, so that nothing refills meanwhile.
 */

import { createRateLimits } from "../../src/callers/rate-limits";
import { bytesOf, mapRegion } from "../../src/sharing/region";

const [attempts = "0", requestsPerMinute = "1"] = process.argv.slice(2);
const region = mapRegion();
if (region === undefined) throw new Error("no memory was handed on");
const limits = createRateLimits({ monotonic: () => 1_000_000 }, bytesOf(region.seed), region.limits);
let taken = 0;
for (let attempt = 0; attempt < Number(attempts); attempt++) {
  try {
    limits.takeRequest({
      name: "shared",
      requestsPerMinute: Number(requestsPerMinute),
      tokensPerMinute: undefined,
    });
    taken += 1;
  } catch {
    // Refused.
  }
}
console.log(taken);

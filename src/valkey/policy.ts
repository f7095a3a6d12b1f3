/**
 * A server's eviction policy, and whether that suits its use: evicted limits start full again, and a
 * cache without eviction accepts nothing new.
 * Another use has a line of `policyWarning`.
 */
import type { Use } from "./link";

/** @param info the server's answer to `INFO memory` @returns undefined if nothing is wrong */
export function policyWarning(use: Use, info: string): string | undefined {
  const lines = info.split("\n").map((line) => line.trim());
  const said = (name: string) => lines.find((line) => line.startsWith(`${name}:`))?.slice(name.length + 1);
  const policy = said("maxmemory_policy");
  if (policy === undefined) return undefined;
  if (use === "limits")
    return policy === "noeviction"
      ? undefined
      : `maxmemory-policy is ${policy}: when memory is full, rate limits are evicted and start again. Set it to noeviction, and use another server for the cache (shared.cache)`;
  if (/lru|lfu/.test(policy)) return undefined;
  // A server without a memory limit never evicts anything, whatever its policy says.
  const isUnbounded = said("maxmemory") === "0";
  const what = isUnbounded
    ? "maxmemory is 0, so that cached vectors take all of the machine's memory"
    : `maxmemory-policy is ${policy}: when memory is full, ${policy === "noeviction" ? "no new vector is kept" : "vectors in use are evicted, too"}`;
  return `${what}. Set maxmemory, and maxmemory-policy to allkeys-lru${policy === "noeviction" ? ", on a server of the cache's own where limits need noeviction" : ""}`;
}

/**
 * A request's settings from the routing file: what may be cached, the prices of tokens and cache hits, the deadline, and the number of attempts.
 */
import type { GatewayConfig } from "../config/gateway-config";
import { CacheSection } from "../config/schema";
import type { Prices } from "./account";

/** What the steps of a request (embed.ts) need of it. */
export const settingsOf = (config: GatewayConfig) => ({
  caching: cachingOf(config),
  prices: pricesOf(config),
  deadlineMs: config.server.deadline_ms,
  attemptsMax: config.server.max_attempts,
});

function cachingOf({ cache }: GatewayConfig): { isShared: boolean } | undefined {
  if (cache === false) return undefined;
  return { isShared: cache.shared ?? CacheSection.properties.shared.default };
}

export const pricesOf = (config: GatewayConfig): Prices => ({
  exchange: config.money,
  hitPrice: hitPriceOf(config),
  abandoned: config.money.abandoned,
});

/** Also the price of a duplicate within a request, which needs no cache. */
function hitPriceOf({ cache }: GatewayConfig): number {
  const { default: usual } = CacheSection.properties.hit_price;
  return cache === false ? usual : (cache.hit_price ?? usual);
}

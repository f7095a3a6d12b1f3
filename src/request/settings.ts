/**
 * A request's settings from the routing file: what may be cached, and the prices of tokens and cache hits.
 */
import type { GatewayConfig } from "../config/gateway-config";
import { CacheSection } from "../config/schema";
import type { Prices } from "./account";

export function cachingOf({ cache }: GatewayConfig): { isShared: boolean } | undefined {
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

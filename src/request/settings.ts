/**
 * A request's settings from the routing file: what may be cached, and what tokens and hits cost.
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

/** Of a duplicate within a request too, which needs no cache. */
function hitPriceOf({ cache }: GatewayConfig): number {
  const { default: usual } = CacheSection.properties.hit_price;
  return cache === false ? usual : (cache.hit_price ?? usual);
}

/**
 * One process's share of what the routing file allows the whole gateway: all shares together do not exceed it.
 * A new limit that each process keeps by itself is a further line here.
 */
import type { GatewayConfig } from "../config/gateway-config";
import { CacheSection } from "../config/schema";

/**
 * @param processes how many processes share it; each gets at least one
 * @param hasMemory whether the cache's memory is shared
 */
export function shareOf(config: GatewayConfig, processes: number, hasMemory: boolean): GatewayConfig {
  const part = (whole: number) => Math.max(1, Math.floor(whole / processes));
  const { server, providers } = config;
  return {
    ...config,
    cache: hasMemory ? config.cache : cacheShareOf(config.cache, processes),
    server: {
      ...server,
      max_concurrent_requests: part(server.max_concurrent_requests),
      max_unsent_mb: part(server.max_unsent_mb),
      max_body_memory_mb: part(server.max_body_memory_mb),
    },
    providers: new Map(
      [...providers].map(([name, provider]) => [
        name,
        { ...provider, concurrency: part(provider.concurrency), max_queue: part(provider.max_queue) },
      ]),
    ),
  };
}

function cacheShareOf(cache: GatewayConfig["cache"], processes: number): GatewayConfig["cache"] {
  if (cache === false) return cache;
  const { memory_mb = CacheSection.properties.memory_mb.default } = cache;
  return { ...cache, memory_mb: Math.floor(memory_mb / processes) };
}

/**
 * One copy's part of what the routing file allows the whole gateway: parts that add up to no more than what was configured.
 * A further limit that is kept by each process for itself is a further line here.
 */
import type { GatewayConfig } from "../config/gateway-config";

/** @param processes copies that share it; at least one of everything is left for each */
export function shareOf(config: GatewayConfig, processes: number): GatewayConfig {
  const part = (whole: number) => Math.max(1, Math.floor(whole / processes));
  const { server, providers } = config;
  return {
    ...config,
    server: { ...server, max_concurrent_requests: part(server.max_concurrent_requests) },
    providers: new Map(
      [...providers].map(([name, provider]) => [
        name,
        { ...provider, concurrency: part(provider.concurrency), max_queue: part(provider.max_queue) },
      ]),
    ),
  };
}

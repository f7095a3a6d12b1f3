/**
 * Builds every part once from a checked configuration, and closes them in reverse. Tests and the simulator build the same.
 * A new part is made here, after what it needs, and closed before it.
 */
import { type Auth, isLoopback, openAuth } from "./auth";
import type { GatewayConfig } from "./config/gateway-config";
import { openStore } from "./db/open";
import { embed } from "./embed";
import { GatewayError } from "./errors";
import { createDoor, type Door } from "./http";
import { type Keys, openKeys } from "./keys";
import { type Ledger, openLedger } from "./ledger";
import type { Outside } from "./outside";
import { buildRoutes, type Routes } from "./route";
import { createTokens } from "./tokens/tokens";
import { openProviders } from "./upstream/open";

export interface Gateway {
  readonly config: GatewayConfig;
  readonly door: Door;
  readonly auth: Auth;
  readonly routes: Routes;
  readonly keys: Keys;
  readonly ledger: Ledger;
  /** Ends what is open. No request may be under way. */
  close(): Promise<void>;
}

/** @throws GatewayError database_unavailable, or forbidden where the address may not be opened without a key */
export async function createGateway(config: GatewayConfig, outside: Outside): Promise<Gateway> {
  const store = await openStore(config.database.path, outside);
  const keys = openKeys(store, outside);
  const auth = openAuth(config.auth.mode, config.auth.jwt !== undefined, keys);
  if (auth.isOpen() && !isLoopback(config.server.host)) {
    store.close();
    throw new GatewayError(
      "forbidden",
      `${config.server.host} can be reached from other machines, and no key exists: anybody could use your providers. ` +
        "Make a key first ('embedgate keys create --name me'), or serve on 127.0.0.1.",
    );
  }
  const ledger = openLedger(store);
  const interrupted = await ledger.settleInterrupted();
  if (interrupted > 0)
    outside.log("warn", "requests were under way when the gateway last ended", { count: interrupted });
  const providers = openProviders(config);
  const tokens = createTokens();
  const routes = buildRoutes(config, providers.byName);
  const door = createDoor({
    auth,
    routes,
    outside,
    startedAt: outside.now(),
    checkReady: () => store.check(),
    embed: (arrival) =>
      embed(arrival, { routes, tokens, ledger, outside, deadlineMs: config.server.deadline_ms }),
  });
  return {
    config,
    door,
    auth,
    routes,
    keys,
    ledger,
    async close() {
      tokens.close();
      await providers.close();
      try {
        await ledger.close();
      } finally {
        store.close();
      }
    },
  };
}

/** Compares the configurations of the gateways on one database, and reports differences. */
import type { GatewayConfig } from "../config/gateway-config";
import type { SpaceNotice } from "../spaces/notices";

/** A hash of what must be the same on all machines. Left out are paths, ports, certificates and secrets, which may differ. */
export function routingFileHash({
  models,
  providers,
  money,
  workspaceDefaults,
  auth,
}: GatewayConfig): string {
  const text = JSON.stringify([
    [...models.values()],
    [...providers.values()].map(({ name, provider }) => [name, provider.id]),
    money,
    workspaceDefaults,
    auth.mode,
  ]);
  return new Bun.CryptoHasher("sha256").update(text).digest("hex");
}

/** A notice that is not about a route. */
export const aboutMachines = (message: string): SpaceNotice => ({
  space: "",
  provider: "",
  model: "",
  cosine: null,
  out_of_service: false,
  message,
});

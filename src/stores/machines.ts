/** What gateways on one database tell one another of what they serve by, and what is made of it. */
import type { GatewayConfig } from "../config/gateway-config";
import type { SpaceNotice } from "../spaces/notices";

/** Of what must be the same everywhere: paths, ports, certificates and secrets may be each machine's own. */
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

/** It is about no route. */
export const aboutMachines = (message: string): SpaceNotice => ({
  space: "",
  provider: "",
  model: "",
  cosine: null,
  out_of_service: false,
  message,
});

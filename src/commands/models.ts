/** `embedgate models`: what the routing file serves, with the facts that apply once the catalogue is counted in. */
import { realOutside } from "../network/real-outside";
import { buildRoutes } from "../routes/route";
import { configured } from "../serving/configured";
import { table } from "../terminal/table";
import { openProviders } from "../upstream/open";
import { json } from "./json";

export async function listModels(options: {
  readonly config?: string;
  readonly json?: boolean;
}): Promise<number> {
  const config = await configured(options.config, { notes: false });
  if (!config) return 1;
  const providers = openProviders(config, realOutside);
  try {
    const models = buildRoutes(config, providers.byName, {
      mayServe: () => true,
      placeOf: ({ space }) => ({ space, isVerified: true }),
    }).list();
    if (options.json)
      console.log(
        json(models.map(({ id, facts, providerName }) => ({ id, provider: providerName, ...facts }))),
      );
    else {
      const rows = models.map(({ id, facts, providerName }) => [
        id,
        providerName,
        facts?.dimensions ?? "?",
        facts?.max_input_tokens ?? "?",
        facts?.price ?? "?",
      ]);
      console.log(table([["MODEL", "PROVIDER", "DIMENSIONS", "TOKENS AN INPUT", "USD A MILLION"], ...rows]));
    }
    return 0;
  } finally {
    await providers.close();
  }
}

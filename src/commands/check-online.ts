/**
 * `embedgate check --online`: sends one short text to each provider, once for each model that the routing file has there. Nothing is retried,
 * nothing is recorded, and the calls bypass circuit breakers and queues: each failure is reported with its reason.
 */
import type { GatewayConfig } from "../config/gateway-config";
import { counted } from "../domain/counted";
import { asGatewayError } from "../domain/errors";
import type { Target } from "../domain/request";
import { realOutside } from "../network/real-outside";
import { buildRoutes } from "../routes/route";
import { openProviders } from "../upstream/open";

export interface Asked {
  readonly model: string;
  readonly provider: string;
  /** The model's name at the provider. */
  readonly upstream_model: string;
  readonly latency_ms: number;
  /** Null if the call failed. */
  readonly dimensions: number | null;
  /** Null if the call succeeded. */
  readonly error: string | null;
}

const TEXT = "embedgate check";

/**
 * @param say called first with the number of calls
 * @param onceFor one call per provider, or per model of a provider
 */
export async function askProviders(
  config: GatewayConfig,
  say: (words: string) => void,
  onceFor: "model" | "provider" = "model",
): Promise<readonly Asked[]> {
  const providers = openProviders(config, realOutside);
  try {
    const targets = new Map<string, { readonly id: string; readonly target: Target }>();
    for (const route of buildRoutes(config, providers.byName, {
      mayServe: () => true,
      placeOf: ({ space }) => ({ space, isVerified: true }),
    }).named())
      for (const target of route.targets) {
        const { name } = target.provider;
        const key = onceFor === "provider" ? name : `${name} ${target.model}`;
        if (!targets.has(key)) targets.set(key, { id: route.id, target });
      }
    say(`Sends ${counted(targets.size, "request")} with one short text each.`);
    const patterns = [...config.models.keys()].filter((id) => id.includes("*"));
    if (patterns.length > 0)
      say(`Patterns are skipped, because their models' names are not known: ${patterns.join(", ")}.`);
    return await Promise.all([...targets.values()].map(({ id, target }) => ask(id, target)));
  } finally {
    await providers.close();
  }
}

async function ask(id: string, { provider, model, facts }: Target): Promise<Asked> {
  const about = { model: id, provider: provider.name, upstream_model: model };
  const began = realOutside.monotonic();
  const took = () => realOutside.monotonic() - began;
  try {
    const { vectors } = await provider.upstream.embed({
      model,
      inputs: [TEXT],
      dimensions: undefined,
      user: undefined,
      task: undefined,
      fields: {},
      extraBody: {},
      longInput: facts.long_input,
      wireEncoding: facts.wire_encoding,
      signal: AbortSignal.timeout(provider.timeoutMs),
    });
    const dimensions = vectors[0]?.values.length ?? null;
    const error =
      dimensions === null ? "it answered without a vector" : wrongSize(dimensions, facts.dimensions);
    return { ...about, latency_ms: took(), dimensions, error };
  } catch (thrown) {
    const late = thrown instanceof DOMException && thrown.name === "TimeoutError";
    const error = late ? `no answer within ${provider.timeoutMs} ms` : wordsOf(thrown);
    return { ...about, latency_ms: took(), dimensions: null, error };
  }
}

function wrongSize(dimensions: number, expected: number | undefined): string | null {
  if (expected === undefined || expected === dimensions) return null;
  return `${dimensions} dimensions, where the file or the catalogue says ${expected}`;
}

function wordsOf(thrown: unknown): string {
  const { message, kind } = asGatewayError(thrown);
  if (kind === "internal") return String(thrown);
  return kind === "not_found" ? `${message} Check base_url (is /v1 missing?) and the model's name.` : message;
}

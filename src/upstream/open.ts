/**
 * Opens the providers of a routing file: each plugin's `open` is called once; they are closed in reverse order.
 * What the request steps need to know about a provider, apart from its plugin, is added here.
 */
import { TypeCompiler } from "@sinclair/typebox/compiler";
import type { GatewayConfig } from "../config/gateway-config";
import { ownNameWithin } from "../dialects/callers-own";
import { expected } from "../dialects/explain";
import { NO_LIMIT_SEEN } from "../domain/health";
import type { Outside } from "../domain/outside";
import type { ProviderState } from "../domain/provider-state";
import type { ConfiguredUpstream, FieldCheck } from "../domain/request";
import { configurationOf, type Limits } from "../spaces/limits";
import { createHealths } from "./health";
import { createLanes } from "./lanes";
import { accountOf, type Rests } from "./rests";

export interface OpenedProviders {
  readonly byName: ReadonlyMap<string, ConfiguredUpstream>;
  /** The current state of each provider. */
  states(): readonly ProviderState[];
  close(): Promise<void>;
}

export function openProviders(
  config: GatewayConfig,
  clock: Pick<Outside, "monotonic" | "random">,
  limits?: Limits,
  rests?: Rests,
): OpenedProviders {
  const byName = new Map<string, ConfiguredUpstream>();
  const states: (() => ProviderState)[] = [];
  for (const configured of config.providers.values()) {
    if (configured.missing_variables.length > 0) continue;
    const { provider, options } = configured;
    const checks = new Map<string, FieldCheck>(
      Object.entries(provider.fields ?? {}).map(([field, schema]) => {
        const check = TypeCompiler.Compile(schema);
        const isOpen = schema.additionalProperties === true;
        return [
          field,
          (value) => {
            if (!check.Check(value)) return expected(schema);
            const own = isOpen ? ownNameWithin(value) : undefined;
            return own === undefined ? null : `without '${own}', which callers cannot set`;
          },
        ];
      }),
    );
    const upstream = provider.open(options);
    const { name } = configured;
    const gate = createLanes(configured.concurrency, configured.max_queue, clock);
    const configuration = (model: string) => configurationOf(config, configured, model);
    const keptOf = (model: string) => ({ provider: name, model, configuration: configuration(model) });
    const limitsOf = (model: string) => {
      // A built-in model states its own limit.
      if (limits === undefined || provider.isBuiltIn) return () => NO_LIMIT_SEEN;
      const kept = keptOf(model);
      return () => limits.find(kept);
    };
    const healthOf = createHealths(
      clock,
      limitsOf,
      rests && { rests, accountOf: (model) => accountOf(configured, model) },
    );
    states.push(() => ({
      provider: name,
      breakersOpen: healthOf.breakersOpen(),
      callsInFlight: gate.inside(),
      waiting: { interactive: gate.waiting("interactive"), bulk: gate.waiting("bulk") },
    }));
    byName.set(name, {
      name,
      pluginId: provider.id,
      telemetryName: provider.telemetryName,
      upstream,
      accepts: (field) => checks.get(field),
      fieldNames: [...checks.keys()],
      guardedFields: (provider.serverFields ?? []).filter(
        (field) => !configured.allow_fields.includes(field),
      ),
      tasks: upstream.tasks ?? provider.tasks,
      isBuiltIn: provider.isBuiltIn ?? false,
      isIndivisible: (request) => provider.isIndivisible?.(request) ?? false,
      countsTokens: provider.countsTokens ?? false,
      gate,
      coalescing:
        configured.coalesce_ms === undefined
          ? undefined
          : {
              windowMs: configured.coalesce_ms,
              isSpread: provider.coalesce ?? false,
            },
      healthOf,
      configuration,
      keepLimit: (model, space) => limits?.keep({ ...keptOf(model), space }, healthOf(model).limit),
      timeoutMs: configured.timeout_ms,
      warm: configured.warm,
      retries: configured.retries,
    });
  }
  return {
    byName,
    states: () => states.map((state) => state()),
    async close() {
      for (const { upstream } of [...byName.values()].reverse()) await upstream.close?.();
    },
  };
}

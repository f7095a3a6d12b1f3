/**
 * A scenario as a routing file, and as the configuration that the gateway is opened with.
 * A new fact that the gateway must know about a simulated server or model is written here.
 */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { PLUGINS } from "../../plugins/index";
import type { GatewayConfig } from "../../src/config/gateway-config";
import { loadConfig } from "../../src/config/load";
import { formatProblem } from "../../src/config/problem";
import type { Outside } from "../../src/domain/outside";
import { createHost } from "../../src/upstream/host";
import type { Scenario, SimServer } from "./scenario";
import type { SimModel } from "./truth";

/** The `dimensions` that may be requested of a model that supports several. */
export const nativeSizes = (own: number): number[] => [
  ...new Set([own, Math.ceil(own / 2), Math.ceil(own / 3)]),
];

/** first: the file at the start. second: the file of a reload; a server still gets nothing that it would refuse. */
export type Variant = "first" | "second";

/** @param folder where files may be written; @param outside independent of a process, for what plugins need while they are loaded */
export async function configOf(
  scenario: Scenario,
  variant: Variant,
  folder: string,
  outside: Outside,
): Promise<GatewayConfig> {
  const name = `${variant}.yaml`;
  // JSON is valid YAML too.
  writeFileSync(join(folder, name), JSON.stringify(routingFile(scenario, variant)));
  const loaded = await loadConfig({
    file: name,
    folder,
    environment: {},
    host: () => createHost(outside),
    now: 0,
    bundled: PLUGINS,
  });
  if (!loaded.ok) throw new Error(loaded.problems.map(formatProblem).join("\n"));
  return loaded.config;
}

function routingFile(scenario: Scenario, variant: Variant): unknown {
  const { servers, models, deadlineMs, needsFile, cache, microCredits, abandoned, perMinute } = scenario;
  return {
    server: { deadline_ms: deadlineMs },
    database: needsFile ? "sqlite:./gateway.db" : "sqlite::memory:",
    cache:
      cache === false
        ? false
        : { memory_mb: cache.memoryMb, disk_mb: cache.diskMb, hit_price: cache.hitPriceTenths / 10 },
    money: { abandoned },
    workspace_defaults: {
      ...(microCredits === undefined ? {} : { credits: microCredits / MICRO_CREDITS_PER_CREDIT }),
      ...(perMinute.requests === undefined ? {} : { requests_per_minute: perMinute.requests }),
      ...(perMinute.tokens === undefined ? {} : { tokens_per_minute: perMinute.tokens }),
    },
    providers: Object.fromEntries(servers.map((server) => [server.name, providerOf(server, variant)])),
    models: {
      ...Object.fromEntries(models.map((model) => [model.id, entryOf(model, variant)])),
      alias: { alias_of: models[0].id },
      chat: { embeddings: false },
    },
  };
}

function providerOf(server: SimServer, variant: Variant): unknown {
  return {
    plugin: "openai",
    base_url: `http://${server.name}.test/v1`,
    api_key: server.key,
    timeout_ms: server.timeoutMs,
    retries: server.retries,
    concurrency: variant === "first" ? server.concurrency : 3,
    ...(server.coalesceMs === undefined ? {} : { coalesce_ms: server.coalesceMs }),
  };
}

function entryOf(model: SimModel, variant: Variant): unknown {
  const { dimensions, sizes, inputsMax, callTokensMax, callBytesMax } = model;
  return {
    routes: model.servers.map((provider, i) => ({
      provider,
      model: model.vendorName,
      ...(model.weights ? { weight: model.weights[i] } : {}),
    })),
    ...(model.hedgeAfterMs === undefined ? {} : { hedge_after_ms: model.hedgeAfterMs }),
    dimensions,
    ...(sizes === "native" ? { dimensions_allowed: nativeSizes(dimensions) } : {}),
    ...(sizes === "one" ? { dimensions_allowed: [dimensions] } : {}),
    ...(sizes === "truncate" ? { dimensions_policy: "truncate", dimensions_allowed: [dimensions] } : {}),
    max_inputs: variant === "first" ? inputsMax : Math.ceil(inputsMax / 2),
    // Texts are counted if some may be longer than that.
    max_input_tokens: model.countedTokensMax ?? INPUT_TOKENS_MAX,
    ...(model.countedTokensMax === undefined ? {} : { tokenizer: "cl100k_base" }),
    ...(callTokensMax === undefined ? {} : { max_call_tokens: callTokensMax }),
    ...(callBytesMax === undefined ? {} : { max_call_bytes: callBytesMax }),
    normalized: true,
    // Only models that accept ids unchanged get them.
    token_ids: "native",
    wire_encoding: model.wireEncoding,
    // While the first server is down a stranger cannot be detected: served as unverified are its vectors or the model's own.
    ...(model.strangers.length > 0 ? { unmeasured: "refuse" } : {}),
    // In the unit of price lists: USD per million tokens.
    price: model.price / 1_000_000,
  };
}

const MICRO_CREDITS_PER_CREDIT = 1_000_000;

export const INPUT_TOKENS_MAX = 1_000;

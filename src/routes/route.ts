/**
 * The first step of a request: from the requested model id to its route.
 * Aliases, patterns and the providers' own names are resolved here, so that later steps see one route.
 */

import { ALL_MODELS, mayUse, mayUsePattern, permission } from "../callers/permission";
import { catalogueEntryNamed, catalogueFacts } from "../config/catalogue";
import type { ConfiguredModel, GatewayConfig } from "../config/gateway-config";
import { matches, patternsAmong } from "../config/models";
import { GatewayError } from "../domain/errors";
import { completeFacts, type KnownFacts, type ModelFacts } from "../domain/facts";
import { onFirstUse } from "../domain/first-use";
import { nearestName } from "../domain/nearest";
import type { ConfiguredUpstream, Route, Target } from "../domain/request";
import type { Spaces } from "../spaces/spaces";

/** One line of the models list. */
export interface ListedModel {
  readonly id: string;
  readonly facts: ModelFacts | undefined;
  readonly embeddings: boolean;
  readonly providerName: string;
  /** The embedding space of its vectors, if measured. */
  readonly space: string | undefined;
}

export interface Routes {
  /**
   * @param models ids and patterns that the caller may use: all other models are treated as unknown
   * @param otherwise a hint for the error about an unknown model, in place of the general one
   * @throws GatewayError unknown_model | embeddings_unsupported | provider_not_configured
   */
  resolve(model: string, models?: readonly string[], otherwise?: string): Route;
  /** The id itself; if the routing file does not have it, the first other name for the model that the caller may use. */
  meant(model: string, others?: readonly string[], models?: readonly string[]): string;
  /** An id, and the id that it is an alias of: a caller who may use either may use the model. */
  namesOf(model: string): readonly string[];
  /** The embedding space of the model's vectors, if measured. */
  spaceOf(route: Route): string;
  /** The routes with an id of their own. */
  named(): readonly Route[];
  /** Whether the routing file has a provider of that name, configured or not, that serves a model that the caller may use. */
  knowsProvider(name: string, models?: readonly string[]): boolean;
  /** Models that can be named: those without a configured provider, and patterns, are left out. */
  list(): readonly ListedModel[];
}

export function buildRoutes(
  config: GatewayConfig,
  providers: ReadonlyMap<string, ConfiguredUpstream>,
  spaces: Pick<Spaces, "mayServe" | "placeOf">,
): Routes {
  const patterns = patternsAmong(config.models.keys());
  const exact = new Map<string, Route>();
  for (const [id, entry] of config.models) {
    const route = id.includes("*") ? undefined : routeOf(entry, id, providers, spaces);
    if (route) exact.set(id, route);
  }
  // A client may use the model name of an answer (`text-embedding-ada-002-v2`) in its next request.
  const byReplyName = new Map<string, string>();
  for (const [id, { facts }] of exact) for (const name of facts.reply_names) byReplyName.set(name, id);

  /** The entry of `models:` for an id: its own, one with that reply name, or a pattern's. */
  function entryFor(id: string): ConfiguredModel | undefined {
    const own = config.models.get(id) ?? config.models.get(byReplyName.get(id) ?? "");
    if (own) return own;
    const pattern = patterns.find((candidate) => matches(candidate, id));
    return pattern === undefined ? undefined : config.models.get(pattern);
  }

  /** The end of a chain of aliases; `check` refuses circles. */
  function behindAliases(id: string): string {
    let current = id;
    for (
      let next = config.models.get(id)?.alias_of;
      next !== undefined;
      next = config.models.get(next)?.alias_of
    ) {
      current = next;
    }
    return current;
  }

  function find(id: string): Route | undefined {
    const entry = entryFor(id);
    if (!entry) return undefined;
    return exact.get(entry.id) ?? routeOf(entry, id, providers, spaces);
  }

  function namesOf(model: string): readonly string[] {
    const end = behindAliases(model);
    const entry = entryFor(end);
    return [model, entry === undefined || entry.id.includes("*") ? end : entry.id];
  }

  const list = onFirstUse(() => {
    const listed: ListedModel[] = [];
    for (const id of config.models.keys()) {
      if (id.includes("*")) continue;
      const end = behindAliases(id);
      if (entryFor(end)?.embeddings === false) {
        listed.push({ id, facts: undefined, embeddings: false, providerName: "", space: undefined });
        continue;
      }
      const route = find(end);
      if (route) {
        listed.push({
          id,
          facts: route.facts,
          embeddings: true,
          providerName: route.targets[0].provider.name,
          space: spaces.placeOf(route).space,
        });
      }
    }
    return listed;
  });

  /** Candidates for a hint, each with all its names. */
  const nameable = onFirstUse(() =>
    list()
      .filter(({ embeddings }) => embeddings)
      .map(({ id }) => namesOf(id)),
  );

  /** The same error for unknown and for forbidden models, so that names cannot be probed. */
  function unknown(model: string, models: readonly string[], otherwise?: string): GatewayError {
    const alike = [...usable(nameable(), models)].find((id) => asWritten(id) === asWritten(model));
    const near = alike ?? nearestName(model, usable(nameable(), models));
    const general = near === undefined ? "GET /v1/models lists all models." : `Did you mean \`${near}\`?`;
    const hint = otherwise ?? general;
    return new GatewayError(
      "unknown_model",
      `The model \`${model.slice(0, 200)}\` does not exist or you do not have access to it. ${hint}`,
    );
  }

  /** The operator sees the variable's name in the log and with 'embedgate check'; callers do not see it. */
  const notConfigured = (model: string) =>
    new GatewayError(
      "provider_not_configured",
      `The model \`${model.slice(0, 200)}\` is in the routing file, but none of its providers is configured.`,
    );

  return {
    resolve(model, models = ALL_MODELS, otherwise) {
      if (!mayUse(models, namesOf(model))) throw unknown(model, models, otherwise);
      const id = behindAliases(model);
      if (entryFor(id)?.embeddings === false) {
        throw new GatewayError("embeddings_unsupported", `model "${model}" does not support embeddings`, {
          field: "model",
        });
      }
      const route = find(id);
      if (!route) throw entryFor(id) === undefined ? unknown(model, models, otherwise) : notConfigured(model);
      return route;
    },
    meant(model, others = [], models = ALL_MODELS) {
      const isRegistered = (id: string) => config.models.has(id) || byReplyName.has(id);
      if (isRegistered(model)) return model;
      return others.find((id) => isRegistered(id) && mayUse(models, namesOf(id))) ?? model;
    },
    namesOf,
    spaceOf: (route) => spaces.placeOf(route).space,
    named: () => [...exact.values()],
    knowsProvider(name, models = ALL_MODELS) {
      if (!config.providers.has(name)) return false;
      if (models.includes("*")) return true;
      const may = permission(models);
      for (const id of config.models.keys()) {
        const served = entryFor(behindAliases(id))?.routes.some(({ provider }) => provider === name);
        if (!served) continue;
        const isReached = id.includes("*")
          ? mayUsePattern(models, id, patterns.slice(0, patterns.indexOf(id)))
          : may([...namesOf(id), ...replyNamesOf(id)]);
        if (isReached) return true;
      }
      return false;
    },
    list,
  };

  function replyNamesOf(id: string): readonly string[] {
    return exact.get(id)?.facts.reply_names ?? [];
  }
}

/** Most comparisons of an id with a workspace's patterns for a hint, so that hints do not delay valid requests. */
const COMPARISONS_MAX = 20_000;

/** Clients write ids in another case, escape slashes twice, or add a tag such as `:latest`. */
const asWritten = (id: string) =>
  id
    .toLowerCase()
    .replaceAll("%2f", "/")
    .replace(/:latest$/, "");

/** The first names of those that may be used. */
function* usable(names: Iterable<readonly string[]>, models: readonly string[]): Generator<string> {
  const may = permission(models);
  let left = COMPARISONS_MAX;
  for (const ids of names) {
    left -= models.length;
    if (left < 0) return;
    const [first] = ids;
    if (first !== undefined && may(ids)) yield first;
  }
}

/**
 * The route of an entry of `models:` for a matching id; undefined if none of its providers is configured.
 * Consecutive routes with weights form one group; every other route is a group of its own.
 */
function routeOf(
  entry: ConfiguredModel,
  id: string,
  providers: ReadonlyMap<string, ConfiguredUpstream>,
  spaces: Pick<Spaces, "mayServe" | "placeOf">,
): Route | undefined {
  const [main] = entry.routes;
  if (!main) return undefined;
  const space = entry.space ?? main.space ?? spaceOf(nameAt(main.model, entry, id));
  const { on_drift: onDrift, hedge_after_ms: hedgeAfterMs } = entry;
  const targets: Target[] = [];
  let group = 0;
  for (const [i, { weight, isBatchUpstream, batchPrice, ...way }] of entry.routes.entries()) {
    const shared = weight !== undefined && entry.routes[i - 1]?.weight !== undefined;
    if (i > 0 && !shared) group += 1;
    const provider = providers.get(way.provider);
    if (!provider) continue;
    const model = nameAt(way.model, entry, id);
    const facts = completeFacts(
      // A space has one number of dimensions: that of the first target that has it.
      { dimensions: targets[0]?.facts.dimensions },
      ofTheModelItself(model),
      provider.upstream.describe?.(model),
      catalogueFacts(provider.pluginId, model),
      { price: way.price },
      entry.facts,
    );
    const costPrice = way.price ?? facts.price;
    const mayServe = (isForced = false) => spaces.mayServe(route, { provider, model }, isForced);
    targets.push({
      provider,
      model,
      facts,
      group,
      weight: weight ?? 1,
      costPrice,
      mayServe,
      ...(isBatchUpstream && { batch: { price: batchPrice } }),
    });
  }
  const [first, ...others] = ofOneModel(targets, entry.facts);
  if (!first) return undefined;
  const { agreement_min: agreementMin, unmeasured } = entry;
  const route: Route = {
    id,
    isNamed: entry.id === id,
    space,
    facts: first.facts,
    onDrift,
    agreementMin,
    unmeasured,
    warm: entry.warm,
    hedgeAfterMs,
    targets: [first, ...others],
  };
  return route;
}

/**
 * All providers of a model use one limit and one vocabulary for long texts; otherwise one text could have two vectors.
 * @param written the model's facts in the routing file
 */
function ofOneModel(targets: readonly Target[], written: KnownFacts): readonly Target[] {
  const limits = targets.flatMap(({ facts }) => facts.max_input_tokens ?? []);
  const tokenizer = targets.map(({ facts }) => facts.tokenizer).find((known) => known !== undefined);
  const long_input = written.long_input ?? targets[0]?.facts.long_input;
  const prompts = targets.map(({ facts }) => facts.prompts).find((known) => known !== undefined);
  const defaults = targets.map(({ facts }) => facts.default_task).find((known) => known !== undefined);
  // A model's default task only chooses its prompt: without prompts no server is sent a task that the caller did not name.
  const default_task = prompts === false ? written.default_task : defaults;
  const shared: KnownFacts = {
    ...(prompts !== undefined && { prompts }),
    ...(default_task !== undefined && { default_task }),
    // Only prompts of the routing file count, not a server's.
    ...(written.prompts && { task_types: [] }),
    ...(long_input && { long_input }),
    ...(limits.length > 0 && { max_input_tokens: Math.min(...limits) }),
    ...(tokenizer && { tokenizer }),
  };
  return targets.map(({ facts: { default_task: _, ...facts }, ...target }) => ({
    ...target,
    facts: { ...facts, ...shared },
  }));
}

/** The model's name at a provider: under a pattern, `*` is replaced by what the pattern's `*` matched. */
function nameAt(name: string, entry: ConfiguredModel, id: string): string {
  return name === entry.id ? id : name.replace("*", () => starIn(entry.id, id));
}

/** What a pattern's `*` matches in an id. */
function starIn(pattern: string, id: string): string {
  const star = pattern.indexOf("*");
  return star === -1 ? "" : id.slice(star, id.length - (pattern.length - star - 1));
}

/** The default name of a model's embedding space. Several names may belong to one model. */
function spaceOf(model: string): string {
  return catalogueEntryNamed(model)?.model ?? model;
}

/** Facts that are the same at all providers: vocabulary, prompts, whether vectors are normalised, and the token limit if tokens can be counted. */
function ofTheModelItself(model: string): KnownFacts {
  const { tokenizer, max_input_tokens, normalized, prompts, default_task } =
    catalogueEntryNamed(model)?.facts ?? {};
  return {
    ...(prompts !== undefined && { prompts }),
    ...(default_task !== undefined && { default_task }),
    ...(normalized !== undefined && { normalized }),
    ...(tokenizer && { tokenizer }),
    ...(tokenizer && max_input_tokens !== undefined && { max_input_tokens }),
  };
}

/**
 * Step 1: from the model id that was asked for to the route that answers it.
 * Aliases, patterns and the names that providers themselves use are settled here, so that later steps see one route.
 */

import { catalogueFacts } from "./config/catalogue";
import type { GatewayConfig } from "./config/gateway-config";
import { nearestName } from "./config/nearest";
import type { ConfiguredUpstream, Route } from "./domain";
import { GatewayError } from "./errors";
import { completeFacts, type ModelFacts } from "./facts";

/** One line of the models list. */
export interface ListedModel {
  readonly id: string;
  readonly facts: ModelFacts | undefined;
  readonly embeddings: boolean;
  readonly providerName: string;
}

export interface Routes {
  /** @throws GatewayError unknown_model | embeddings_unsupported */
  resolve(model: string): Route;
  /** Models that can be named: those without a configured provider, and patterns, are left out. */
  list(): readonly ListedModel[];
}

interface Pattern {
  readonly before: string;
  readonly after: string;
  readonly id: string;
}

export function buildRoutes(
  config: GatewayConfig,
  providers: ReadonlyMap<string, ConfiguredUpstream>,
  pluginIdOf: (provider: string) => string,
): Routes {
  const exact = new Map<string, Route>();
  const cannotEmbed = new Set<string>();
  const aliases = new Map<string, string>();
  const patterns: Pattern[] = [];

  /** The route of one entry of `models:`, for the id that stands in the place of its `*`. */
  function routeFor(entryId: string, asked: string, star: string): Route | undefined {
    const entry = config.models.get(entryId);
    // Only the first route serves: a further one may not before its vectors were measured to lie in the same space.
    const first = entry?.routes[0];
    const provider = first && providers.get(first.provider);
    if (!entry || !first || !provider) return undefined;
    const model = first.model === entryId ? asked : first.model.replace("*", () => star);
    const facts = completeFacts(
      provider.upstream.describe?.(model),
      catalogueFacts(pluginIdOf(first.provider), model),
      entry.facts,
    );
    return {
      id: asked,
      space: entry.space ?? first.space ?? spaceOf(model),
      facts,
      target: { provider, model },
    };
  }

  for (const [id, entry] of config.models) {
    if (entry.alias_of !== undefined) aliases.set(id, entry.alias_of);
    else if (!entry.embeddings) cannotEmbed.add(id);
    else if (id.includes("*")) {
      const star = id.indexOf("*");
      patterns.push({ before: id.slice(0, star), after: id.slice(star + 1), id });
    } else {
      const route = routeFor(id, id, "");
      if (route) exact.set(id, route);
    }
  }
  // The pattern that says most is tried first: "openai/*" before "*".
  patterns.sort((a, b) => b.id.length - a.id.length);
  // A client that keeps the name an answer gave it (`text-embedding-ada-002-v2`) may ask by it.
  const replyNames = new Map<string, Route>();
  for (const route of exact.values()) {
    for (const name of route.facts.reply_names) if (!exact.has(name)) replyNames.set(name, route);
  }

  function find(id: string): Route | undefined {
    const known = exact.get(id) ?? replyNames.get(id);
    if (known) return known;
    for (const pattern of patterns) {
      if (id.length < pattern.before.length + pattern.after.length) continue;
      if (!id.startsWith(pattern.before) || !id.endsWith(pattern.after)) continue;
      const route = routeFor(
        pattern.id,
        id,
        id.slice(pattern.before.length, id.length - pattern.after.length),
      );
      if (route) return route;
    }
    return undefined;
  }

  /** The end of a chain of aliases; `check` refused circles. */
  function behindAliases(id: string): string {
    let current = id;
    for (let next = aliases.get(current); next !== undefined; next = aliases.get(current)) current = next;
    return current;
  }

  return {
    resolve(model) {
      const id = behindAliases(model);
      if (cannotEmbed.has(id)) {
        throw new GatewayError("embeddings_unsupported", `model "${model}" does not support embeddings`, {
          field: "model",
        });
      }
      const route = find(id);
      if (route) return route;
      const near = nearestName(model, [...exact.keys(), ...aliases.keys()]);
      const hint =
        near === undefined ? "GET /v1/models lists the models there are." : `Did you mean \`${near}\`?`;
      throw new GatewayError(
        "unknown_model",
        `The model \`${model.slice(0, 200)}\` does not exist or you do not have access to it. ${hint}`,
      );
    },
    list() {
      const listed: ListedModel[] = [];
      for (const id of config.models.keys()) {
        if (id.includes("*")) continue;
        const end = behindAliases(id);
        const route = find(end);
        if (cannotEmbed.has(end)) {
          listed.push({ id, facts: undefined, embeddings: false, providerName: "" });
        } else if (route) {
          listed.push({ id, facts: route.facts, embeddings: true, providerName: route.target.provider.name });
        }
      }
      return listed;
    },
  };
}

/** The name of the space that a model's vectors lie in, where the routing file gives none. */
function spaceOf(model: string): string {
  return model;
}

/**
 * GET /v1/models and /v1/models/{id}: the available models, with the facts that a client needs for planning.
 * A new fact in the list is a member of `Model` in src/dialects/openai-schema.ts and a line in `entryOf`, or in `featuresOf`.
 */
import type { Static } from "@sinclair/typebox";
import packageJson from "../../package.json";
import { type Exchange, type Fraction, fractionOf, microCreditsPerToken, times } from "../books/money";
import { permission } from "../callers/permission";
import type { Model, ModelWithFeatures } from "../dialects/openai-schema";
import type { GatewayFacts } from "../dialects/wire";
import { refuseControls } from "../domain/control-characters";
import type { Policies } from "../domain/policies";
import { prompted, promptFor } from "../domain/prompts";
import { withDefaultTask } from "../domain/tasks";
import type { Answer } from "../request/embed";
import { stageOf } from "../routes/lifecycle";
import type { ListedModel, Routes } from "../routes/route";
import type { Tokens } from "../tokens/tokens";

/** What the list depends on besides the routes. */
export interface Listing {
  readonly policies: Pick<Policies, "models_list" | "provider_names" | "prices">;
  /** Ids and patterns that the caller's workspace may use: other models do not exist for it. */
  readonly allowed: readonly string[];
  readonly exchange: Exchange;
  readonly startedAt: number;
  readonly now: number;
}

export function listModels(routes: Routes, listing: Listing): Answer {
  return { body: JSON.stringify({ object: "list", data: entries(routes, listing) }), headers: {} };
}

/** @throws GatewayError unknown_model; invalid | embeddings_unsupported, for an id that matches a pattern */
export function showModel(routes: Routes, id: string, listing: Listing): Answer {
  return { body: JSON.stringify(entryNamed(routes, id, listing)), headers: {} };
}

/** The same for APIs with lists of another shape. */
export function factsFor(
  routes: Routes,
  listing: Listing,
  tokens: Pick<Tokens, "count" | "encode">,
): GatewayFacts {
  const vocabularyOf = (id: string) => {
    refuseControls("model", id);
    return routes.resolve(id, listing.allowed).facts.tokenizer;
  };
  return {
    version: packageJson.version,
    startedAt: listing.startedAt,
    now: listing.now,
    models: () => entries(routes, listing),
    model: (id, others) => entryNamed(routes, routes.meant(id, others, listing.allowed), listing),
    async tokens(id, texts) {
      const vocabulary = vocabularyOf(id);
      return vocabulary && tokens.encode(vocabulary, texts);
    },
    async countTokens(id, inputs) {
      refuseControls("model", id);
      const route = routes.resolve(id, listing.allowed);
      const vocabulary = route.facts.tokenizer;
      if (vocabulary === undefined) return undefined;
      const prompt = promptFor(withDefaultTask({ inputs, task: undefined }, route.facts), route);
      const texts = prompt ? inputs.map((text) => prompted(text, prompt)) : inputs;
      // A provider that counts by itself bills the text's own tokens; servers bill a model's marks too.
      if (!route.targets[0].provider.countsTokens)
        return tokens.count(vocabulary, texts, Number.MAX_SAFE_INTEGER);
      const found = await tokens.encode(vocabulary, texts);
      return found.map((each) => each.filter(({ special }) => !special).length);
    },
  };
}

function entries(routes: Routes, listing: Listing): Entry[] {
  const may = permission(listing.allowed);
  return routes
    .list()
    .filter(({ id }) => may(routes.namesOf(id)))
    .map((listed) => entryOf(listed, listing));
}

function entryNamed(routes: Routes, id: string, listing: Listing): Entry {
  const mayBeShown = permission(listing.allowed)(routes.namesOf(id));
  const listed = mayBeShown ? routes.list().find((candidate) => candidate.id === id) : undefined;
  return entryOf(listed ?? behindPattern(routes, id, listing), listing);
}

/** An id that matches a pattern, or a name that answers use, is not listed, but can be requested. */
function behindPattern(routes: Routes, id: string, { allowed }: Listing): ListedModel {
  refuseControls("model", id);
  const route = routes.resolve(id, allowed);
  const { facts, targets } = route;
  return {
    id,
    facts,
    embeddings: true,
    providerName: targets[0].provider.name,
    space: routes.spaceOf(route),
  };
}

type Entry = Static<typeof Model | typeof ModelWithFeatures>;

function entryOf(listed: ListedModel, listing: Listing): Entry {
  const { id, facts, embeddings, providerName } = listed;
  const entry = {
    id,
    object: "model" as const,
    created: Math.floor(listing.startedAt / 1000),
    owned_by: (listing.policies.provider_names === "show" && providerName) || "embedgate",
    embeddings,
    embedding_space: listed.space ?? null,
    dimensions: facts?.dimensions ?? null,
    dimensions_allowed: facts?.dimensions_allowed ?? null,
    max_input_tokens: facts?.max_input_tokens ?? null,
    max_call_inputs: facts?.max_inputs ?? null,
    max_call_tokens: facts?.max_call_tokens ?? null,
    max_call_bytes: facts?.max_call_bytes ?? null,
    task_types: facts?.task_types ?? null,
    price_usd_per_million_tokens: priceOf(facts?.price, listing),
    lifecycle: stageOf(facts ?? {}, listing.now),
    end_of_life: facts?.end_of_life ?? null,
  };
  return listing.policies.models_list === "features" ? { ...entry, ...featuresOf(listed, listing) } : entry;
}

function priceOf(price: number | undefined, { policies: { prices }, exchange }: Listing): number | null {
  if (price === undefined || prices === "hide") return null;
  return prices === "cost" ? price : asNumber(times(fractionOf(price), fractionOf(exchange.markup)));
}

function featuresOf({ facts, embeddings }: ListedModel, { exchange, policies }: Listing) {
  const price = policies.prices === "hide" ? undefined : facts?.price;
  return {
    supported_features: embeddings ? ["embeddings"] : [],
    output_modality: { text: !embeddings },
    cost: {
      prompt: price === undefined ? null : asNumber(microCreditsPerToken(price, exchange)),
    },
  };
}

/** JSON has no fractions: the nearest double, which equals the decimal number if it has at most fifteen digits. */
const asNumber = ({ numerator, denominator }: Fraction) => Number(numerator) / Number(denominator);

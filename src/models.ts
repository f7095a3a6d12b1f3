/**
 * GET /v1/models and /v1/models/{id}: what can be asked for, with the facts that a client plans by.
 * A new fact in the list is a member of `Model` in src/dialects/openai-schema.ts and a line in `entryOf`.
 */
import type { Static } from "@sinclair/typebox";
import type { Model } from "./dialects/openai-schema";
import type { Answer } from "./embed";
import type { ListedModel, Routes } from "./route";

export function listModels(routes: Routes, startedAt: number): Answer {
  const data = routes.list().map((listed) => entryOf(listed, startedAt));
  return { body: JSON.stringify({ object: "list", data }), headers: {} };
}

/** @throws GatewayError unknown_model */
export function showModel(routes: Routes, id: string, startedAt: number): Answer {
  const listed = routes.list().find((candidate) => candidate.id === id) ?? behindPattern(routes, id);
  return { body: JSON.stringify(entryOf(listed, startedAt)), headers: {} };
}

/** An id that a pattern takes, or a name that answers use, is not listed, but can be asked for. */
function behindPattern(routes: Routes, id: string): ListedModel {
  const { facts, targets } = routes.resolve(id);
  return { id, facts, embeddings: true, providerName: targets[0].provider.name };
}

function entryOf(
  { id, facts, embeddings, providerName }: ListedModel,
  startedAt: number,
): Static<typeof Model> {
  return {
    id,
    object: "model",
    created: Math.floor(startedAt / 1000),
    owned_by: providerName || "embedgate",
    embeddings,
    dimensions: facts?.dimensions ?? null,
    max_input_tokens: facts?.max_input_tokens ?? null,
    price_usd_per_million_tokens: facts?.price ?? null,
  };
}

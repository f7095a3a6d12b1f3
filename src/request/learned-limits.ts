/**
 * Applies the limits learned of a model's routes (src/execute/limits.ts) to later requests: if the model's vocabulary is known, too long texts are
 * refused or made to fit before anything is sent. Without a vocabulary only the provider knows a text's length.
 */
import type { ModelFacts } from "../domain/facts";
import type { Route } from "../domain/request";

/** The route with the largest learned limit among its targets, if every target has one. */
export function withLearnedLimit(route: Route): Route {
  const { facts, targets } = route;
  if (facts.tokenizer === undefined) return route;
  let most = 0;
  for (const { provider, model } of targets) {
    const { tokens } = provider.healthOf(model).limit;
    if (tokens === undefined) return route;
    most = Math.max(most, tokens);
  }
  if ((facts.max_input_tokens ?? Number.POSITIVE_INFINITY) <= most) return route;
  const [first, ...others] = targets;
  return {
    ...route,
    facts: limited(facts, most),
    targets: [
      { ...first, facts: limited(first.facts, most) },
      ...others.map((target) => ({ ...target, facts: limited(target.facts, most) })),
    ],
  };
}

/** Facts are cached by object identity (src/cache/key.ts), so the same object must be returned each time. */
const known = new WeakMap<ModelFacts, ModelFacts>();

function limited(facts: ModelFacts, most: number): ModelFacts {
  const before = known.get(facts);
  if (before?.max_input_tokens === most) return before;
  const made = { ...facts, max_input_tokens: most };
  known.set(facts, made);
  return made;
}

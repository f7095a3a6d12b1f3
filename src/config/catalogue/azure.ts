/**
 * OpenAI's models as Azure serves them: the same vectors, at Azure's own prices and with an end that Azure has announced.
 * A new model is one of OpenAI's entries; a deployment called otherwise is named in the provider's `deployments`.
 */
import type { CatalogueEntry } from "./entry";

/** USD per million tokens: LiteLLM 1.109.1, model_prices_and_context_window_backup.json, entries azure/…. */
const PRICES: Readonly<Record<string, number>> = {
  "text-embedding-3-small": 0.022,
  "text-embedding-3-large": 0.143,
  "text-embedding-ada-002": 0.11,
};
/** The same table's `deprecation_date` of all three. */
const END_OF_LIFE = "2028-02-09";

export const azureModels = (openai: readonly CatalogueEntry[]): readonly CatalogueEntry[] =>
  openai.map(({ model, facts }) => ({
    plugin: "azure",
    model,
    same_as: model,
    facts: {
      ...facts,
      ...(PRICES[model] !== undefined && { price: PRICES[model] }),
      end_of_life: END_OF_LIFE,
    },
  }));

/**
 * One row of the catalogue: a vendor's model, its names, and its facts (src/domain/facts.ts).
 * A new thing to know about a row is a member here; a new fact of a model is a line of facts.ts.
 */
import type { KnownFacts } from "../../domain/facts";

export interface CatalogueEntry {
  /** The plugin for its API, whatever base URL that plugin uses. */
  readonly plugin: string;
  /** The model's name at the vendor. */
  readonly model: string;
  /** Other spellings of that name that the plugin understands. */
  readonly written_as?: readonly string[];
  /** The entry of the identical model at another vendor: its vectors are in the same space. */
  readonly same_as?: string;
  readonly facts: KnownFacts & { readonly reply_names: string[] };
}

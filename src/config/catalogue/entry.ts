/**
 * What one row of the catalogue says: a vendor's model, by what names it goes, and its facts (src/domain/facts.ts).
 * A new kind of thing to know of a row is a member here; a new fact of a model is a line of facts.ts.
 */
import type { KnownFacts } from "../../domain/facts";

export interface CatalogueEntry {
  /** The plugin that speaks its wire, whichever address that plugin is pointed at. */
  readonly plugin: string;
  /** The model's name at the vendor. */
  readonly model: string;
  /** Other ways of writing that name, which the plugin understands. */
  readonly written_as?: readonly string[];
  /** The entry of the same model at another vendor: its vectors are in the same space. */
  readonly same_as?: string;
  readonly facts: KnownFacts & { readonly reply_names: string[] };
}

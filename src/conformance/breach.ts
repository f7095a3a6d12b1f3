/**
 * A broken promise of the plugin contract, as a message for the plugin's author.
 * Each check says what was seen and what is required.
 */
export class Breach extends Error {
  override readonly name = "Breach";
}

/** @throws Breach with this message if it does not hold */
export function demand(holds: boolean, words: string): asserts holds {
  if (!holds) throw new Breach(words);
}

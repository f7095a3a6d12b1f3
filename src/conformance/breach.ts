/**
 * A promise of the plugin contract that is not kept, in words for the plugin's author.
 * What a check demands it says here, as what was seen and what must be.
 */
export class Breach extends Error {
  override readonly name = "Breach";
}

/** @throws Breach with these words where it does not hold */
export function demand(holds: boolean, words: string): asserts holds {
  if (!holds) throw new Breach(words);
}

/**
 * Random numbers that depend on the seed only. Each part of a simulation draws from its own fork, so that an additional draw in one part changes
 * nothing in the others. A new way to draw is a method here; nothing in test/sim may use Math.random.
 */
export interface Random {
  /** In [0, 1). */
  number(): number;
  /** From `least` to `most`, inclusive. */
  integer(least: number, most: number): number;
  chance(probability: number): boolean;
  pick<Value>(values: readonly [Value, ...Value[]]): Value;
  shuffled<Value>(values: readonly Value[]): Value[];
  fork(label: string): Random;
}

export function seededRandom(seed: string): Random {
  let state = hashOf(seed);

  /** mulberry32 */
  function number(): number {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  }

  const integer = (least: number, most: number) => least + Math.floor(number() * (most - least + 1));

  return {
    number,
    integer,
    chance: (probability) => number() < probability,
    pick: (values) => values[integer(0, values.length - 1)] ?? values[0],
    shuffled(values) {
      const rest = [...values];
      const order: typeof rest = [];
      while (rest.length > 0) order.push(...rest.splice(integer(0, rest.length - 1), 1));
      return order;
    },
    fork: (label) => seededRandom(`${seed}/${label}`),
  };
}

/** FNV-1a. */
export function hashOf(text: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193) >>> 0;
  return hash;
}

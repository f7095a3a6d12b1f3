/** A number with its noun in singular or plural: 1 model, 2 models. */
export const counted = (count: number | bigint, noun: string): string =>
  `${count} ${noun}${Number(count) === 1 ? "" : "s"}`;

/** The same for large numbers, with a comma after each three digits: 12,000 rows. */
export const countedInGroups = (count: number, noun: string): string =>
  `${count.toLocaleString("en-US")} ${noun}${count === 1 ? "" : "s"}`;

/** A number with its noun in singular or plural: 1 model, 2 models. */
export const counted = (count: number | bigint, noun: string): string =>
  `${count} ${noun}${Number(count) === 1 ? "" : "s"}`;

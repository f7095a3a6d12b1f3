/** Arrays as PostgreSQL writes them, for parameters that a statement casts to an array. */

export const listOf = (numbers: readonly number[]): string => `{${numbers.join(",")}}`;

export const textsOf = (texts: readonly string[]): string =>
  `{${texts.map((text) => `"${text.replaceAll("\\", "\\\\").replaceAll('"', '\\"')}"`).join(",")}}`;

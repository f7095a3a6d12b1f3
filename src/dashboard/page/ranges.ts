/** How far back the first view looks. */
export const RANGES = {
  hour: { words: "Last hour", during: "in the last hour", since: "60m", unit: "minute", minutes: 60 },
  day: { words: "24 hours", during: "in 24 hours", since: "24h", unit: "hour", minutes: 1_440 },
  week: { words: "7 days", during: "in 7 days", since: "7d", unit: "hour", minutes: 10_080 },
} as const;
export type Range = keyof typeof RANGES;

export const rangeIn = (text: string | undefined): Range =>
  text === "day" || text === "week" ? text : "hour";

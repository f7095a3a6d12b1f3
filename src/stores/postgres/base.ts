/** What every part of the PostgreSQL store needs, and the cleaning of text before it is stored. */
import type { DatabaseClock } from "./clock";
import type { Pool } from "./pool";

export interface Base {
  readonly pool: Pool;
  readonly clock: DatabaseClock;
}

/** PostgreSQL refuses NUL in text and lone surrogates in JSON; a caller's text may have both. They become U+FFFD. */
export function storable(text: string): string {
  return text.replaceAll("\0", "\uFFFD").toWellFormed();
}

/** The same for JSON text with a caller's values: PostgreSQL also refuses the escapes of those characters. */
export function storableJson(text: string): string {
  if (!/\\u(?:0000|d[89a-f])/i.test(text)) return text;
  const cleaned = (value: unknown): unknown => {
    if (typeof value === "string") return storable(value);
    if (Array.isArray(value)) return value.map(cleaned);
    if (typeof value !== "object" || value === null) return value;
    return Object.fromEntries(Object.entries(value).map(([key, inner]) => [storable(key), cleaned(inner)]));
  };
  return JSON.stringify(cleaned(JSON.parse(text)));
}

/** The dependencies of every part of the PostgreSQL store. */
import type { DatabaseClock } from "./clock";
import type { Pool } from "./pool";

export interface Base {
  readonly pool: Pool;
  readonly clock: DatabaseClock;
}

/** PostgreSQL's text has no NUL, and its JSON no half of a surrogate pair: what a caller says may have both. */
export function storable(text: string): string {
  return text.replaceAll("\0", "\uFFFD").toWellFormed();
}

/** The same of JSON that was written from a caller's: it is read back as JSON by the database, which refuses their escapes. */
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

/**
 * `truncate` for vendors that cut texts themselves, by their own count of tokens: as each vendor names it, and as the model's `long_input`
 * where a request does not set it. Without either a text that is too long must be refused, even by a vendor whose default is to truncate silently.
 */
import type { EmbedCall, Host } from "../src/plugin";

const WORDS = { none: ["NONE"], end: ["END", "RIGHT"], start: ["START", "LEFT"] } as const;
export type Cut = keyof typeof WORDS;

/** @param ends the ends at which the vendor can cut a text */
export function truncateField({ t }: Pick<Host, "t">, ends: readonly Exclude<Cut, "none">[]) {
  const words = (["none", ...ends] as const).flatMap((cut) => [...WORDS[cut]]);
  const either = [...words, ...words.map((word) => word.toLowerCase())];
  return t.Union([t.Boolean(), t.String({ pattern: `^(?:${either.join("|")})$` })], {
    expected: `true, false, ${words.map((word) => `"${word}"`).join(", ")}`,
    description: "Whether, and at which end, the provider truncates a text that is too long.",
  });
}

export function cutOf({ fields, longInput }: Pick<EmbedCall, "fields" | "longInput">): Cut {
  const { truncate } = fields;
  if (truncate === undefined) return longInput === "truncate" ? "end" : "none";
  if (typeof truncate !== "string") return truncate === true ? "end" : "none";
  const word = truncate.toUpperCase();
  if (WORDS.start.some((known) => known === word)) return "start";
  return WORDS.end.some((known) => known === word) ? "end" : "none";
}

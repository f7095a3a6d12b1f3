/**
 * Invisible characters that change what is shown: they end a line, move a terminal's cursor, or reverse text. Names from callers
 * with such characters are refused (src/dialects/openai.ts), and whatever is printed for people shows them escaped.
 */
import { GatewayError } from "./errors";

/**
 * Controls, line and paragraph separators, and characters that embed or override a direction (unicode.org/reports/tr9, 2.1 to 2.4). The marks
 * of ordinary right-to-left text are allowed.
 */
const CONTROL = /[\p{Cc}\u2028\u2029\u202a-\u202e\u2066-\u2069]/u;

/** The first one, as U+001B; undefined if there is none. */
export function controlIn(text: string): string | undefined {
  const [found] = CONTROL.exec(text) ?? [];
  return found && `U+${(found.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, "0")}`;
}

/** @throws GatewayError invalid if the text contains one */
export function refuseControls(field: string, text: string): void {
  const control = controlIn(text);
  if (control === undefined) return;
  throw new GatewayError("invalid", `'${field}' contains the control character ${control}: remove it.`, {
    field,
  });
}

/** Everything without a visible shape, except what joins letters and emoji. */
const UNSEEN = /(?![\u200c\u200d])[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/gu;
const SHORT = new Map([
  ["\n", "\\n"],
  ["\r", "\\r"],
  ["\t", "\\t"],
]);

/** Escapes each of them as \n, \r, \t or \u001b. JSON stays valid. */
export function visible(text: string): string {
  return text.replace(UNSEEN, (found) => SHORT.get(found) ?? found.replace(/[\s\S]/g, escapedUnit));
}

const escapedUnit = (unit: string) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`;

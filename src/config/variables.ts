/**
 * `${VAR}`, `${VAR:-default}` and the escape `$${` inside scalars.
 * A further form is a further case of `fillVariables`; what YAML would stumble over in it goes into `MASKED`.
 */

/**
 * In `{ api_key: ${KEY} }` YAML takes the braces of the variable for its own. So before parsing, the signs inside a
 * variable are each replaced by one private character (places in the text stay true), and put back in every scalar after.
 */
const MASKED = "{}[],:#";
const PRIVATE = 0xe000;
const PRIVATE_SIGNS = new RegExp(
  `[${[...MASKED].map((sign) => String.fromCharCode(PRIVATE + sign.charCodeAt(0))).join("")}]`,
  "g",
);

export const UNCLOSED = "a ${ is never closed with }; for the two signs themselves write $${";

/** Where a `${` stands that has no `}` after it in its line. */
export function unclosedVariables(text: string): number[] {
  const places: number[] = [];
  let start = 0;
  for (const line of text.split("\n")) {
    const at = line.lastIndexOf("${");
    if (at !== -1 && !line.includes("}", at) && !line.slice(0, at).includes("#")) places.push(start + at);
    start += line.length + 1;
  }
  return places;
}

/** Where a character stands that masking needs for itself, or -1. */
export function privateSignIn(text: string): number {
  return text.search(PRIVATE_SIGNS);
}

/** Masks variables, whole, and the `${` of malformed ones, so that their scalar can be told about. */
export function maskVariables(text: string): string {
  // YAML would take the last colon of an unquoted `sqlite::memory:` for that of a key.
  return text.replaceAll(
    /sqlite::memory:|\$?\$\{(?:[A-Za-z_][A-Za-z0-9_]*(?::-[^}\r\n]{0,2000})?\})?/g,
    (variable) =>
      variable.replace(/[{}[\],:#]/g, (sign) => String.fromCharCode(PRIVATE + sign.charCodeAt(0))),
  );
}

export function unmaskVariables(text: string): string {
  return text.replace(PRIVATE_SIGNS, (sign) => String.fromCharCode(sign.charCodeAt(0) - PRIVATE));
}

export interface Filled {
  readonly text: string;
  /** Something was put in: the text may be secret. */
  readonly fromVariables: boolean;
  /** The text was one variable and nothing else, so it may stand for a number. */
  readonly whole: boolean;
  /** Variables that are unset or empty, and have no default. */
  readonly missing: readonly string[];
  /** What is wrong with a `${` in it. */
  readonly malformed: string | undefined;
}

export function fillVariables(
  text: string,
  environment: Readonly<Record<string, string | undefined>>,
): Filled {
  const missing: string[] = [];
  let filled = "";
  let variables = 0;
  let malformed: string | undefined;
  let at = 0;
  let whole = false;
  while (at < text.length) {
    if (text.startsWith("$${", at)) {
      filled += "${";
      at += 3;
    } else if (text.startsWith("${", at)) {
      const match = /^\$\{([A-Za-z_][A-Za-z0-9_]*)(?::-([^}\r\n]{0,2000}))?\}/.exec(text.slice(at));
      const name = match?.[1];
      if (!match || name === undefined) {
        malformed ??= text.includes("}", at)
          ? "${…} takes a name of letters, digits and _, and perhaps a default: ${NAME:-default}; for the two signs themselves write $${"
          : UNCLOSED;
        filled += "${";
        at += 2;
        continue;
      }
      variables++;
      whole = match[0].length === text.length;
      const fromEnvironment = environment[name];
      if (fromEnvironment !== undefined && fromEnvironment !== "") filled += fromEnvironment;
      else if (match[2] !== undefined) filled += match[2];
      else missing.push(name);
      at += match[0].length;
    } else {
      filled += text[at];
      at++;
    }
  }
  return { text: filled, fromVariables: variables > 0, whole, missing, malformed };
}

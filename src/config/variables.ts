/**
 * `${VAR}`, `${file:PATH}`, each with `:-default`, and the escape `$${` inside scalars.
 * A new form is a further case of `fillVariables`; characters in it that YAML would misread go into `MASKED`.
 */
import { type FileValue, pathOf } from "./value-files";

/**
 * In `{ api_key: ${KEY} }` YAML takes the variable's braces for its own. So before parsing, these characters inside a
 * variable are each replaced by one private character (positions in the text stay the same), and restored in every scalar afterwards.
 */
const MASKED = "{}[],:#";
const PRIVATE = 0xe000;
const PRIVATE_SIGNS = new RegExp(
  `[${[...MASKED].map((sign) => String.fromCharCode(PRIVATE + sign.charCodeAt(0))).join("")}]`,
  "g",
);

const UNCLOSED = "a ${ without its closing }; for a literal ${ write $${";

/** The position of a `${` without a `}` after it in its line. */
export function unclosedVariables(text: string): { readonly offset: number; readonly message: string }[] {
  const places: { offset: number; message: string }[] = [];
  let start = 0;
  for (const line of text.split("\n")) {
    const at = line.lastIndexOf("${");
    if (at !== -1 && !line.includes("}", at) && !line.slice(0, at).includes("#"))
      places.push({ offset: start + at, message: UNCLOSED });
    start += line.length + 1;
  }
  return places;
}

/** The position of a character that masking needs for itself, or -1. */
export function privateSignIn(text: string): number {
  return text.search(PRIVATE_SIGNS);
}

/** Masks complete variables, and the `${` of malformed ones, so that their scalar can be reported. */
export function maskVariables(text: string): string {
  // YAML would take the last colon of an unquoted `sqlite::memory:` for that of a key.
  return text.replaceAll(
    /sqlite::memory:|\$?\$\{(?:(?:file:[^}\r\n]{1,2000}|[A-Za-z_][A-Za-z0-9_]*(?::-[^}\r\n]{0,2000})?)\})?/g,
    (variable) =>
      variable.replace(/[{}[\],:#]/g, (sign) => String.fromCharCode(PRIVATE + sign.charCodeAt(0))),
  );
}

export function unmaskVariables(text: string): string {
  return text.replace(PRIVATE_SIGNS, (sign) => String.fromCharCode(sign.charCodeAt(0) - PRIVATE));
}

/** The source of values that are not in the routing file itself. */
export interface ValueSources {
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** By the path as written in the routing file. */
  readonly files: ReadonlyMap<string, FileValue>;
}

export interface FilledIn {
  /** The name in messages: `OPENAI_API_KEY`, or `file:/run/secrets/key`. */
  readonly name: string;
  /** The raw value, including blanks at its ends. */
  readonly found: string;
}

export interface Filled {
  readonly text: string;
  /** The values that were filled in: the text may be secret. */
  readonly values: readonly FilledIn[];
  /** Something had to be filled in. */
  readonly fromVariables: boolean;
  /** The text was a single variable, so it may stand for a number. */
  readonly whole: boolean;
  /** Variables that are unset or empty, and files that cannot be read (`file:PATH`), without a default. */
  readonly missing: readonly string[];
  /** What is wrong with a `${` in it. */
  readonly malformed: string | undefined;
}

const NAMED = /^\$\{(?:file:([^}\r\n]{1,2000})|([A-Za-z_][A-Za-z0-9_]*)(?::-([^}\r\n]{0,2000}))?)\}/;

/** Blanks and line breaks at the ends of filled-in values are removed: files end with a line break, and shells leave blanks. */
export function fillVariables(text: string, { environment, files }: ValueSources): Filled {
  const missing: string[] = [];
  const values: FilledIn[] = [];
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
      const match = NAMED.exec(text.slice(at));
      if (!match) {
        malformed ??= text.includes("}", at)
          ? "${…} takes a name of letters, digits and _, or file:PATH, with or without a default: ${NAME:-default}; for a literal ${ write $${"
          : UNCLOSED;
        filled += "${";
        at += 2;
        continue;
      }
      const [written, inner, variable = ""] = match;
      const { path, otherwise } =
        inner === undefined ? { path: undefined, otherwise: match[3] } : pathOf(inner);
      const name = path === undefined ? variable : `file:${path}`;
      variables++;
      whole = written.length === text.length;
      const file = path === undefined ? undefined : files.get(path);
      const found = path === undefined ? environment[variable] : file?.ok ? file.text : undefined;
      const value = found?.trim();
      if (found !== undefined && value !== undefined && value !== "") {
        filled += value;
        values.push({ name, found });
      } else if (otherwise !== undefined) filled += otherwise;
      else missing.push(name);
      at += written.length;
    } else {
      filled += text[at];
      at++;
    }
  }
  return { text: filled, values, fromVariables: variables > 0, whole, missing, malformed };
}

/** What is missing, as the end of a sentence: `A and B are not set; the file /run/secrets/x does not exist`. */
export function lackOf(missing: readonly string[], files: ReadonlyMap<string, FileValue>): string {
  const variables = missing.filter((name) => !name.startsWith("file:"));
  const paths = missing.filter((name) => name.startsWith("file:")).map((name) => name.slice("file:".length));
  const unset =
    variables.length === 0
      ? []
      : [`${variables.join(", ")} ${variables.length === 1 ? "is" : "are"} not set`];
  const unread = paths.map((path) => {
    const file = files.get(path);
    return `the file ${path} ${file === undefined || file.ok ? "is empty" : file.reason}`;
  });
  return [...unset, ...unread].join("; ");
}

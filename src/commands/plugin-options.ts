/**
 * The plugin options of `plugin test`: from the command line (which other users of the machine may see), from a variable, or from
 * a file. A new source of an option is a case of `textsOf`.
 */
import { type ValueError, ValueErrorType } from "@sinclair/typebox/errors";
import { Value } from "@sinclair/typebox/value";
import { expected, SECRET_WORD } from "../config/expected";
import type { Outside } from "../domain/outside";
import type { Provider } from "../plugin";

export interface GivenOptions {
  /** Each as key=value, or key=@file. */
  readonly option?: readonly string[];
  /** Each as key=VARIABLE. */
  readonly optionEnv?: readonly string[];
}

export interface ReadOptions {
  readonly options: Readonly<Record<string, unknown>>;
  /** Secrets, which the plugin may send in headers only. */
  readonly secrets: readonly string[];
  /** Also the values that were not on the command line: they may be secret, whatever their name. */
  readonly unwritten: readonly string[];
}

/** A shorter value may be an ordinary word of a text. */
const SECRET_LENGTH_MIN = 8;

/** @returns a message if an option cannot be read */
export async function readOptions(
  given: GivenOptions,
  { options: schema }: Pick<Provider, "options">,
  outside: Pick<Outside, "environment" | "readFile">,
): Promise<ReadOptions | string> {
  const texts = await textsOf(given, outside);
  if (typeof texts === "string") return texts;
  const values = texts.map(({ name, text }): [string, unknown] => [name, asJson(text) ?? text]);
  const options: Readonly<Record<string, unknown>> = Object(
    Value.Convert(schema, Object.fromEntries(values)),
  );
  const secrets = secretsIn(options, false);
  const hidden = texts.filter(({ isHidden, text }) => isHidden && !isAddress(text)).map(({ text }) => text);
  return { options, secrets, unwritten: [...secrets, ...hidden.filter(isLong)] };
}

/** Describes the problem with an option without its value, which may be secret. */
export function optionProblem({ type, path, schema }: ValueError): string {
  const option = `--option ${path.slice(1)}=…`;
  if (type === ValueErrorType.ObjectAdditionalProperties)
    return `${option}: the plugin does not have this option; it has: ${Object.keys(schema.properties ?? {}).join(", ")}`;
  const about = schema.description === undefined ? "" : ` (${schema.description})`;
  const isMissing = type === ValueErrorType.ObjectRequiredProperty;
  return `${option}${isMissing ? " is missing;" : ":"} expected ${expected(schema)}${about}`;
}

interface Given {
  readonly name: string;
  readonly text: string;
  /** The value was not on the command line. */
  readonly isHidden: boolean;
}

async function textsOf(
  { option = [], optionEnv = [] }: GivenOptions,
  { environment, readFile }: Pick<Outside, "environment" | "readFile">,
): Promise<readonly Given[] | string> {
  const texts: Given[] = [];
  for (const [name, text] of option.map(halves)) {
    if (!text.startsWith("@")) texts.push({ name, text, isHidden: false });
    // A value that starts with @ is written with @@.
    else if (text.startsWith("@@")) texts.push({ name, text: text.slice(1), isHidden: false });
    else {
      const content = await readFile(text.slice(1));
      if (content === undefined) return `--option ${name}: the file ${text.slice(1)} cannot be read.`;
      texts.push({ name, text: content.trim(), isHidden: true });
    }
  }
  for (const [name, variable] of optionEnv.map(halves)) {
    const text = environment[variable];
    if (text === undefined) return `--option-env ${name}: the variable ${variable} is not set.`;
    texts.push({ name, text, isHidden: true });
  }
  return texts;
}

function halves(pair: string): [name: string, text: string] {
  const at = pair.indexOf("=");
  return [pair.slice(0, at), pair.slice(at + 1)];
}

/** A list or an object as JSON; anything else is text, which the schema converts to a number, true or false. */
function asJson(text: string): object | undefined {
  if (!/^[[{]/.test(text)) return undefined;
  try {
    return JSON.parse(text);
  } catch {
    // Text that only starts like JSON: the schema decides.
    return undefined;
  }
}

/** Texts under names of secrets, at any depth. */
function secretsIn(value: unknown, isNamed: boolean): string[] {
  if (typeof value === "string") return isNamed && isLong(value) ? [value] : [];
  if (typeof value !== "object" || value === null) return [];
  return Object.entries(value).flatMap(([name, inner]) =>
    secretsIn(inner, isNamed || SECRET_WORD.test(name)),
  );
}

const isLong = ({ length }: string) => length >= SECRET_LENGTH_MIN;

const isAddress = (text: string) => /^https?:\/\//.test(text) && URL.canParse(text);

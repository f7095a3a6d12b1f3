/**
 * Values that are probably wrong: quotes or blanks around a secret, and variables in the syntax of another tool.
 * Messages name the variable or the key's position, never the value. Another tool's syntax is a row of NOTATIONS.
 */
import type { FilledIn } from "./variables";

/** How other tools write an environment variable. */
const NOTATIONS: readonly RegExp[] = [
  // Kubernetes' `args`.
  /^\$\(([A-Za-z_]\w{0,99})\)$/,
  // LiteLLM's os.environ/NAME, and its Python form.
  /^os\.environ[/.]([A-Za-z_]\w{0,99})$/,
  /^os\.(?:environ|environ\.get|getenv)[[(]["']?([A-Za-z_]\w{0,99})["']?[\])]$/,
  /^process\.env\.([A-Za-z_]\w{0,99})$/,
  /^env(?:ironment)?[:.](?:\/\/)?([A-Za-z_]\w{0,99})$/i,
  // Windows.
  /^%([A-Za-z_]\w{0,99})%$/,
];
/** Shells and Compose. In lower case only if there is such a variable: a password may start with a dollar sign. */
const SHELL = /^\$([A-Za-z_]\w{0,99})$/;
/** Inside other text only unmistakable ones. */
const WITHIN: readonly RegExp[] = [
  /(?<![$\w])\$([A-Z][A-Z0-9_]{2,60})(?![A-Za-z0-9_])/,
  /os\.environ\/([A-Z][A-Z0-9_]{0,60})/,
];

export interface Doubt {
  readonly message: string;
  /** It cannot be intended: the file is refused. */
  readonly isProblem: boolean;
}

/** What is doubtful about a value in the file itself. @param isBlock a YAML block, which always ends with a line break */
export function doubtsOfText(
  text: string,
  environment: Readonly<Record<string, string | undefined>>,
  isBlock: boolean,
): Doubt[] {
  const bare = text.trim();
  const doubts: Doubt[] = [];
  const note = (message: string) => doubts.push({ message, isProblem: false });
  const refuse = (message: string) => [...doubts, { message, isProblem: true }];
  if (bare !== text && !isBlock) note("starts or ends with whitespace, which was removed");
  if (isQuoted(bare)) note("has quotes inside the quotes, which become part of the value; remove one pair");
  const shell = SHELL.exec(bare)?.[1];
  const isShell = shell !== undefined && (shell === shell.toUpperCase() || environment[shell] !== undefined);
  const name = isShell ? shell : nameOf(bare);
  if (name !== undefined) return refuse(`a variable is written \${${name}} here`);
  const file = /^(?:@|file:(?:\/\/)?)(\/[\w./-]{1,1000})$/.exec(bare)?.[1];
  if (file !== undefined) return refuse(`a value from a file is written \${file:${file}} here`);
  const within = firstIn(bare, WITHIN) ?? templateIn(bare)?.name;
  if (within !== undefined)
    note(`is used literally; if you mean the variable ${within}, write \${${within}}`);
  return doubts;
}

/** What is doubtful about a value from a variable or a file. */
export function doubtsOfValue({ name, found }: FilledIn): string[] {
  const isFile = name.startsWith("file:");
  const what = isFile ? `the file ${name.slice("file:".length)}` : `the variable ${name}`;
  const bare = found.trim();
  const doubts: string[] = [];
  // Most programs end a file with a line break.
  if (isFile ? bare.length < withoutLineBreaks(found).length : bare !== found)
    doubts.push(`${what} starts or ends with whitespace, which was removed`);
  if (isQuoted(bare))
    doubts.push(`${what} has quotes around its value, which become part of it; remove them`);
  else if (nameOf(bare) !== undefined || /^\$(?:[A-Z_][A-Z0-9_]{0,99}|\{\w{1,100}\})$/.test(bare))
    doubts.push(`${what} contains the name of another variable or an unfilled template`);
  else if (/[\r\n\t\0]/.test(bare) && !/^(?:-----BEGIN|\{|\[)/.test(bare))
    doubts.push(`${what} contains a line break or a tab`);
  return doubts;
}

/** `{{ NAME }}` without quotes is a mapping in YAML, whose key is a mapping: the parser's own message would not help. */
export function bareTemplates(text: string): { readonly offset: number; readonly message: string }[] {
  const places: { offset: number; message: string }[] = [];
  let start = 0;
  for (const line of text.split("\n")) {
    const found = templateIn(line);
    if (found && !/[#"']/.test(line.slice(0, found.at))) {
      const message = `a variable is written \${${found.name}} here, not in double braces`;
      places.push({ offset: start + found.at, message });
    }
    start += line.length + 1;
  }
  return places;
}

/** The variable, if the text is only another tool's syntax for one. */
function nameOf(text: string): string | undefined {
  const template = templateIn(text);
  if (template && text.endsWith("}}") && (template.at === 0 || (template.at === 1 && text.startsWith("$"))))
    return template.name;
  return firstIn(text, NOTATIONS);
}

/** Placeholders of Helm, Jinja, GitHub Actions and similar tools: `{{ .Values.openai.key | quote }}`. */
function templateIn(text: string): { readonly at: number; readonly name: string } | undefined {
  const at = text.indexOf("{{");
  const end = at === -1 ? -1 : text.indexOf("}}", at);
  if (end === -1) return undefined;
  const [path = ""] = text.slice(at + 2, end).split("|");
  const name = path.replaceAll(/[\s-]/g, "").split(".").at(-1) ?? "";
  return /^[A-Za-z_]\w{0,99}$/.test(name) ? { at, name } : undefined;
}

const isQuoted = (text: string) =>
  text.length > 1 && ["'", '"', "`"].some((quote) => text.startsWith(quote) && text.endsWith(quote));

function withoutLineBreaks(text: string): string {
  let end = text.length;
  while (end > 0 && "\r\n".includes(text.charAt(end - 1))) end -= 1;
  return text.slice(0, end);
}

function firstIn(text: string, notations: readonly RegExp[]): string | undefined {
  for (const notation of notations) {
    const name = notation.exec(text)?.[1];
    if (name !== undefined) return name;
  }
  return undefined;
}

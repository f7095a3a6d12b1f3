/**
 * Removes our credentials from a provider's text before it is logged or answered: providers repeat keys in errors, in full or shortened.
 * A new way in which a provider writes a key is a line of `formsOf` or of SHAPES. A caller can make a provider return a long text, so everything
 * here takes time proportional to the text, and reads only its start.
 */
import type { SendCall } from "../plugin";
import { plainWords } from "./words";

/** Headers and query parameters that contain no secret, and whose values are everyday words. */
const PLAIN_HEADERS = /^(content-type|accept|user-agent|\?((api-)?version|model|region|task))$/i;
const CREDENTIAL_HEADERS = /auth|key|token|secret|cookie/i;
/** Words beside the secret in a credential header's value. */
const SCHEME_WORDS =
  /^(bearer|basic|token|apikey|api-key|aws4-hmac-sha256|credential|signedheaders|signature|content-type|x-amz-[a-z0-9-]+)$/i;
/** Keys that vendors print shortened ("sk-ab***wxyz", "Zx81****") or without their secret half ("AKIA…") still show whose they are. */
const SHAPES: readonly (readonly [pattern: RegExp, isKey: (found: string) => boolean])[] = [
  [/\b(?:sk|pk|eg|key)[-_][\w*.-]{6,}/gi, () => true],
  [/\bBearer [\w*.~+/=-]{6,}/gi, (found) => /[\d*]/.test(found)],
  // Matches whole words first and inspects them then: a pattern with a part before the asterisks would be tried at each letter of a long word.
  [/[\w.*-]+/g, (found) => found.includes("***")],
  [/\bA[KS]IA[A-Z0-9]{12,}/gi, () => true],
];

/** No more of a text, or of a body's bytes, is read. */
export const START_BYTES = 16_384;

const REDACTED = "[redacted]";

/** Everything in a call that may be a secret: its headers, and the query parameters as `?name`. */
export function sentWith({
  url,
  headers,
}: Pick<SendCall, "url" | "headers">): Readonly<Record<string, string>> {
  if (!url.includes("?")) return headers;
  const parameters = [...new URL(url).searchParams].map(
    ([name, value], i) => [`?${name}`, value, i] as const,
  );
  // One name may occur several times.
  return Object.fromEntries([
    ...Object.entries(headers),
    ...parameters.map(([name, value, i]) => [PLAIN_HEADERS.test(name) ? name : `${name}#${i}`, value]),
  ]);
}

/** @returns the start of the text, as much as is ever shown to anybody */
export function withoutSecrets(text: string, headers: Readonly<Record<string, string>>): string {
  let clean = text.slice(0, START_BYTES);
  for (const secret of secretsOf(headers)) {
    clean = withoutCutSecret(clean.replaceAll(secret, REDACTED), secret);
  }
  for (const [pattern, isKey] of SHAPES) {
    clean = clean.replace(pattern, (found) => (isKey(found) ? REDACTED : found));
  }
  return clean;
}

/** The whole text without these secrets, in all forms in which they may be written. */
export function withoutKnown(text: string, secrets: readonly string[]): string {
  let clean = text;
  for (const form of longestFirst(secrets.flatMap(formsOf))) clean = clean.replaceAll(form, REDACTED);
  return clean;
}

/** How many characters of a secret's start distinguish it from other text. */
const SECRET_START = 6;

/** A text that was cut, by us (at its end), by others ("…") or on the way, may end inside a key. */
function withoutCutSecret(text: string, secret: string): string {
  const start = secret.slice(0, SECRET_START);
  let clean = "";
  let told = 0;
  for (let at = text.indexOf(start); at !== -1; at = text.indexOf(start, Math.max(told, at + 1))) {
    let end = at + start.length;
    while (end < text.length && text[end] === secret[end - at]) end += 1;
    if (end < text.length && text[end] !== "…") continue;
    clean += text.slice(told, at) + REDACTED;
    told = end;
  }
  return clean + text.slice(told);
}

/** The start of a body that is not a readable error: a proxy's page, half of a JSON text. */
export function startOf(
  bytes: Uint8Array,
  headers: Readonly<Record<string, string>>,
  charactersMax?: number,
): string {
  // Secrets are removed before the text is shortened: half a key at the cut would not be recognised, nor one that ends in half a character.
  const text = new TextDecoder().decode(bytes.subarray(0, START_BYTES), { stream: true });
  return plainWords(withoutSecrets(text, headers), charactersMax);
}

function secretsOf(headers: Readonly<Record<string, string>>): string[] {
  const values = Object.entries(headers).flatMap(([name, value]) => {
    if (PLAIN_HEADERS.test(name) || CREDENTIAL_HEADERS.test(name)) return [];
    return value.length >= 8 ? [value] : [];
  });
  return longestFirst([...values, ...credentialsOf(headers)].flatMap(formsOf));
}

/** The keys and tokens in the headers, whole and in parts. */
export function credentialsOf(headers: Readonly<Record<string, string>>): string[] {
  return Object.entries(headers).flatMap(([name, value]) => {
    if (PLAIN_HEADERS.test(name) || !CREDENTIAL_HEADERS.test(name)) return [];
    const parts = value.split(/[\s,;=]+/).filter((part) => !SCHEME_WORDS.test(part));
    // Anything shorter is not a key, and may be an ordinary word.
    return [value, ...parts].filter(({ length }) => length >= 6);
  });
}

/** Without repetitions and the longest first, so that a secret inside another leaves nothing of the longer one behind. */
const longestFirst = (secrets: readonly string[]) =>
  [...new Set(secrets)].sort((a, b) => b.length - a.length);

/** The forms of a secret: in JSON, in a URL, and decoded from HTTP Basic authentication. */
function formsOf(secret: string): string[] {
  const json = JSON.stringify(secret).slice(1, -1);
  // Some servers escape more than JSON requires.
  const slashed = json.replaceAll("/", "\\/");
  const coded = ["\\u002B", "\\u002b"].map((code) => json.replaceAll("+", code));
  const inQuery = new URLSearchParams([["", secret]]).toString().slice(1);
  const forms = [secret, json, slashed, ...coded, encodeURIComponent(secret), inQuery];
  const basic = /^Basic ([A-Za-z0-9+/]+=*)$/i.exec(secret)?.[1];
  if (basic !== undefined) {
    const pair = Buffer.from(basic, "base64").toString();
    const password = pair.slice(pair.indexOf(":") + 1);
    forms.push(...[pair, password].filter(({ length }) => length >= 6));
  }
  return forms;
}

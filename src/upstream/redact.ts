/**
 * Takes our credentials out of what a provider says, before anybody is told of it: providers repeat keys in errors, whole or shortened.
 * A new way of writing a key that was seen in a provider's words is a line of `formsOf` or of SHORTENED.
 */

/** Headers that hold no secret, and whose values are everyday words. */
const PLAIN_HEADERS = /^(content-type|accept|user-agent)$/i;
const CREDENTIAL_HEADERS = /auth|key|token|secret|cookie/i;
/** Words beside the secret in a credential header's value. */
const SCHEME_WORDS =
  /^(bearer|basic|token|apikey|api-key|aws4-hmac-sha256|credential|signedheaders|signature|content-type|x-amz-[a-z0-9-]+)$/i;
/** Keys as vendors print them shortened ("sk-ab***wxyz", "Zx81****"), or without their secret half ("AKIA…"), still tell whose they are. */
const SHORTENED =
  /\b(?:sk|pk|eg|key)[-_][\w*.-]{6,}|\bBearer (?=\S*[\d*])[\w*.~+/=-]{6,}|[\w.-]*\*{3,}[\w.*-]*|\bA[KS]IA[A-Z0-9]{12,}/gi;

export function withoutSecrets(text: string, headers: Readonly<Record<string, string>>): string {
  let clean = text;
  for (const secret of secretsOf(headers)) {
    clean = clean.replaceAll(secret, "[redacted]");
    // A text that was cut, by us ("…") or on its way here, may end within a key.
    for (let length = secret.length - 1; length >= 6; length--) {
      const start = secret.slice(0, length);
      clean = clean.replaceAll(`${start}…`, "[redacted]…");
      if (clean.endsWith(start)) clean = `${clean.slice(0, -length)}[redacted]`;
    }
  }
  return clean.replace(SHORTENED, "[redacted]");
}

/** No more of a body is looked at for its start. */
export const START_BYTES = 16_384;

/** The start of a body that nobody could read as the provider's own words: a proxy's page, half a JSON. */
export function startOf(
  bytes: Uint8Array,
  headers: Readonly<Record<string, string>>,
  charactersMax: number,
): string {
  // Cleared before it is cut: half a key at the cut would not be known as one.
  const text = new TextDecoder().decode(bytes.subarray(0, START_BYTES));
  return withoutSecrets(text, headers).replace(/\s+/g, " ").trim().slice(0, charactersMax);
}

/** Longest first, so that a secret within another leaves nothing of the longer one behind. */
function secretsOf(headers: Readonly<Record<string, string>>): string[] {
  const secrets = new Set<string>();
  for (const [name, value] of Object.entries(headers)) {
    if (PLAIN_HEADERS.test(name)) continue;
    const isCredential = CREDENTIAL_HEADERS.test(name);
    const parts = isCredential ? value.split(/[\s,;=]+/).filter((part) => !SCHEME_WORDS.test(part)) : [];
    // Shorter than that it is no key, and a word of any text.
    const lengthMin = isCredential ? 6 : 8;
    for (const secret of [value, ...parts]) {
      if (secret.length >= lengthMin) for (const form of formsOf(secret)) secrets.add(form);
    }
  }
  return [...secrets].sort((a, b) => b.length - a.length);
}

/** A secret as it may stand in JSON, in an address, and unwrapped from HTTP's Basic scheme. */
function formsOf(secret: string): string[] {
  const forms = [secret, JSON.stringify(secret).slice(1, -1), encodeURIComponent(secret)];
  const basic = /^Basic ([A-Za-z0-9+/]+=*)$/i.exec(secret)?.[1];
  if (basic !== undefined) {
    const pair = Buffer.from(basic, "base64").toString();
    const password = pair.slice(pair.indexOf(":") + 1);
    forms.push(...[pair, password].filter(({ length }) => length >= 6));
  }
  return forms;
}

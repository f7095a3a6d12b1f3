/**
 * Certificates and proxies of the routing file: read, checked, and passed on as PEM. The files are watched like the routing file.
 * A new key is in schema-connection.ts.
 */
import { createPrivateKey, X509Certificate } from "node:crypto";
import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import type { CertificateAndKey, ConnectionOptions } from "../domain/connection-options";
import { fileStateNow } from "../machine/file-state";
import { asWritten } from "./expected";
import { below, type Problem } from "./problem";
import type { Tree } from "./tree";

export interface Reading {
  readonly tree: Tree;
  /** Absolute; the folder for relative paths. */
  readonly folder: string;
  readonly problems: Problem[];
  readonly notes: Problem[];
  /** Milliseconds since 1970. */
  readonly now: number;
  /** Each file that is read is added with its absolute path and state. */
  readonly files: Map<string, string>;
}

/** @returns undefined if the section does not mention it, or if something is wrong with it, which is reported */
export function readConnection(
  reading: Reading,
  pointer: string,
  section: object,
): ConnectionOptions | undefined {
  const ca = pemAt(reading, pointer, section, "ca");
  if (ca !== undefined) certificatesIn(reading, below(pointer, "ca"), ca);
  const client = readPair(reading, pointer, section, ["client_cert", "client_key"]);
  const proxy = proxyAt(reading, pointer, section);
  return ca === undefined && client === undefined && proxy === undefined ? undefined : { ca, client, proxy };
}

/** @returns undefined if neither is there, or if something is wrong with it, which is reported */
export function readPair(
  reading: Reading,
  pointer: string,
  section: object,
  [certName, keyName]: readonly [string, string],
): CertificateAndKey | undefined {
  const { tree, problems } = reading;
  const named = [certName, keyName].filter((name) => Object.hasOwn(section, name));
  if (named.length === 1) {
    const [there, missing] = named[0] === certName ? [certName, keyName] : [keyName, certName];
    problems.push(tree.problem(below(pointer, there), `needs ${missing} too`, "key"));
  }
  const cert = pemAt(reading, pointer, section, certName);
  const key = pemAt(reading, pointer, section, keyName);
  if (cert === undefined || key === undefined) return undefined;
  const [first] = certificatesIn(reading, below(pointer, certName), cert);
  if (first === undefined) return undefined;
  const wrong = wrongWithKey(key, first, certName);
  if (wrong === undefined) return { cert, key };
  problems.push(tree.problem(below(pointer, keyName), wrong));
  return undefined;
}

/** Values that do not wait for a variable and are text; the schema has reported everything else. */
function textAt({ tree }: Reading, pointer: string, section: object, name: string): string | undefined {
  const value: unknown = Object.hasOwn(section, name) ? Reflect.get(section, name) : undefined;
  return typeof value === "string" && value !== "" && !tree.missing.has(below(pointer, name))
    ? value
    : undefined;
}

function pemAt(reading: Reading, pointer: string, section: object, name: string): string | undefined {
  const value = textAt(reading, pointer, section, name);
  if (value === undefined || value.includes("-----BEGIN ")) return value;
  const { tree, folder, problems, files } = reading;
  const at = below(pointer, name);
  const path = resolve(folder, value);
  // Watched even if it cannot be read yet: it may appear.
  files.set(path, fileStateNow(path));
  try {
    return readFileSync(path, "utf8");
  } catch (cause) {
    const code = cause instanceof Error && "code" in cause ? String(cause.code) : String(cause);
    const reason = READING_REASONS[code] ?? `it cannot be read (${code})`;
    problems.push(tree.problem(at, `the file ${asWritten(tree, at, value)}: ${reason}`));
    return undefined;
  }
}

const READING_REASONS: Readonly<Record<string, string>> = {
  ENOENT: "there is no such file",
  ENAMETOOLONG: "there is no such file",
  EACCES: "it cannot be read (permission denied): check the file's permissions",
  EISDIR: "it is a folder; name the file in it",
};

/** @returns none if something is wrong with them, which is reported */
function certificatesIn(
  { tree, problems, notes, now }: Reading,
  pointer: string,
  pem: string,
): readonly X509Certificate[] {
  const found =
    pem.match(/-----BEGIN (?:TRUSTED )?CERTIFICATE-----[^-]*-----END (?:TRUSTED )?CERTIFICATE-----/g) ?? [];
  if (found.length === 0) {
    problems.push(tree.problem(pointer, "contains no PEM certificate (-----BEGIN CERTIFICATE-----)"));
    return [];
  }
  try {
    const certificates = found.map((one) => new X509Certificate(one));
    for (const { subject, validFrom, validTo } of certificates) {
      const name = subject.replaceAll("\n", ", ");
      if (Date.parse(validTo) < now)
        notes.push(tree.problem(pointer, `the certificate of ${name} expired on ${validTo}: renew it`));
      if (Date.parse(validFrom) > now)
        notes.push(tree.problem(pointer, `the certificate of ${name} is not valid before ${validFrom}`));
    }
    return certificates;
  } catch {
    problems.push(tree.problem(pointer, "contains a certificate that cannot be read; is the file complete?"));
    return [];
  }
}

/** A message that does not show the value. */
function wrongWithKey(pem: string, certificate: X509Certificate, certName: string): string | undefined {
  if (!/-----BEGIN [A-Z ]*PRIVATE KEY-----/.test(pem))
    return "contains no PEM private key (-----BEGIN PRIVATE KEY-----)";
  if (/ENCRYPTED/.test(pem))
    return "is encrypted with a passphrase; decrypt it: openssl pkey -in KEY -out PLAIN_KEY";
  try {
    return certificate.checkPrivateKey(createPrivateKey(pem))
      ? undefined
      : `is not the private key of ${certName}: use the key of that certificate`;
  } catch {
    return "contains a private key that cannot be read; is the file complete?";
  }
}

/** Never shown: it may contain a password. */
function proxyAt(reading: Reading, pointer: string, section: object): string | undefined {
  const proxy = textAt(reading, pointer, section, "proxy");
  if (proxy === undefined) return undefined;
  const url = URL.canParse(proxy) ? new URL(proxy) : undefined;
  if (url !== undefined && ["http:", "https:"].includes(url.protocol) && url.hostname !== "") return proxy;
  const { tree, problems } = reading;
  problems.push(tree.problem(below(pointer, "proxy"), "expected a proxy URL: http://HOST:PORT"));
  return undefined;
}

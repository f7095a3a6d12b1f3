/**
 * A token issuer for tests of `auth.jwt`: its keys, what it publishes on the fake network, and tokens of any shape.
 * It signs with node's own crypto, not with the library that the gateway uses for checking.
 */
import { constants, createHmac, generateKeyPairSync, type KeyObject, sign } from "node:crypto";
import { STARTED_AT } from "../fake-outside";

export const JWKS_URL = "https://issuer.example/jwks.json";

export type Algorithm = "RS256" | "PS256" | "ES256" | "ES384" | "EdDSA";

export interface SigningKey {
  readonly kid: string;
  readonly algorithm: Algorithm;
  readonly privateKey: KeyObject;
  readonly pem: string;
  readonly jwk: Readonly<Record<string, unknown>>;
}

export function makeKey(kid: string, algorithm: Algorithm = "ES256"): SigningKey {
  const { privateKey, publicKey } = pairFor(algorithm);
  const pem = publicKey.export({ type: "spki", format: "pem" }).toString();
  return {
    kid,
    algorithm,
    privateKey,
    pem,
    jwk: { ...publicKey.export({ format: "jwk" }), kid, use: "sig" },
  };
}

function pairFor(algorithm: Algorithm): { privateKey: KeyObject; publicKey: KeyObject } {
  if (algorithm === "EdDSA") return generateKeyPairSync("ed25519");
  if (algorithm === "ES256") return generateKeyPairSync("ec", { namedCurve: "P-256" });
  if (algorithm === "ES384") return generateKeyPairSync("ec", { namedCurve: "P-384" });
  return generateKeyPairSync("rsa", { modulusLength: 2048 });
}

export interface Making {
  readonly claims?: Readonly<Record<string, unknown>>;
  readonly header?: Readonly<Record<string, unknown>>;
}

/** Valid for an hour from the fake clock's start, for the workspace "team", unless the test says otherwise: undefined omits a claim. */
export function tokenBy(key: SigningKey, { claims = {}, header = {} }: Making = {}): string {
  const head = { alg: key.algorithm, kid: key.kid, typ: "JWT", ...header };
  const signed = `${encoded(head)}.${encoded({ ...GOOD, ...claims })}`;
  return `${signed}.${signatureOf(signed, key).toString("base64url")}`;
}

/** The classic attack: the public key, which anybody has, as the secret of a symmetric algorithm. */
export function tokenByPublicKey(key: SigningKey, secret: string): string {
  const signed = `${encoded({ alg: "HS256", kid: key.kid, typ: "JWT" })}.${encoded(GOOD)}`;
  return `${signed}.${createHmac("sha256", secret).update(signed).digest("base64url")}`;
}

export function unsignedToken(alg: string): string {
  return `${encoded({ alg, typ: "JWT" })}.${encoded(GOOD)}.`;
}

const NOW_S = STARTED_AT / 1000;
const GOOD = { workspace: "team", sub: "ann", exp: NOW_S + 3600 };

const encoded = (value: unknown) => Buffer.from(JSON.stringify(value)).toString("base64url");

function signatureOf(signed: string, { algorithm, privateKey: key }: SigningKey): Buffer {
  const data = Buffer.from(signed);
  switch (algorithm) {
    case "EdDSA":
      return sign(null, data, key);
    case "ES256":
      return sign("sha256", data, { key, dsaEncoding: "ieee-p1363" });
    case "ES384":
      return sign("sha384", data, { key, dsaEncoding: "ieee-p1363" });
    case "PS256":
      return sign("sha256", data, {
        key,
        padding: constants.RSA_PKCS1_PSS_PADDING,
        saltLength: constants.RSA_PSS_SALTLEN_DIGEST,
      });
    case "RS256":
      return sign("sha256", data, key);
  }
}

/** The fake network with the issuer's URL on it; `answer` may be changed at any time. */
export interface FakeIssuer {
  readonly calls: readonly RequestInit[];
  answer: (init: RequestInit) => Promise<Response> | Response;
  readonly fetch: (url: string, init: RequestInit) => Promise<Response>;
}

export function fakeIssuer(keys: readonly SigningKey[]): FakeIssuer {
  const calls: RequestInit[] = [];
  const issuer: FakeIssuer = {
    calls,
    answer: () => publishing(keys),
    async fetch(url, init) {
      if (url !== JWKS_URL) throw new Error(`No network in this test: ${url}`);
      calls.push(init);
      return issuer.answer(init);
    },
  };
  return issuer;
}

export const publishing = (keys: readonly SigningKey[]) =>
  Response.json({ keys: keys.map(({ jwk }) => jwk) });

/**
 * The public key that `auth.jwt` may name instead of a URL: read from PEM, with the algorithms that it supports.
 * A new kind of key is a line in `algorithmsOf`. Secret algorithms (HS256 and similar) are never supported: a public key is not a secret.
 */
import { createPublicKey, type KeyObject } from "node:crypto";

export interface PublicKey {
  readonly key: KeyObject;
  /** As JWTs name them (RFC 7518, RFC 8037). */
  readonly algorithms: readonly string[];
}

/** Shorter ones can be broken; RFC 7518 (3.3) refuses them too. */
const RSA_BITS_MIN = 2048;

/** @returns what is wrong with it if it is invalid, as a message that does not show it */
export function readPublicKey(text: string): PublicKey | string {
  // In an environment variable line breaks are often written as \n.
  const pem = text.replaceAll("\\n", "\n");
  if (!pem.includes("-----BEGIN PUBLIC KEY-----"))
    return "expected a public key in PEM, starting with -----BEGIN PUBLIC KEY-----";
  let key: KeyObject;
  try {
    key = createPublicKey(pem);
  } catch {
    return "this PEM does not hold a public key that can be read";
  }
  const bits = key.asymmetricKeyDetails?.modulusLength;
  if (bits !== undefined && bits < RSA_BITS_MIN)
    return `an RSA key of ${bits} bits is too short; expected ${RSA_BITS_MIN} or more`;
  const algorithms = algorithmsOf(key);
  return algorithms === undefined
    ? "no JWT is signed with a key of this kind; expected RSA, EC (P-256, P-384, P-521) or Ed25519"
    : { key, algorithms };
}

function algorithmsOf({ asymmetricKeyType, asymmetricKeyDetails }: KeyObject): readonly string[] | undefined {
  switch (asymmetricKeyType) {
    case "rsa":
      return ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512"];
    case "ed25519":
      return ["EdDSA", "Ed25519"];
    case "ec":
      return CURVES[asymmetricKeyDetails?.namedCurve ?? ""];
    default:
      return undefined;
  }
}

const CURVES: Readonly<Record<string, readonly string[]>> = {
  prime256v1: ["ES256"],
  secp384r1: ["ES384"],
  secp521r1: ["ES512"],
};

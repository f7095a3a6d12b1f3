/**
 * JWTs of an external issuer (`auth.jwt`): checks signature, algorithm, issuer, audience and times, and reads the workspace from a claim.
 * An error names what is wrong with a token, and never contains the token. A new check is a line in `verify`.
 */
import { errors, type JWTPayload, type JWTVerifyGetKey, type JWTVerifyOptions, jwtVerify } from "jose";
import type { ConfiguredJwt } from "../config/gateway-config";
import { readPublicKey } from "../config/public-key";
import { JwtSection } from "../config/schema-auth";
import { GatewayError } from "../domain/errors";
import type { Outside } from "../domain/outside";
import type { Caller } from "../domain/request";
import { connecting } from "../network/connecting";
import { openJwks } from "./jwks";
import { checkName } from "./keys";

export interface Tokens {
  /** @throws GatewayError wrong_key, or unavailable if the issuer's keys cannot be fetched */
  verify(token: string): Promise<Caller>;
}

/** Never a secret algorithm: if a public key were accepted as HS256's secret, anybody who has read it could sign. Never `none`. */
const ALGORITHMS = [
  ...["RS256", "RS384", "RS512", "PS256", "PS384", "PS512"],
  ...["ES256", "ES384", "ES512", "EdDSA", "Ed25519"],
];

/** The clocks of well-kept machines differ by less. */
const TOLERANCE_S = 5;

/** Three parts, the first of them JSON with an `alg`. The gateway's own keys contain no dots. */
export function looksLikeToken(bearer: string): boolean {
  const [, header] = /^([\w-]+)\.[\w-]*\.[\w-]*$/.exec(bearer) ?? [];
  if (header === undefined) return false;
  try {
    const parsed: unknown = JSON.parse(
      new TextDecoder().decode(Uint8Array.fromBase64(header, { alphabet: "base64url" })),
    );
    return typeof parsed === "object" && parsed !== null && "alg" in parsed && typeof parsed.alg === "string";
  } catch {
    return false;
  }
}

export function openTokens(
  section: ConfiguredJwt,
  outside: Pick<Outside, "now" | "fetch" | "monotonic" | "sleep" | "log">,
): Tokens {
  const { find, algorithms } = keysOf(section, outside);
  const { issuer, audience, workspace_claim = JwtSection.properties.workspace_claim.default } = section;

  return {
    async verify(token) {
      const options: JWTVerifyOptions = {
        ...(issuer === undefined ? {} : { issuer }),
        ...(audience === undefined ? {} : { audience }),
        algorithms: [...algorithms],
        clockTolerance: TOLERANCE_S,
        currentDate: new Date(outside.now()),
        // A token cannot be revoked, so a token that never expires would be a key that nobody can revoke.
        requiredClaims: ["exp"],
      };
      const payload = await payloadOf(token, find, options).catch((thrown: unknown) => {
        throw refusal(thrown);
      });
      return { workspace: workspaceOf(payload, workspace_claim), keyId: keyIdOf(payload) };
    },
  };
}

function keysOf(
  { jwks_url, public_key = "", connection }: ConfiguredJwt,
  outside: Pick<Outside, "fetch" | "monotonic" | "sleep" | "log">,
): { find: JWTVerifyGetKey; algorithms: readonly string[] } {
  if (jwks_url !== undefined)
    return {
      find: openJwks(jwks_url, { ...outside, fetch: connecting(outside.fetch, connection) }),
      algorithms: ALGORITHMS,
    };
  const known = readPublicKey(public_key);
  // The routing file's check guarantees this.
  if (typeof known === "string") throw new GatewayError("internal", `auth.jwt.public_key: ${known}`);
  return { find: async () => known.key, algorithms: known.algorithms };
}

/** @throws whatever jose throws */
async function payloadOf(
  token: string,
  find: JWTVerifyGetKey,
  options: JWTVerifyOptions,
): Promise<JWTPayload> {
  try {
    return (await jwtVerify(token, find, options)).payload;
  } catch (thrown) {
    if (!(thrown instanceof errors.JWKSMultipleMatchingKeys)) throw thrown;
    // The token names no key, and the issuer has several: one of them must have signed it.
    for await (const key of thrown) {
      try {
        return (await jwtVerify(token, key, options)).payload;
      } catch (inner) {
        if (!(inner instanceof errors.JWSSignatureVerificationFailed)) throw inner;
      }
    }
    throw new errors.JWSSignatureVerificationFailed();
  }
}

function refusal(thrown: unknown): GatewayError {
  if (thrown instanceof GatewayError) return thrown;
  return new GatewayError("wrong_key", `${reasonOf(thrown)} Get a new token from its issuer.`, {
    cause: thrown,
  });
}

function reasonOf(thrown: unknown): string {
  if (thrown instanceof errors.JWTExpired) return "The token has expired.";
  if (thrown instanceof errors.JWTClaimValidationFailed) {
    const told = CLAIMS[thrown.claim];
    if (told === undefined) return "A claim of the token is invalid.";
    return thrown.reason === "missing" ? told.missing : told.wrong;
  }
  if (thrown instanceof errors.JOSEAlgNotAllowed)
    return "The token is signed with an algorithm that the gateway does not accept.";
  if (thrown instanceof errors.JWKSNoMatchingKey)
    return "The token is signed with a key that is not in its issuer's key set.";
  if (thrown instanceof errors.JWSSignatureVerificationFailed) return "The token's signature is invalid.";
  return "The token cannot be read, or its signature cannot be verified.";
}

const CLAIMS: Readonly<Record<string, { readonly missing: string; readonly wrong: string }>> = {
  exp: {
    missing: "The token has no expiry time (exp).",
    wrong: "The token's expiry time (exp) is not a number.",
  },
  nbf: {
    missing: "The token has no start time (nbf).",
    wrong: "The token is not valid yet (nbf).",
  },
  iss: {
    missing: "The token has no issuer (iss).",
    wrong: "The token's issuer (iss) is not the one that the gateway accepts (auth.jwt.issuer).",
  },
  aud: {
    missing: "The token has no audience (aud).",
    wrong: "The token's audience (aud) is not this gateway's (auth.jwt.audience).",
  },
};

function workspaceOf(payload: JWTPayload, claim: string | readonly string[]): string {
  const found = claimAt(payload, claim);
  // Groups and roles are lists: a list with one entry is as clear as text, several entries are ambiguous.
  const name: unknown = Array.isArray(found) && found.length === 1 ? found[0] : found;
  const called = typeof claim === "string" ? claim : claim.join(".");
  try {
    if (typeof name === "string") {
      checkName("workspace", name);
      return name;
    }
  } catch (cause) {
    throw new GatewayError(
      "wrong_key",
      `The token's claim '${called}' is not a valid workspace name: 1 to 200 printable characters, no space at the ends, and not the gateway's own.`,
      { cause },
    );
  }
  const isSeveral = Array.isArray(name) && name.length > 1;
  throw new GatewayError(
    "wrong_key",
    isSeveral
      ? `The token's claim '${called}' is a list of ${name.length}: it must name one workspace.`
      : `The token has no claim '${called}' that names a workspace, as text.`,
  );
}

/** A claim with this exact name takes precedence over a path: issuers call theirs `https://example.com/workspace`. */
function claimAt(payload: JWTPayload, claim: string | readonly string[]): unknown {
  if (typeof claim === "string" && Object.hasOwn(payload, claim)) return payload[claim];
  const steps =
    typeof claim !== "string" ? claim : claim.startsWith("/") ? pointerSteps(claim) : claim.split(".");
  let value: unknown = payload;
  for (const step of steps) {
    if (typeof value !== "object" || value === null || !Object.hasOwn(value, step)) return undefined;
    value = Reflect.get(value, step);
  }
  return value;
}

/** RFC 6901. */
const pointerSteps = (pointer: string) =>
  pointer
    .slice(1)
    .split("/")
    .map((step) => step.replaceAll("~1", "/").replaceAll("~0", "~"));

/** The subject, for the ledger: the issuer's name for the caller, if it can be printed. */
function keyIdOf({ sub }: JWTPayload): string {
  return typeof sub === "string" && /^[^\p{C}]{1,200}$/u.test(sub) ? `jwt:${sub}` : "jwt";
}

/**
 * Google's issuers of access tokens: its token endpoint, which checks signature and claims of an assertion as Google does, and the metadata
 * server of its machines. Sources: developers.google.com/identity/protocols/oauth2/service-account, google-auth-library 10.9.1, gcp-metadata 8.1.2.
 */
import { generateKeyPairSync, verify } from "node:crypto";
import { PROJECT } from "./vertex";

const pair = generateKeyPairSync("rsa", { modulusLength: 2048 });
const EMAIL = "gateway@shop-4711.iam.gserviceaccount.com";
const KEY_ID = "4f1c0e9d8b7a";
const LIFE_SECONDS = 3599;

export const SERVICE_ACCOUNT = {
  type: "service_account",
  project_id: PROJECT,
  private_key_id: KEY_ID,
  private_key: pair.privateKey.export({ type: "pkcs8", format: "pem" }).toString(),
  client_email: EMAIL,
  client_id: "1010",
  auth_uri: "https://accounts.google.com/o/oauth2/auth",
  token_uri: "https://oauth2.googleapis.com/token",
  universe_domain: "googleapis.com",
};

export const PERSON = {
  type: "authorized_user",
  client_id: "764086051850-fake.apps.googleusercontent.com",
  client_secret: "d-FL95Q19q7MQmFpd7hHD0Ty",
  refresh_token: "1//0gFakeRefreshToken-kq7Rr2Lx4Zc9Vb1Nm3",
  quota_project_id: "payer-1",
};

export interface TokenGiver {
  readonly fetch: (url: string, init: RequestInit) => Promise<Response>;
  isToken(token: string): boolean;
  /** Google takes none of the issued tokens. */
  revoke(): void;
  /** The requests, in order: the endpoint's grant, or the metadata server's path. */
  readonly asked: readonly string[];
  /** The claims and the header of each assertion. */
  readonly assertions: readonly unknown[];
}

/** @param now of the clock that assertions are judged by, in milliseconds */
export function tokenGiver(now: () => number): TokenGiver {
  const given = new Map<string, number>();
  const asked: string[] = [];
  const assertions: unknown[] = [];

  function give(): Response {
    const token = `ya29.c.fake-token-number-${given.size + 1}-kq7Rr2Lx4Zc9`;
    given.set(token, now() + LIFE_SECONDS * 1000);
    return Response.json({ access_token: token, expires_in: LIFE_SECONDS, token_type: "Bearer" });
  }

  function byAssertion(assertion: string): Response {
    const [head = "", claims = "", signature = ""] = assertion.split(".");
    const isSigned = verify(
      "RSA-SHA256",
      Buffer.from(`${head}.${claims}`),
      pair.publicKey,
      Buffer.from(signature, "base64url"),
    );
    if (!isSigned) return refused("invalid_grant", `Invalid JWT Signature. ${assertion}`);
    const header = decoded(head);
    const said = decoded(claims);
    assertions.push({ header, claims: said });
    const seconds = now() / 1000;
    const { iss, aud, scope, iat, exp } = said;
    if (header.alg !== "RS256" || (header.kid !== undefined && header.kid !== KEY_ID))
      return refused("invalid_grant", "Invalid JWT: No valid verifier found for issuer.");
    if (iss !== EMAIL) return refused("invalid_grant", "Invalid grant: account not found");
    if (aud !== SERVICE_ACCOUNT.token_uri) return refused("invalid_grant", "Invalid JWT: Audience");
    const isShort = Number(iat) <= seconds && Number(exp) > seconds && Number(exp) - Number(iat) <= 3600;
    if (!isShort) {
      return refused(
        "invalid_grant",
        "Invalid JWT: Token must be a short-lived token (60 minutes) and in a reasonable timeframe.",
      );
    }
    if (scope !== "https://www.googleapis.com/auth/cloud-platform")
      return refused("invalid_scope", "Invalid OAuth scope or ID token audience provided.");
    return give();
  }

  function exchange(init: RequestInit): Response {
    const type = new Headers(init.headers).get("content-type") ?? "";
    const form = new URLSearchParams(String(init.body));
    if (init.method !== "POST" || !type.startsWith("application/x-www-form-urlencoded"))
      return refused("invalid_request", "Could not parse the body.");
    const grant = form.get("grant_type") ?? "";
    asked.push(grant);
    if (grant === "urn:ietf:params:oauth:grant-type:jwt-bearer")
      return byAssertion(form.get("assertion") ?? "");
    if (grant !== "refresh_token") return refused("unsupported_grant_type", `Invalid grant_type: ${grant}`);
    const { client_id, client_secret, refresh_token } = PERSON;
    const isRight =
      form.get("client_id") === client_id &&
      form.get("client_secret") === client_secret &&
      form.get("refresh_token") === refresh_token;
    return isRight ? give() : refused("invalid_grant", "Token has been expired or revoked.");
  }

  function metadata(url: URL, init: RequestInit): Response {
    asked.push(url.pathname);
    const headers = { "metadata-flavor": "Google" };
    if (new Headers(init.headers).get("metadata-flavor") !== "Google")
      return new Response("Missing Metadata-Flavor:Google header.", { status: 403, headers });
    if (url.pathname === "/computeMetadata/v1/instance/service-accounts/default/token") return give();
    if (url.pathname === "/computeMetadata/v1/project/project-id") return new Response(PROJECT, { headers });
    return new Response("Not Found", { status: 404, headers });
  }

  return {
    async fetch(address, init) {
      const url = new URL(address);
      if (address === SERVICE_ACCOUNT.token_uri) return exchange(init);
      if (url.host === "metadata.google.internal") return metadata(url, init);
      throw new Error(`Nobody of Google's is at ${address}`);
    },
    isToken: (token) => (given.get(token) ?? 0) > now(),
    revoke: () => {
      for (const token of given.keys()) given.set(token, 0);
    },
    asked,
    assertions,
  };
}

const refused = (error: string, error_description: string) =>
  Response.json({ error, error_description }, { status: 400 });

function decoded(part: string): Readonly<Record<string, unknown>> {
  const value: unknown = JSON.parse(Buffer.from(part, "base64url").toString());
  return Object(value);
}

/**
 * Access tokens for Google Cloud, from the places where Google's tools look, in the same order: the routing file, GOOGLE_APPLICATION_CREDENTIALS,
 * the file of `gcloud auth application-default login`, the machine's metadata server. A new source is a line of `find`.
 * Sources: cloud.google.com/docs/authentication/application-default-credentials, google-auth-library 10.9.1.
 */
import { importPKCS8, SignJWT } from "jose";
import type { Explanation, Host, Posted } from "../src/plugin";
import { renewed } from "./renewed";
import { unlessOver, within } from "./within";

export interface Given {
  readonly access_token?: string;
  /** A key file's JSON, or the path to one. */
  readonly credentials?: string;
}

export interface Access {
  readonly token: string;
  /** The project that the credentials belong to, where they name one. */
  readonly project?: string | undefined;
  /** The project that is billed for calls with a person's own credentials. */
  readonly quotaProject?: string | undefined;
}

export interface AccessSource {
  /** @throws failure unauthorized if there are no credentials, unavailable if nothing answers */
  current(signal: AbortSignal): Promise<Access>;
  /** Google refused the token: the next call fetches a new one. */
  forget(): void;
}

interface Found extends Access {
  /** From this time on a new token is fetched, while the old one still works. */
  readonly freshUntil: number;
  readonly expiresAt: number;
}

const SCOPE = "https://www.googleapis.com/auth/cloud-platform";
const TOKEN_URL = "https://oauth2.googleapis.com/token";
/** The longest lifetime of an assertion that Google accepts. */
const ASSERTION_SECONDS = 3600;
/** A token is no longer used this long before it expires. */
const EARLY_MS = 2 * 60_000;
const TOKEN_TIMEOUT_MS = 10_000;
/** Outside Google's cloud nothing answers at this address, not even with an error. */
const METADATA_TIMEOUT_MS = 2_000;
const LATE = "Google did not answer with an access token in time.";

export function accessSource(host: Host, given: Given): AccessSource {
  const source = renewed(host, () => find(host, given));
  return {
    // All waiting callers share one fetch, and no caller's abort ends it for the others.
    current: (signal) => unlessOver(source.current(), signal),
    forget: source.forget,
  };
}

async function find(host: Host, { access_token, credentials }: Given): Promise<Found> {
  const never = Number.POSITIVE_INFINITY;
  if (access_token !== undefined) return { token: access_token, freshUntil: never, expiresAt: never };
  const named = credentials ?? host.variable("GOOGLE_APPLICATION_CREDENTIALS");
  if (named !== undefined) {
    if (named.trimStart().startsWith("{")) return byKeyFile(host, named);
    const text = await host.readFile(named);
    if (text === undefined) throw none(host, "the credentials file cannot be read");
    return byKeyFile(host, text);
  }
  const folder = host.variable("APPDATA") ?? `${host.variable("HOME") ?? ""}/.config`;
  const written = await host.readFile(`${folder}/gcloud/application_default_credentials.json`);
  return written === undefined ? byMetadata(host) : byKeyFile(host, written);
}

const none = (host: Host, what: string) =>
  host.failure(
    "unauthorized",
    `No Google credentials: ${what}. Set access_token or credentials, or the variable GOOGLE_APPLICATION_CREDENTIALS.`,
  );

async function byKeyFile(host: Host, text: string): Promise<Found> {
  const { t } = host;
  const needed = t.String({ minLength: 1 });
  const optional = t.Optional(t.String());
  const ServiceAccount = t.Object({
    type: t.Literal("service_account"),
    client_email: needed,
    private_key: needed,
    private_key_id: optional,
    token_uri: optional,
    project_id: optional,
  });
  const Person = t.Object({
    type: t.Literal("authorized_user"),
    client_id: needed,
    client_secret: needed,
    refresh_token: needed,
    quota_project_id: optional,
  });
  const key = keyOf(host, t.Union([ServiceAccount, Person]), text);
  if (key.type === "authorized_user") {
    const { client_id, client_secret, refresh_token, quota_project_id: quotaProject } = key;
    const form = { grant_type: "refresh_token", client_id, client_secret, refresh_token };
    return { ...(await exchanged(host, TOKEN_URL, form)), quotaProject };
  }
  const url = key.token_uri ?? TOKEN_URL;
  const assertion = await signed(host, key, url);
  const form = { grant_type: "urn:ietf:params:oauth:grant-type:jwt-bearer", assertion };
  return { ...(await exchanged(host, url, form)), project: key.project_id };
}

/** The check's own message is left out, because it quotes the value. */
function keyOf<Schema extends Parameters<Host["read"]>[0]>(host: Host, schema: Schema, text: string) {
  try {
    return host.read(schema, new TextEncoder().encode(text));
  } catch {
    throw none(host, "they are neither a service account's JSON nor a user's");
  }
}

interface ServiceAccountKey {
  readonly client_email: string;
  readonly private_key: string;
  readonly private_key_id?: string;
}

async function signed(host: Host, key: ServiceAccountKey, audience: string): Promise<string> {
  const now = Math.floor(host.now() / 1000);
  const { private_key_id: kid } = key;
  try {
    return await new SignJWT({ scope: SCOPE })
      .setProtectedHeader({ alg: "RS256", typ: "JWT", ...(kid && { kid }) })
      .setIssuer(key.client_email)
      .setAudience(audience)
      .setIssuedAt(now)
      .setExpirationTime(now + ASSERTION_SECONDS)
      .sign(await importPKCS8(key.private_key, "RS256"));
  } catch {
    throw none(host, "the service account's private_key is not PKCS #8");
  }
}

async function exchanged(host: Host, url: string, form: Readonly<Record<string, string>>): Promise<Found> {
  const headers = { "content-type": "application/x-www-form-urlencoded" };
  const body = new URLSearchParams(form).toString();
  const explain = (refusal: Posted) => refusedToken(host, refusal);
  return within(host, TOKEN_TIMEOUT_MS, LATE, async (signal) =>
    tokenIn(host, await host.send({ method: "POST", url, headers, body, signal, explain })),
  );
}

/** Reports the error code only: a description may repeat the request, all of which is secret. */
function refusedToken(host: Host, { status, bytes }: Posted): Explanation {
  const { t } = host;
  const fault = status >= 500 || status === 429 ? {} : { kind: "unauthorized" as const };
  let code = "";
  try {
    ({ error: code } = host.read(t.Object({ error: t.String({ pattern: "^[a-z_]{1,40}$" }) }), bytes));
  } catch {
    // Another envelope, or an HTML page.
  }
  return { ...fault, message: `no access token for the Google credentials (${code || "no reason given"})` };
}

async function byMetadata(host: Host): Promise<Found> {
  const name = host.variable("GCE_METADATA_HOST") ?? "metadata.google.internal";
  const base = `http://${name}/computeMetadata/v1`;
  const headers = { "metadata-flavor": "Google" };
  try {
    return await within(host, METADATA_TIMEOUT_MS, LATE, async (signal) => {
      const ask = (path: string) => host.send({ method: "GET", url: `${base}/${path}`, headers, signal });
      const found = tokenIn(host, await ask("instance/service-accounts/default/token"));
      const project = new TextDecoder().decode((await ask("project/project-id")).bytes).trim();
      return { ...found, project };
    });
  } catch {
    throw none(host, "none are set, and no Google metadata server answers here");
  }
}

function tokenIn(host: Host, { bytes }: Posted): Found {
  const { t } = host;
  const Token = t.Object({ access_token: t.String({ minLength: 1 }), expires_in: t.Number({ minimum: 1 }) });
  let token: { access_token: string; expires_in: number };
  try {
    token = host.read(Token, bytes);
  } catch {
    throw host.failure("malformed", "Google's answer has no access token.");
  }
  const expiresAt = host.now() + token.expires_in * 1000;
  return { token: token.access_token, freshUntil: expiresAt - EARLY_MS, expiresAt };
}

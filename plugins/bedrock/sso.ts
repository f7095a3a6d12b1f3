/**
 * Credentials of IAM Identity Center, from the token that `aws sso login` stores in ~/.aws/sso/cache. A token that is about to expire is renewed by
 * its refresh token, if it has one; the file itself is never written. Sources: @aws-sdk/credential-provider-sso, @aws-sdk/token-providers.
 */
import type { Host } from "../../src/plugin";
import { within } from "../within";
import { ending, endpointOf, type Found, homeOf, none } from "./keys";
import type { Profiles, Section } from "./profiles";

export const isOfSso = (profile: Section) =>
  profile.has("sso_session") || profile.has("sso_start_url") || profile.has("sso_account_id");

export type SsoTokens = (host: Host, profile: Section, profiles: Profiles) => Promise<Found>;

interface Token {
  readonly accessToken: string;
  readonly expiresAt: number;
}

/** A token is renewed this long before it expires. */
const EARLY_MS = 5 * 60_000;
const TIMEOUT_MS = 10_000;
const LATE = "AWS's IAM Identity Center did not answer in time.";

/** Remembers renewed tokens, by the name or address of the session. */
export function ssoTokens(): SsoTokens {
  const renewed = new Map<string, Token>();
  return async (host, profile, profiles) => {
    const named = profile.get("sso_session");
    const session = named === undefined ? profile : profiles.sessions.get(named);
    const region = session?.get("sso_region");
    const id = named ?? profile.get("sso_start_url");
    const account = profile.get("sso_account_id");
    const role = profile.get("sso_role_name");
    if (id === undefined || region === undefined || account === undefined || role === undefined)
      throw none(host, "the profile's sso_session, sso_region, sso_account_id or sso_role_name is missing");
    const token = await tokenOf(host, id, region, renewed);
    return roleKeys(host, region, { account, role, token });
  };
}

async function tokenOf(host: Host, id: string, region: string, renewed: Map<string, Token>): Promise<string> {
  const { t } = host;
  const Cached = t.Object({
    accessToken: t.String({ minLength: 1 }),
    expiresAt: t.String(),
    clientId: t.Optional(t.String()),
    clientSecret: t.Optional(t.String()),
    refreshToken: t.Optional(t.String()),
  });
  const text = await host.readFile(`${homeOf(host)}/.aws/sso/cache/${await sha1(id)}.json`);
  const login = (what: string) => none(host, `${what}; run 'aws sso login' for the profile`);
  if (text === undefined) throw login("not logged in to IAM Identity Center");
  const cached = readSecret(host, Cached, new TextEncoder().encode(text));
  if (cached === undefined) throw login("the IAM Identity Center token cannot be read");
  const kept = { accessToken: cached.accessToken, expiresAt: Date.parse(cached.expiresAt) || 0 };
  const own = renewed.get(id);
  const latest = own && own.expiresAt > kept.expiresAt ? own : kept;
  if (latest.expiresAt - host.now() > EARLY_MS) return latest.accessToken;
  const { clientId, clientSecret, refreshToken } = cached;
  if (clientId !== undefined && clientSecret !== undefined && refreshToken !== undefined) {
    const next = await renew(host, region, { clientId, clientSecret, refreshToken }).catch(() => undefined);
    if (next) {
      renewed.set(id, next);
      return next.accessToken;
    }
  }
  if (latest.expiresAt > host.now()) return latest.accessToken;
  throw login("the IAM Identity Center login has expired");
}

async function renew(host: Host, region: string, by: Readonly<Record<string, string>>): Promise<Token> {
  const { t } = host;
  const Given = t.Object({ accessToken: t.String({ minLength: 1 }), expiresIn: t.Number({ minimum: 1 }) });
  const url = `${endpointOf(host, "oidc", "SSO_OIDC", region)}/token`;
  const body = JSON.stringify({ ...by, grantType: "refresh_token" });
  const headers = { "content-type": "application/json" };
  const reply = await within(host, TIMEOUT_MS, LATE, (signal) =>
    host.send({ method: "POST", url, headers, body, signal }),
  );
  const { accessToken, expiresIn } = host.read(Given, reply.bytes);
  return { accessToken, expiresAt: host.now() + expiresIn * 1000 };
}

async function roleKeys(
  host: Host,
  region: string,
  { account, role, token }: { account: string; role: string; token: string },
): Promise<Found> {
  const { t } = host;
  const Keys = t.Object({
    roleCredentials: t.Object({
      accessKeyId: t.String({ minLength: 1 }),
      secretAccessKey: t.String({ minLength: 1 }),
      sessionToken: t.String({ minLength: 1 }),
      expiration: t.Number(),
    }),
  });
  const query = new URLSearchParams({ role_name: role, account_id: account });
  const url = `${endpointOf(host, "portal.sso", "SSO", region)}/federation/credentials?${query}`;
  const headers = { "x-amz-sso_bearer_token": token };
  const refused = `IAM Identity Center returned none for the role ${role} of the account ${account}`;
  const explain = ({ status }: { readonly status: number }) =>
    status >= 500 || status === 429
      ? { message: refused }
      : { kind: "unauthorized" as const, message: refused };
  const reply = await within(host, TIMEOUT_MS, LATE, (signal) =>
    host.send({ method: "GET", url, headers, signal, explain }),
  );
  const given = readSecret(host, Keys, reply.bytes);
  if (given === undefined) throw none(host, refused);
  const { expiration, ...credentials } = given.roleCredentials;
  return ending(credentials, expiration);
}

/** The check's own message is left out, because it quotes the value. */
function readSecret<Schema extends Parameters<Host["read"]>[0]>(
  host: Host,
  schema: Schema,
  bytes: Uint8Array,
) {
  try {
    return host.read(schema, bytes);
  } catch {
    return undefined;
  }
}

/** AWS's tools name a token's file by this hash; it protects no secret. */
async function sha1(text: string): Promise<string> {
  return new Uint8Array(await crypto.subtle.digest("SHA-1", new TextEncoder().encode(text))).toHex();
}

/**
 * Access tokens of Microsoft Entra ID for Azure OpenAI, renewed before they expire: a managed identity (App Service, Container Apps, machines),
 * a workload identity (AKS, or another issuer's token in a file), or an application's client secret. A new way is a row of WAYS.
 * Sources: @azure/msal-node 5.6.0 (ManagedIdentitySources), @azure/identity's WorkloadIdentityCredential,
 * learn.microsoft.com/entra/identity-platform/v2-oauth2-client-creds-grant-flow.
 */
import type { Explanation, Host, Posted } from "../src/plugin";
import { withoutSlash } from "./base-url";
import { renewed } from "./renewed";
import { unlessOver, within } from "./within";

export interface GivenIdentity {
  readonly identity?: Way;
  readonly tenant_id?: string;
  readonly client_id?: string;
  readonly client_secret?: string;
  readonly federated_token_file?: string;
  readonly authority?: string;
  readonly scope?: string;
}

export type Way = "managed_identity" | "workload_identity" | "client_secret";

export interface TokenSource {
  /** @throws failure unauthorized if there is none, unavailable if nothing answers */
  current(signal: AbortSignal): Promise<string>;
  /** Azure refused the token: the next call to `current` fetches a new one. */
  forget(): void;
}

interface Found {
  readonly token: string;
  readonly freshUntil: number;
  readonly expiresAt: number;
}

const SCOPE = "https://cognitiveservices.azure.com/.default";
const AUTHORITY = "https://login.microsoftonline.com";
/** A new token is fetched this long before the old one expires. */
const EARLY_MS = 2 * 60_000;
/** A managed identity's service returns the same token until shortly before it expires, so it is not asked on each request. */
const AGAIN_MS = 30_000;
const TIMEOUT_MS = 10_000;
/** Outside Azure nothing answers at this address, not even with an error. */
const METADATA_TIMEOUT_MS = 3_000;

export function identityOptions({ t }: Pick<Host, "t">) {
  const optional = (description: string) => t.Optional(t.String({ minLength: 1, description }));
  return {
    identity: t.Optional(
      t.Union([t.Literal("managed_identity"), t.Literal("workload_identity"), t.Literal("client_secret")], {
        description:
          "The Entra ID identity whose tokens are sent and renewed. Default, without api_key and ad_token: from AZURE_CLIENT_SECRET, AZURE_FEDERATED_TOKEN_FILE or IDENTITY_ENDPOINT.",
      }),
    ),
    tenant_id: optional("For client_secret and workload_identity. Default: AZURE_TENANT_ID."),
    client_id: optional(
      "Client id of the application or of a user-assigned managed identity. Default: AZURE_CLIENT_ID, else the machine's own identity.",
    ),
    client_secret: optional("Client secret of the application. Default: AZURE_CLIENT_SECRET."),
    federated_token_file: optional(
      "File with the workload's token, read again at each renewal. Default: AZURE_FEDERATED_TOKEN_FILE.",
    ),
    authority: optional(`Default: AZURE_AUTHORITY_HOST, else ${AUTHORITY}; national clouds have their own.`),
    scope: optional(`Scope of the tokens. Default: ${SCOPE}.`),
  };
}

/** @returns undefined if neither the routing file nor the environment names an identity */
export function tokenSource(host: Host, given: GivenIdentity): TokenSource | undefined {
  const way = given.identity ?? wayOf(host, given);
  if (way === undefined) return undefined;
  const source = renewed(host, () => WAYS[way](host, given));
  return {
    // All waiting callers share one fetch, and no caller's abort ends it for the others.
    current: async (signal) => (await unlessOver(source.current(), signal)).token,
    forget: source.forget,
  };
}

function wayOf(host: Host, { client_secret, federated_token_file }: GivenIdentity): Way | undefined {
  if (client_secret !== undefined) return "client_secret";
  if (federated_token_file !== undefined) return "workload_identity";
  if (host.variable("AZURE_CLIENT_SECRET") !== undefined) return "client_secret";
  if (host.variable("AZURE_FEDERATED_TOKEN_FILE") !== undefined) return "workload_identity";
  return host.variable("IDENTITY_ENDPOINT") === undefined ? undefined : "managed_identity";
}

const WAYS: Readonly<Record<Way, (host: Host, given: GivenIdentity) => Promise<Found>>> = {
  client_secret(host, given) {
    const client_secret = given.client_secret ?? host.variable("AZURE_CLIENT_SECRET");
    if (client_secret === undefined) return Promise.reject(none(host, "client_secret is missing"));
    return byApplication(host, given, { client_secret });
  },
  async workload_identity(host, given) {
    const file = given.federated_token_file ?? host.variable("AZURE_FEDERATED_TOKEN_FILE");
    if (file === undefined) throw none(host, "federated_token_file is missing");
    const assertion = (await host.readFile(file))?.trim();
    if (!assertion) throw none(host, `the workload's token ${file} cannot be read`);
    return byApplication(host, given, {
      client_assertion_type: "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
      client_assertion: assertion,
    });
  },
  managed_identity: byMachine,
};

const none = (host: Host, what: string, cause?: unknown) =>
  host.failure("unauthorized", `No Entra ID token: ${what}.`, { cause });

async function byApplication(
  host: Host,
  given: GivenIdentity,
  proof: Readonly<Record<string, string>>,
): Promise<Found> {
  const tenant = given.tenant_id ?? host.variable("AZURE_TENANT_ID");
  const client = given.client_id ?? host.variable("AZURE_CLIENT_ID");
  if (tenant === undefined || client === undefined)
    throw none(host, "tenant_id and client_id are needed (or AZURE_TENANT_ID and AZURE_CLIENT_ID)");
  const authority = given.authority ?? host.variable("AZURE_AUTHORITY_HOST") ?? AUTHORITY;
  const url = `${withoutSlash(authority)}/${encodeURIComponent(tenant)}/oauth2/v2.0/token`;
  const form = { client_id: client, scope: given.scope ?? SCOPE, grant_type: "client_credentials", ...proof };
  const headers = { "content-type": "application/x-www-form-urlencoded" };
  const body = new URLSearchParams(form).toString();
  const explain = (refusal: Posted) => refused(host, refusal);
  const late = "Entra ID did not send a token in time.";
  return within(host, TIMEOUT_MS, late, async (signal) =>
    tokenIn(host, await host.send({ method: "POST", url, headers, body, signal, explain })),
  );
}

async function byMachine(host: Host, given: GivenIdentity): Promise<Found> {
  const endpoint = host.variable("IDENTITY_ENDPOINT");
  const secret = host.variable("IDENTITY_HEADER");
  const resource = (given.scope ?? SCOPE).replace(/\/\.default$/, "");
  const client = given.client_id ?? host.variable("AZURE_CLIENT_ID");
  const isPlatform = endpoint !== undefined && secret !== undefined;
  const machine = host.variable("AZURE_POD_IDENTITY_AUTHORITY_HOST") ?? "http://169.254.169.254";
  const query = new URLSearchParams({
    "api-version": isPlatform ? "2019-08-01" : "2018-02-01",
    resource,
    ...(client !== undefined && { client_id: client }),
  });
  const url = isPlatform ? `${endpoint}?${query}` : `${machine}/metadata/identity/oauth2/token?${query}`;
  const headers: Record<string, string> = isPlatform ? { "x-identity-header": secret } : { metadata: "true" };
  const explain = (refusal: Posted) => refused(host, refusal);
  let hasAnswered = false;
  try {
    return await within(
      host,
      METADATA_TIMEOUT_MS,
      "No managed identity endpoint answers on this machine.",
      async (signal) => {
        const noted = (refusal: Posted) => {
          hasAnswered = true;
          return explain(refusal);
        };
        return tokenIn(host, await host.send({ method: "GET", url, headers, signal, explain: noted }));
      },
    );
  } catch (cause) {
    if (hasAnswered) throw cause;
    throw none(host, "no managed identity endpoint answers on this machine", cause);
  }
}

/** Reports the error codes only: a description names tenants, applications and addresses. A managed identity's 404 and 410 are temporary. */
function refused(host: Host, { status, bytes }: Posted): Explanation {
  const { t } = host;
  const isPassing = status >= 500 || [404, 410, 429].includes(status);
  let code = "no reason given";
  try {
    const said = host.read(
      t.Object({
        error: t.String({ pattern: "^[A-Za-z_]{1,60}$" }),
        error_description: t.Optional(t.String()),
      }),
      bytes,
    );
    const number = /^AADSTS\d{4,9}/.exec(said.error_description ?? "")?.[0];
    code = number === undefined ? said.error : `${said.error}, ${number}`;
  } catch {
    // Another envelope, or an HTML page.
  }
  return {
    kind: isPassing ? "unavailable" : "unauthorized",
    message: `no Entra ID token for Azure OpenAI (${code})`,
  };
}

function tokenIn(host: Host, { bytes }: Posted): Found {
  const { t } = host;
  // Entra ID gives the seconds as a number, a managed identity's service as text, and App Service only gives the time of expiry.
  const count = t.Union([t.Number(), t.String()]);
  const Token = t.Object({
    access_token: t.String({ minLength: 1 }),
    expires_in: t.Optional(count),
    expires_on: t.Optional(count),
  });
  let said: { access_token: string; expires_in?: string | number; expires_on?: string | number };
  try {
    said = host.read(Token, bytes);
  } catch {
    // The check's own message is left out, because it quotes the value.
    throw host.failure("malformed", "Entra ID's answer has no access token.");
  }
  const now = host.now();
  const seconds = Number(said.expires_in ?? Number.NaN);
  const until = said.expires_on ?? "";
  const expiresAt =
    seconds > 0
      ? now + seconds * 1000
      : Number(until) > 0
        ? Number(until) * 1000
        : Date.parse(String(until)) || now;
  return {
    token: said.access_token,
    freshUntil: Math.min(expiresAt, Math.max(expiresAt - EARLY_MS, now + AGAIN_MS)),
    expiresAt,
  };
}

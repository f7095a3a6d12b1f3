/**
 * Microsoft's issuers of access tokens, as strict as Microsoft: Entra ID's token endpoint, the identity endpoint of App Service and Container
 * Apps, the metadata service of machines. Sources: learn.microsoft.com/entra/identity-platform/v2-oauth2-client-creds-grant-flow,
 * …/azure/app-service/overview-managed-identity (2019-08-01), …/entra/identity/managed-identities-azure-resources/how-to-use-vm-token.
 */

export const TENANT = "11111111-aaaa-4bbb-8ccc-222222222222";
export const CLIENT = "33333333-dddd-4eee-8fff-444444444444";
export const SECRET = "fake~8Q~client-secret-kq7Rr2Lx4Zc9Vb1Nm3";
export const WORKLOAD_TOKEN = "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJhcGkifQ.d29ya2xvYWQ";
export const IDENTITY_HEADER = "853b9a84-5bfa-4b22-a3f3-0b9a43d9ad8a";
const RESOURCE = "https://cognitiveservices.azure.com";
const LIFE_SECONDS = 3599;

export interface Entra {
  readonly fetch: (url: string, init: RequestInit) => Promise<Response>;
  isToken(token: string): boolean;
  /** Azure takes none of the issued tokens. */
  revoke(): void;
  /** The requests, in order: a host and path. */
  readonly asked: readonly string[];
  /** Nothing answers. */
  isDown: boolean;
}

/** @param now in milliseconds */
export function entra(now: () => number): Entra {
  const given = new Map<string, number>();
  const asked: string[] = [];

  function next(): string {
    const token = `eyJ0eXAiOiJKV1Qi.fake-entra-token-${given.size + 1}.kq7Rr2Lx4Zc9`;
    given.set(token, now() + LIFE_SECONDS * 1000);
    return token;
  }

  function endpoint(url: URL, init: RequestInit): Response {
    const headers = new Headers(init.headers);
    const form = Object.fromEntries(new URLSearchParams(String(init.body)));
    const { client_id, client_secret, client_assertion, client_assertion_type, scope, grant_type } = form;
    if (init.method !== "POST" || headers.get("content-type") !== "application/x-www-form-urlencoded")
      return refused(400, "invalid_request", "AADSTS900144: The request body must be a form.");
    if (url.pathname !== `/${TENANT}/oauth2/v2.0/token`)
      return refused(400, "invalid_request", `AADSTS90002: Tenant ${url.pathname} not found.`);
    if (grant_type !== "client_credentials" || scope !== `${RESOURCE}/.default`)
      return refused(400, "invalid_scope", "AADSTS1002012: The provided value for scope is not valid.");
    if (client_id !== CLIENT)
      return refused(400, "unauthorized_client", `AADSTS700016: Application ${client_id} was not found.`);
    const isAssertion = client_assertion_type === "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
    const isRight =
      client_secret === undefined
        ? isAssertion && client_assertion === WORKLOAD_TOKEN
        : client_secret === SECRET;
    if (!isRight)
      return refused(
        401,
        "invalid_client",
        `AADSTS7000215: Invalid client secret provided: ${client_secret}`,
      );
    return Response.json({
      token_type: "Bearer",
      expires_in: LIFE_SECONDS,
      ext_expires_in: LIFE_SECONDS,
      access_token: next(),
    });
  }

  function platform(url: URL, init: RequestInit): Response {
    const { "api-version": version, resource, client_id } = Object.fromEntries(url.searchParams);
    if (init.method !== "GET" || new Headers(init.headers).get("x-identity-header") !== IDENTITY_HEADER)
      return new Response("", { status: 401 });
    if (version !== "2019-08-01" || resource !== RESOURCE) return new Response("", { status: 400 });
    if (client_id !== undefined && client_id !== CLIENT)
      return Response.json({ statusCode: 400, message: "No User Assigned Identity found" }, { status: 400 });
    const access_token = next();
    const expires_on = String(Math.floor(now() / 1000) + LIFE_SECONDS);
    return Response.json({ access_token, expires_on, resource, token_type: "Bearer", client_id: CLIENT });
  }

  function machine(url: URL, init: RequestInit): Response {
    const { "api-version": version, resource, client_id } = Object.fromEntries(url.searchParams);
    if (init.method !== "GET" || new Headers(init.headers).get("metadata") !== "true")
      return refused(400, "invalid_request", "Required metadata header not specified");
    if (version !== "2018-02-01" || resource !== RESOURCE)
      return refused(400, "bad_request_102", "Required audience parameter not specified");
    if (client_id !== undefined && client_id !== CLIENT)
      return refused(400, "invalid_request", "Identity not found");
    const expires_on = String(Math.floor(now() / 1000) + LIFE_SECONDS);
    return Response.json({
      access_token: next(),
      client_id: CLIENT,
      expires_in: String(LIFE_SECONDS),
      expires_on,
      not_before: "1",
      resource,
      token_type: "Bearer",
    });
  }

  const giver: Entra = {
    asked,
    isDown: false,
    isToken: (token) => (given.get(token) ?? 0) > now(),
    revoke: () => given.clear(),
    async fetch(address, init) {
      const url = new URL(address);
      asked.push(url.host + url.pathname);
      if (giver.isDown) throw new TypeError("no route to host");
      if (url.origin === "https://login.microsoftonline.com") return endpoint(url, init);
      if (url.origin === "http://127.0.0.1:41741") return platform(url, init);
      if (url.origin === "http://169.254.169.254" && url.pathname === "/metadata/identity/oauth2/token")
        return machine(url, init);
      throw new TypeError("no route to host");
    },
  };
  return giver;
}

const refused = (status: number, error: string, error_description: string) =>
  Response.json({ error, error_description }, { status });

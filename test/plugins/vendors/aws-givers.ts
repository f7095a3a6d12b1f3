/**
 * AWS's issuers of credentials, as strict as AWS: its Security Token Service (AssumeRole, AssumeRoleWithWebIdentity), IAM Identity Center
 * (GetRoleCredentials, and its tokens' renewal), a container's address. Sources: docs.aws.amazon.com/STS/latest/APIReference,
 * @aws-sdk/credential-provider-http, @aws-sdk/credential-provider-sso and @aws-sdk/token-providers of @aws-sdk/client-bedrock-runtime 3.1163.0.
 */
import { ROLE_KEYS, wrongSignature } from "./bedrock-signature";

export const ROLE = "arn:aws:iam::123456789012:role/embedder";
export const EXTERNAL_ID = "shop-4711";
export const WEB_TOKEN = "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJzeXN0ZW06c2VydmljZWFjY291bnQifQ.c2lnbmF0dXJl";
export const CONTAINER_TOKEN = "eyJ0eXAiOiJKV1QifQ.container-token.kq7Rr2Lx4Zc9";
export const SSO = {
  account: "123456789012",
  role: "Embedder",
  token: "aoaAAAAAGFakeSsoAccessToken-kq7Rr2Lx4Zc9Vb1Nm3",
  renewedToken: "aoaAAAAAGFakeRenewedToken-kq7Rr2Lx4Zc9Vb1Nm3",
  clientId: "fake-client-id",
  clientSecret: "fake-client-secret-kq7Rr2Lx4Zc9",
  refreshToken: "aorAAAAAGFakeRefreshToken-kq7Rr2Lx4Zc9",
};

export interface Givers {
  readonly fetch: (url: string, init: RequestInit) => Promise<Response>;
  /** The requests, in order: an action, or a host and path. */
  readonly asked: string[];
  /** If set, every request gets this status, like from a service that is down. */
  fails: number | undefined;
}

/** @param region of all services @param now in milliseconds; what is given lasts an hour from then */
export function awsGivers(region: string, now: () => number): Givers {
  const asked: string[] = [];
  const expiration = () => new Date(now() + 3_600_000);

  async function sts(url: string, init: RequestInit): Promise<Response> {
    const headers = new Headers(init.headers);
    const text = String(init.body);
    const form = new URLSearchParams(text);
    const action = form.get("Action") ?? "";
    asked.push(action);
    if (
      init.method !== "POST" ||
      !/^application\/x-www-form-urlencoded/.test(headers.get("content-type") ?? "")
    )
      return refused(400, "MalformedInput");
    if (form.get("Version") !== "2011-06-15") return refused(400, "InvalidAction");
    const known = ["Action", "Version", "RoleArn", "RoleSessionName", "DurationSeconds"];
    const own = action === "AssumeRole" ? ["ExternalId"] : ["WebIdentityToken"];
    if ([...form.keys()].some((name) => ![...known, ...own].includes(name)))
      return refused(400, "ValidationError");
    if (!/^[\w+=,.@-]{2,64}$/.test(form.get("RoleSessionName") ?? "")) return refused(400, "ValidationError");
    const seconds = Number(form.get("DurationSeconds") ?? 3600);
    if (!(seconds >= 900 && seconds <= 43_200)) return refused(400, "ValidationError");
    if (action === "AssumeRole") {
      const wrong = await wrongSignature(url, "POST", headers, text, region, "sts");
      if (wrong) return refused(403, "SignatureDoesNotMatch");
      if (form.get("RoleArn") !== ROLE || form.get("ExternalId") !== EXTERNAL_ID)
        return refused(403, "AccessDenied");
      return given("AssumeRole", expiration());
    }
    if (action !== "AssumeRoleWithWebIdentity") return refused(400, "InvalidAction");
    if (headers.has("authorization")) return refused(400, "InvalidClientTokenId");
    if (form.get("WebIdentityToken") !== WEB_TOKEN) return refused(400, "InvalidIdentityToken");
    return form.get("RoleArn") === ROLE ? given(action, expiration()) : refused(403, "AccessDenied");
  }

  function portal(url: URL, init: RequestInit): Response {
    const token = new Headers(init.headers).get("x-amz-sso_bearer_token") ?? "";
    const isKnown = [SSO.token, SSO.renewedToken].includes(token);
    if (init.method !== "GET" || !isKnown)
      return Response.json({ message: `Session token ${token} not found or invalid` }, { status: 401 });
    const { role_name, account_id } = Object.fromEntries(url.searchParams);
    if (role_name !== SSO.role || account_id !== SSO.account)
      return Response.json({ message: "No access" }, { status: 403 });
    return Response.json({ roleCredentials: { ...ROLE_KEYS, expiration: expiration().getTime() } });
  }

  function oidc(init: RequestInit): Response {
    const { clientId, clientSecret, refreshToken, grantType, ...others } = JSON.parse(String(init.body));
    const isRight =
      init.method === "POST" &&
      new Headers(init.headers).get("content-type") === "application/json" &&
      [clientId, clientSecret, refreshToken].join() ===
        [SSO.clientId, SSO.clientSecret, SSO.refreshToken].join() &&
      grantType === "refresh_token" &&
      Object.keys(others).length === 0;
    if (!isRight) return Response.json({ error: "invalid_grant" }, { status: 400 });
    return Response.json({ accessToken: SSO.renewedToken, expiresIn: 3600, tokenType: "Bearer" });
  }

  function container(init: RequestInit): Response {
    if (init.method !== "GET") return new Response("", { status: 405 });
    if (new Headers(init.headers).get("authorization") !== CONTAINER_TOKEN)
      return Response.json({ Code: "AccessDenied", Message: "" }, { status: 401 });
    return Response.json({
      AccessKeyId: ROLE_KEYS.accessKeyId,
      SecretAccessKey: ROLE_KEYS.secretAccessKey,
      Token: ROLE_KEYS.sessionToken,
      Expiration: expiration().toISOString(),
      RoleArn: ROLE,
    });
  }

  const givers: Givers = {
    asked,
    fails: undefined,
    async fetch(address, init) {
      const url = new URL(address);
      if (givers.fails !== undefined) return new Response("", { status: givers.fails });
      if (url.origin === `https://sts.${region}.amazonaws.com` && url.pathname === "/")
        return sts(address, init);
      asked.push(url.hostname + url.pathname);
      if (
        url.origin === `https://portal.sso.${region}.amazonaws.com` &&
        url.pathname === "/federation/credentials"
      )
        return portal(url, init);
      if (url.origin === `https://oidc.${region}.amazonaws.com` && url.pathname === "/token")
        return oidc(init);
      return container(init);
    },
  };
  return givers;
}

function given(action: string, until: Date): Response {
  const { accessKeyId, secretAccessKey, sessionToken } = ROLE_KEYS;
  const xml = `<${action}Response xmlns="https://sts.amazonaws.com/doc/2011-06-15/">
  <${action}Result>
    <AssumedRoleUser><Arn>arn:aws:sts::123456789012:assumed-role/embedder/x</Arn></AssumedRoleUser>
    <Credentials>
      <AccessKeyId>${accessKeyId}</AccessKeyId>
      <SecretAccessKey>${secretAccessKey}</SecretAccessKey>
      <SessionToken>${sessionToken}</SessionToken>
      <Expiration>${until.toISOString()}</Expiration>
    </Credentials>
  </${action}Result>
</${action}Response>`;
  return new Response(xml, { headers: { "content-type": "text/xml" } });
}

/** AWS's message repeats who asked. */
function refused(status: number, code: string): Response {
  const xml = `<ErrorResponse><Error><Type>Sender</Type><Code>${code}</Code><Message>User: arn:aws:iam::1:user/x ${WEB_TOKEN}</Message></Error></ErrorResponse>`;
  return new Response(xml, { status, headers: { "content-type": "text/xml" } });
}

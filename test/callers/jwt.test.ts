/**
 * JWTs: which are accepted, and that each refusal says why without repeating the token.
 * jwks.test.ts has the issuer's keys.
 */
import { Database } from "bun:sqlite";
import { describe, expect, test } from "bun:test";
import { join } from "node:path";
import { fakeOutside, STARTED_AT } from "../fake-outside";
import { FAKE_YAML, type OpenGateway, openGateway } from "../gateway";
import {
  type Algorithm,
  fakeIssuer,
  JWKS_URL,
  makeKey,
  type SigningKey,
  tokenBy,
  tokenByPublicKey,
  unsignedToken,
} from "./issuer";

const KEY = makeKey("one");
const NOW_S = STARTED_AT / 1000;
const body = { model: "fake", input: "hello" };
const bearer = (token: string) => ({ authorization: `Bearer ${token}` });

const yamlWith = (jwt: Readonly<Record<string, unknown>>) =>
  `${FAKE_YAML}\nauth: ${JSON.stringify({ jwt: { create_workspaces: true, ...jwt } })}\n`;

/** With a static key, since most of this file is not about fetching keys. */
function opened(jwt: Readonly<Record<string, unknown>> = {}, key = KEY): Promise<OpenGateway> {
  return openGateway({
    readsFile: true,
    yaml: yamlWith({ public_key: key.pem, ...jwt }),
    outside: fakeOutside().outside,
  });
}

function rowsOf(open: OpenGateway): unknown[] {
  const database = new Database(join(open.folder, "data/embedgate.db"), { readonly: true });
  const rows = database.query("SELECT workspace, key_id, status FROM ledger ORDER BY rowid").all();
  database.close();
  return rows;
}

describe("a good token", () => {
  test("is answered, in the workspace that it names and with a ledger row for its subject", async () => {
    await using open = await opened();
    expect((await open.post(body, bearer(tokenBy(KEY)))).status).toBe(200);
    expect(rowsOf(open)).toEqual([{ workspace: "team", key_id: "jwt:ann", status: 200 }]);
  });

  test("creates its workspace at the first request, with the settings of new workspaces", async () => {
    const yaml = `${yamlWith({ public_key: KEY.pem })}workspace_defaults: { credits: 2.5 }\n`;
    await using open = await openGateway({ readsFile: true, yaml, outside: fakeOutside().outside });
    const headers = bearer(tokenBy(KEY));
    expect((await open.send("/v1/models", { headers })).status).toBe(200);
    expect((await open.send("/v1/models", { headers })).status).toBe(200);
    expect(await open.gateway.workspaces.list()).toMatchObject([{ name: "team", micro_credits: 2_500_000n }]);
    expect(await open.gateway.workspaces.grants("team")).toHaveLength(1);
  });

  test("of a workspace that does not exist is refused unless the routing file creates it", async () => {
    await using open = await opened({ create_workspaces: false });
    const refused = await open.post(body, bearer(tokenBy(KEY)));
    expect(refused.status).toBe(403);
    expect(refused.text).toContain("which does not exist here");
    expect(await open.gateway.workspaces.list()).toEqual([]);
    await open.gateway.workspaces.create("team", {}, undefined);
    expect((await open.post(body, bearer(tokenBy(KEY)))).status).toBe(200);
  });

  test("creates no workspace with a name that nobody could type", async () => {
    await using open = await opened();
    const odd = tokenBy(KEY, { claims: { workspace: "a/b c" } });
    expect((await open.post(body, bearer(odd))).status).toBe(400);
    expect(await open.gateway.workspaces.list()).toEqual([]);
  });

  test("may be in the header that Azure's SDK sends", async () => {
    await using open = await opened();
    expect((await open.post(body, { "api-key": tokenBy(KEY) })).status).toBe(200);
  });

  test("does not make anybody an admin", async () => {
    await using open = await opened();
    expect((await open.send("/metrics", { headers: bearer(tokenBy(KEY)) })).status).toBe(401);
  });

  const ALGORITHMS: readonly Algorithm[] = ["RS256", "PS256", "ES256", "ES384", "EdDSA"];
  test.each(ALGORITHMS.map((algorithm) => [algorithm] as const))(
    "may be signed by %s, with the key given or published",
    async (algorithm) => {
      const key = makeKey("k", algorithm);
      await using given = await opened({}, key);
      expect((await given.post(body, bearer(tokenBy(key)))).status).toBe(200);
      const { fetch } = fakeIssuer([makeKey("other"), key]);
      await using published = await openGateway({
        readsFile: true,
        yaml: yamlWith({ jwks_url: JWKS_URL }),
        outside: fakeOutside({ fetch }).outside,
      });
      expect((await published.post(body, bearer(tokenBy(key)))).status).toBe(200);
    },
  );

  test("may name its workspace in another claim", async () => {
    await using open = await opened({ workspace_claim: "https://us.example/tenant" });
    const claims = { workspace: undefined, "https://us.example/tenant": "acme", sub: undefined };
    expect((await open.post(body, bearer(tokenBy(KEY, { claims })))).status).toBe(200);
    expect(rowsOf(open)).toMatchObject([{ workspace: "acme", key_id: "jwt" }]);
  });

  const nested = { org: { id: 7, workspaces: ["acme"], "a/b": "acme" }, groups: ["acme"] };
  test.each<[string | readonly string[], object]>([
    ["groups", nested],
    ["groups.0", nested],
    ["org.workspaces", nested],
    ["/org/workspaces/0", nested],
    ["/org/a~1b", nested],
    [["org", "workspaces"], nested],
    [["https://us.example/app", "workspace"], { "https://us.example/app": { workspace: "acme" } }],
    [["groups"], nested],
    ["a.b", { "a.b": "acme", a: { b: "other" } }],
  ])("may name its workspace by a path or in a list of one: %p", async (workspace_claim, claims) => {
    await using open = await opened({ workspace_claim });
    const token = tokenBy(KEY, { claims: { workspace: undefined, ...claims } });
    expect((await open.post(body, bearer(token))).status).toBe(200);
    expect(rowsOf(open)).toMatchObject([{ workspace: "acme" }]);
  });

  test("works beside keys, which continue to work", async () => {
    await using open = await opened();
    const { key } = await open.gateway.keys.create("ci", "keyed");
    expect((await open.post(body, bearer(key))).status).toBe(200);
    expect((await open.post(body, bearer(tokenBy(KEY)))).status).toBe(200);
    expect((await open.post(body)).status).toBe(401);
    expect((await open.post(body, bearer("eg-wrong"))).status).toBe(401);
    expect(rowsOf(open)).toMatchObject([{ workspace: "keyed" }, { workspace: "team" }]);
  });
});

/** What the error says about a token, which must not contain the token. */
async function refused(
  token: string,
  jwt: Readonly<Record<string, unknown>> = {},
  key: SigningKey = KEY,
): Promise<string> {
  await using open = await opened(jwt, key);
  const sent = await open.post(body, bearer(token));
  expect(sent.status).toBe(401);
  expect(sent.headers.get("www-authenticate")).toBe("Bearer");
  for (const part of token.split(".").filter((text) => text.length > 0))
    expect(sent.text).not.toContain(part);
  expect(rowsOf(open)).toEqual([]);
  expect(await open.gateway.workspaces.list()).toEqual([]);
  return String(Object(sent.json).error?.message);
}

describe("a token is refused, with the reason, when", () => {
  test("it has expired, with a few seconds allowed for clock differences", async () => {
    const ending = (exp: unknown) => tokenBy(KEY, { claims: { exp } });
    expect(await refused(ending(NOW_S - 5))).toContain("expired");
    await using open = await opened();
    expect((await open.post(body, bearer(ending(NOW_S - 4)))).status).toBe(200);
  });

  test("it expires while the gateway runs", async () => {
    const { outside, advance } = fakeOutside();
    await using open = await openGateway({
      readsFile: true,
      yaml: yamlWith({ public_key: KEY.pem }),
      outside,
    });
    const headers = bearer(tokenBy(KEY));
    expect((await open.post(body, headers)).status).toBe(200);
    await advance(3_600_000 + 5_000);
    expect((await open.post(body, headers)).status).toBe(401);
  });

  test("it never expires, because it could not be revoked", async () => {
    expect(await refused(tokenBy(KEY, { claims: { exp: undefined } }))).toContain("exp");
    expect(await refused(tokenBy(KEY, { claims: { exp: "tomorrow" } }))).toContain("exp");
  });

  test("it is not valid yet", async () => {
    expect(await refused(tokenBy(KEY, { claims: { nbf: NOW_S + 60 } }))).toContain("nbf");
  });

  test("its issuer is another, or missing", async () => {
    const jwt = { issuer: "https://issuer.example/" };
    expect(await refused(tokenBy(KEY, { claims: { iss: "https://issuer.example" } }), jwt)).toContain("iss");
    expect(await refused(tokenBy(KEY), jwt)).toContain("has no issuer");
    await using open = await opened(jwt);
    const good = tokenBy(KEY, { claims: { iss: "https://issuer.example/" } });
    expect((await open.post(body, bearer(good))).status).toBe(200);
  });

  test("it is for another audience, or for none", async () => {
    const jwt = { audience: "embedgate-prod" };
    expect(await refused(tokenBy(KEY, { claims: { aud: ["billing", "mail"] } }), jwt)).toContain("aud");
    expect(await refused(tokenBy(KEY), jwt)).toContain("has no audience");
    await using open = await opened(jwt);
    const good = tokenBy(KEY, { claims: { aud: ["mail", "embedgate-prod"] } });
    expect((await open.post(body, bearer(good))).status).toBe(200);
  });

  test("it is not signed, however that is spelled", async () => {
    for (const alg of ["none", "None", "NONE"])
      expect(await refused(unsignedToken(alg))).toContain("algorithm");
  });

  test("it is signed with the public key as a secret, in any of the ways to write that key", async () => {
    const { x = "" } = KEY.jwk;
    for (const secret of [KEY.pem, KEY.pem.trim(), JSON.stringify(KEY.jwk), String(x), ""])
      expect(await refused(tokenByPublicKey(KEY, secret))).toContain("algorithm");
  });

  test("it is signed by another key, also one that it carries itself", async () => {
    const stranger = makeKey("one");
    expect(await refused(tokenBy(stranger))).toContain("signature");
    expect(await refused(tokenBy(stranger, { header: { jwk: stranger.jwk } }))).toContain("signature");
    expect(await refused(tokenBy(stranger, { header: { jku: "https://evil.example/jwks" } }))).toContain(
      "signature",
    );
  });

  test("its algorithm does not match the key", async () => {
    const rsa = makeKey("rsa", "RS256");
    expect(await refused(tokenBy(rsa))).toContain("algorithm");
    expect(await refused(tokenBy(KEY), {}, rsa)).toContain("algorithm");
  });

  test("it was changed after signing", async () => {
    const [header = "", , signature = ""] = tokenBy(KEY).split(".");
    const claims = Buffer.from(JSON.stringify({ workspace: "rich", exp: NOW_S + 60 })).toString("base64url");
    expect(await refused([header, claims, signature].join("."))).toContain("signature");
  });

  test("it requires an unknown extension", async () => {
    const header = { crit: ["http://example.com/x"], "http://example.com/x": true };
    expect(await refused(tokenBy(KEY, { header }))).toContain("cannot be read");
  });

  test("its payload is not a set of claims", async () => {
    const [header = ""] = tokenBy(KEY).split(".");
    expect(await refused(`${header}.${Buffer.from("hello").toString("base64url")}.AAAA`)).toContain(
      "signature",
    );
    expect(await refused(`${header}..`)).not.toBe("");
  });

  const CLAIMS: readonly (readonly [string, unknown])[] = [
    ["missing", undefined],
    ["empty", ""],
    ["null", null],
    ["a number", 7],
    ["a list of two", ["team", "other"]],
    ["an object", { name: "team" }],
    ["with a space at its end", "team "],
    ["unprintable", "te\u0000am"],
    ["too long", "x".repeat(201)],
    ["the gateway's own", "embedgate"],
  ];
  test.each(CLAIMS)("the claim that names its workspace is %s", async (_, workspace) => {
    expect(await refused(tokenBy(KEY, { claims: { workspace } }))).toContain("'workspace'");
  });

  test.each<[string, unknown]>([
    ["two workspaces", ["acme", "other"]],
    ["none", []],
    ["a list in a list", [["acme"]]],
    ["a number", [7]],
  ])("the claim is a list of %s", async (_, groups) => {
    expect(await refused(tokenBy(KEY, { claims: { groups } }), { workspace_claim: "groups" })).toContain(
      "'groups'",
    );
  });

  test("a path leads to a member of Object.prototype", async () => {
    expect(await refused(tokenBy(KEY), { workspace_claim: "workspace.constructor.name" })).toContain(
      "'workspace.constructor.name'",
    );
  });

  test("the claim is a member of Object.prototype", async () => {
    expect(await refused(tokenBy(KEY), { workspace_claim: "constructor" })).toContain("'constructor'");
  });
});

test("text that only resembles a token is looked up as a key", async () => {
  await using open = await opened();
  for (const text of ["a.b.c", "..", "e30.e30.", `${Buffer.from("[1]").toString("base64url")}.a.b`]) {
    const sent = await open.post(body, bearer(text));
    expect([text, sent.status, Object(sent.json).error?.message.includes("API key")]).toEqual([
      text,
      401,
      true,
    ]);
  }
});

test("without auth.jwt a token is an unknown key", async () => {
  await using open = await openGateway({ readsFile: true, yaml: `${FAKE_YAML}\nauth: { mode: keys }\n` });
  expect((await open.post(body, bearer(tokenBy(KEY)))).status).toBe(401);
});

/**
 * Who may use the Admin API: admin keys, sessions, and in open mode this machine; never a caller's key, and never another origin's page.
 */
import { describe, expect, test } from "bun:test";
import { CSRF_HEADER, SESSION_COOKIE } from "../../../src/callers/sessions";
import { FAKE_YAML, type OpenGateway, openGateway, type Sent } from "../../gateway";

const JSON_TYPE = { "content-type": "application/json" };
const WORKSPACE = { method: "POST", body: JSON.stringify({ name: "acme" }) };

async function withKeys(yaml = FAKE_YAML, outside = {}) {
  const open = await openGateway({ yaml, outside });
  const admin = await open.gateway.keys.create("ops", "default", true);
  const caller = await open.gateway.keys.create("ci", "default");
  return { open, admin, caller };
}

const bearer = (key: string) => ({ authorization: `Bearer ${key}` });
const fieldOf = (sent: Sent, name: string): unknown => Object(sent.json)[name];

async function session(open: OpenGateway, key: string): Promise<{ cookie: string; token: string }> {
  const sent = await open.send("/admin/v1/session", { method: "POST", headers: bearer(key) });
  expect(sent.status).toBe(200);
  const [pair = ""] = (sent.headers.get("set-cookie") ?? "").split(";");
  return { cookie: pair, token: String(fieldOf(sent, "csrf_token")) };
}

describe("in open mode", () => {
  test("this machine needs no key, and its changes are in the audit trail", async () => {
    await using open = await openGateway({ yaml: FAKE_YAML });
    const sent = await open.send("/admin/v1/workspaces", { ...WORKSPACE, headers: JSON_TYPE });
    expect(sent.status).toBe(201);
    const audit = await open.send("/admin/v1/audit");
    expect(Object(audit.json).entries).toMatchObject([
      { actor: "open mode", action: "workspaces.create", target: "acme", before: null },
    ]);
  });

  test.each([
    ["another site's page", { origin: "https://evil.example", ...JSON_TYPE }, 403],
    ["a page of another port of this machine", { origin: "http://localhost:3000", ...JSON_TYPE }, 403],
    ["what a browser says comes from elsewhere", { "sec-fetch-site": "cross-site", ...JSON_TYPE }, 403],
    ["what a browser says comes from the same site", { "sec-fetch-site": "same-site", ...JSON_TYPE }, 403],
    ["a name that was rebound", { host: "evil.example", ...JSON_TYPE }, 403],
    ["a proxy", { "x-forwarded-for": "10.0.0.1", ...JSON_TYPE }, 403],
    ["a form, which a page may send unasked", { "content-type": "text/plain" }, 415],
    ["no content type, which a page may send unasked", {}, 415],
    ["its own page", { origin: "http://localhost:8080", "sec-fetch-site": "same-origin", ...JSON_TYPE }, 201],
  ])("%s changes nothing unless it is its own", async (_, headers, status) => {
    await using open = await openGateway({ yaml: `${FAKE_YAML}\nserver: { cors: { origins: ["*"] } }` });
    // A body of bytes: a string would get a content type of its own.
    const body = new TextEncoder().encode(WORKSPACE.body);
    const sent = await open.send("/admin/v1/workspaces", { method: "POST", body, headers });
    expect(sent.status).toBe(status);
    expect(open.gateway.workspaces.exists("acme")).toBe(status === 201);
  });

  test("there are no sessions, and none is needed", async () => {
    await using open = await openGateway({ yaml: FAKE_YAML });
    const sent = await open.send("/admin/v1/session", { method: "POST" });
    expect(sent).toMatchObject({ status: 200, json: { mode: "open", csrf_token: null } });
    expect(sent.headers.get("set-cookie")).toBeNull();
  });
});

describe("once a key exists", () => {
  test.each(["/gateway", "/keys", "/requests", "/series", "/session"])(
    "%s is for admins' keys",
    async (path) => {
      const { open, admin, caller } = await withKeys();
      await using _ = open;
      const status = async (headers: Record<string, string>) =>
        (await open.send(`/admin/v1${path}`, { headers })).status;
      expect(await status({})).toBe(401);
      expect(await status(bearer("eg-nothing"))).toBe(401);
      expect(await status(bearer(caller.key))).toBe(403);
      expect(await status(bearer(admin.key))).toBe(200);
    },
  );

  test("a caller's key that tries counts against its rate limit", async () => {
    const { open, caller } = await withKeys(`${FAKE_YAML}\nworkspace_defaults: { requests_per_minute: 2 }`);
    await using _ = open;
    const statuses: number[] = [];
    for (let i = 0; i < 3; i++)
      statuses.push((await open.send("/admin/v1/keys", { headers: bearer(caller.key) })).status);
    expect(statuses).toEqual([403, 403, 429]);
  });

  test("no page of another site is allowed to call, whatever server.cors says", async () => {
    const { open, admin } = await withKeys(`${FAKE_YAML}\nserver: { cors: { origins: ["*"] } }`);
    await using _ = open;
    const origin = { origin: "https://app.example" };
    const asked = { ...origin, "access-control-request-method": "POST" };
    const preflight = (path: string) => open.send(path, { method: "OPTIONS", headers: asked });
    expect((await preflight("/v1/embeddings")).status).toBe(204);
    expect((await preflight("/admin/v1/keys")).status).toBe(405);
    const sent = await open.send("/admin/v1/keys", { headers: { ...origin, ...bearer(admin.key) } });
    expect(sent.headers.get("access-control-allow-origin")).toBeNull();
  });
});

describe("a session", () => {
  test("can read with its cookie alone, and needs its token for changes", async () => {
    const { open, admin } = await withKeys();
    await using _ = open;
    const { cookie, token } = await session(open, admin.key);
    expect(await open.send("/admin/v1/keys", { headers: { cookie } })).toMatchObject({ status: 200 });
    expect(await open.send("/admin/v1/session", { headers: { cookie } })).toMatchObject({
      status: 200,
      json: { mode: "session", key: admin.id, csrf_token: token },
    });
    expect((await open.send("/metrics", { headers: { cookie } })).status).toBe(200);
    const change = (headers: Record<string, string>) =>
      open.send("/admin/v1/workspaces", { ...WORKSPACE, headers: { cookie, ...JSON_TYPE, ...headers } });
    expect((await change({})).status).toBe(403);
    expect((await change({ [CSRF_HEADER]: "guessed" })).status).toBe(403);
    expect(open.gateway.workspaces.exists("acme")).toBe(false);
    expect((await change({ [CSRF_HEADER]: token })).status).toBe(201);
    expect(
      Object((await open.send("/admin/v1/audit", { headers: { cookie } })).json).entries[0],
    ).toMatchObject({
      actor: admin.id,
      action: "workspaces.create",
    });
  });

  test("is in a cookie that no script reads and that no other site's request carries", async () => {
    const { open, admin } = await withKeys();
    await using _ = open;
    const sent = await open.send("/admin/v1/session", { method: "POST", headers: bearer(admin.key) });
    const said = sent.headers.get("set-cookie") ?? "";
    expect(said).toMatch(
      new RegExp(`^${SESSION_COOKIE}=[\\w-]{43}; Path=/; HttpOnly; SameSite=Strict; Max-Age=43200$`),
    );
    expect(sent.text).not.toContain(said.slice(SESSION_COOKIE.length + 1, 60));
    expect(sent.text).not.toContain(admin.key);
  });

  test.each([
    ["origin", "https://evil.example"],
    ["origin", "http://localhost:3000"],
    ["sec-fetch-site", "same-site"],
    ["sec-fetch-site", "cross-site"],
  ])("is nothing to a page with %s: %s, also with its token", async (name, foreign) => {
    const { open, admin } = await withKeys();
    await using _ = open;
    const { cookie, token } = await session(open, admin.key);
    const headers = { cookie, [CSRF_HEADER]: token, ...JSON_TYPE, [name]: foreign };
    expect((await open.send("/admin/v1/keys", { headers })).status).toBe(403);
    expect((await open.send("/admin/v1/workspaces", { ...WORKSPACE, headers })).status).toBe(403);
  });

  test("ends when it is told to, when its time is over, and with the secret that started it", async () => {
    let now = Date.UTC(2027, 0, 1);
    const { open, admin } = await withKeys(FAKE_YAML, { now: () => now });
    await using _ = open;
    const status = async (cookie: string) =>
      (await open.send("/admin/v1/keys", { headers: { cookie } })).status;
    const told = await session(open, admin.key);
    const headers = { cookie: told.cookie, [CSRF_HEADER]: told.token };
    expect(await open.send("/admin/v1/session", { method: "DELETE", headers })).toMatchObject({
      status: 200,
      json: { ended: true },
    });
    expect(await status(told.cookie)).toBe(401);
    const late = await session(open, admin.key);
    now += 12 * 3_600_000 + 1;
    expect(await status(late.cookie)).toBe(401);
    const first = await session(open, admin.key);
    const { key: second } = await open.gateway.keys.rotate(admin.id, 60_000);
    expect(await status(first.cookie)).toBe(200);
    now += 60_001;
    expect(await status(first.cookie)).toBe(401);
    const last = await session(open, second);
    await open.gateway.keys.revoke(admin.id);
    expect(await status(last.cookie)).toBe(401);
  });

  test("cannot be started with a caller's key, nor with a session", async () => {
    const { open, admin, caller } = await withKeys();
    await using _ = open;
    const begin = (headers: Record<string, string>) =>
      open.send("/admin/v1/session", { method: "POST", headers });
    expect((await begin(bearer(caller.key))).status).toBe(403);
    const { cookie, token } = await session(open, admin.key);
    expect((await begin({ cookie, [CSRF_HEADER]: token })).status).toBe(400);
  });
});

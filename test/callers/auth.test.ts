/**
 * Who gets in: open mode and its limits, keys and their whole life, paths that are always public.
 */

import { Database } from "bun:sqlite";
import { describe, expect, test } from "bun:test";
import { join } from "node:path";
import { FAKE_YAML, type OpenGateway, openGateway } from "../gateway";
import { ON_POSTGRES } from "../stores/on-postgres";

const body = { model: "fake", input: "hello" };
const bearer = (key: string) => ({ authorization: `Bearer ${key}` });
const DATABASE = "data/embedgate.db";

describe("while no key exists", () => {
  const asked = async (headers: Readonly<Record<string, string>>) => {
    await using open = await openGateway({ readsFile: true, yaml: FAKE_YAML });
    return (await open.post(body, headers)).status;
  };

  test.each([
    ["localhost"],
    ["localhost:8080"],
    ["127.0.0.1:8080"],
    ["127.8.9.1"],
    ["[::1]:8080"],
    ["LOCALHOST"],
  ])("the host %s is answered", async (host) => expect(await asked({ host })).toBe(200));
  test.each([
    ["evil.example"],
    ["localhost.evil.example"],
    ["127.0.0.1.evil.example"],
    ["0.0.0.0:8080"],
    ["192.168.1.7:8080"],
    ["[::]:8080"],
    ["evil.example:8080"],
    ["[::1]evil"],
    ["[::1].evil.example"],
    ["[::1]:80:80"],
    ["localhost:80:evil.example"],
    ["localhost:evil"],
    ["evil.example@localhost"],
    ["localhost, evil.example"],
    ["127.0.0.999"],
    [""],
  ])("the host %s is refused: it may be a name rebound to this machine", async (host) => {
    expect(await asked({ host })).toBe(403);
  });
  test.each([["https://evil.example"], ["null"], ["http://localhost:3000"], ["http://127.0.0.1:8080"]])(
    "the origin %s is refused",
    async (origin) => expect(await asked({ host: "localhost:8080", origin })).toBe(403),
  );
  test.each([
    ["forwarded", "for=192.0.2.1"],
    ["x-forwarded-for", "192.0.2.1"],
    ["X-Forwarded-Host", "localhost"],
    ["x-forwarded-proto", "https"],
    ["x-forwarded", "192.0.2.1"],
    ["x-real-ip", "192.0.2.1"],
    ["x-original-forwarded-for", "192.0.2.1"],
    ["x-vercel-forwarded-for", "192.0.2.1"],
    ["true-client-ip", "192.0.2.1"],
    ["x-cluster-client-ip", "192.0.2.1"],
    ["fly-client-ip", "192.0.2.1"],
    ["x-azure-clientip", "192.0.2.1"],
    ["cf-connecting-ip", "192.0.2.1"],
    ["x-envoy-external-address", "192.0.2.1"],
    ["x-original-host", "localhost"],
    ["cdn-loop", "cdn"],
    ["via", "1.1 proxy"],
    ["via", ""],
  ])("what a proxy passed on, with %s: %s, is refused", async (name, value) => {
    await using open = await openGateway({ readsFile: true, yaml: FAKE_YAML });
    const sent = await open.post(body, { [name]: value });
    expect(sent).toMatchObject({ status: 403, json: { error: { code: "forbidden" } } });
    for (const path of ["/v1/models", "/metrics", "/admin/notices", "/readyz", "/swagger", "/"])
      expect([path, (await open.send(path, { headers: { [name]: value } })).status]).toEqual([path, 403]);
    const { key } = await open.gateway.keys.create("first", "default");
    expect((await open.post(body, { ...bearer(key), [name]: value })).status).toBe(200);
  });
  test("its own origin is answered, as the docs page needs", async () => {
    expect(
      await asked({
        host: "localhost:8080",
        origin: "http://localhost:8080",
        "sec-fetch-site": "same-origin",
      }),
    ).toBe(200);
  });
  test.each([["cross-site"], ["same-site"]])("a %s request of a browser is refused", async (site) => {
    expect(await asked({ "sec-fetch-site": site })).toBe(403);
  });
  test("a plain POST of a web page, which needs no preflight, is refused before its body is read", async () => {
    expect(await asked({ "content-type": "text/plain", origin: "https://evil.example" })).toBe(403);
  });
  test("a made-up key does not matter, because SDKs insist on sending one", async () => {
    expect(await asked(bearer("sk-anything"))).toBe(200);
  });
});

describe("once a key exists", () => {
  const cases: readonly (readonly [string, Readonly<Record<string, string>>])[] = [
    ["no key", {}],
    ["a wrong key", bearer("eg-wrong")],
    ["an empty Bearer", { authorization: "Bearer " }],
    ["another scheme", { authorization: "Basic ZWc6eA==" }],
    ["two words", { authorization: "Bearer eg-a eg-b" }],
  ];
  test.each(cases.map(([what, headers]) => [what, headers] as const))("%s gets 401", async (_, headers) => {
    await using open = await openGateway({ readsFile: true, yaml: FAKE_YAML });
    await open.gateway.keys.create("first", "default");
    const sent = await open.post(body, headers);
    expect(sent.status).toBe(401);
    expect(sent.json).toMatchObject({
      error: { type: "invalid_request_error", param: null, code: "invalid_api_key" },
    });
    expect(sent.headers.get("www-authenticate")).toBe("Bearer");
  });

  const places: readonly (readonly [string, (key: string) => Record<string, string>])[] = [
    ["Authorization alone", (key) => ({ authorization: key })],
    [
      "Bearer twice, as from a client that puts its own before its user's",
      (key) => ({ authorization: `Bearer Bearer ${key}` }),
    ],
    ["x-api-key", (key) => ({ "x-api-key": key })],
    ["api-key", (key) => ({ "api-key": key })],
    ["x-goog-api-key", (key) => ({ "x-goog-api-key": key })],
    ["api-key beside a proxy's own", (key) => ({ authorization: "Basic ZWc6eA==", "api-key": key })],
    ["api-key beside an empty Bearer", (key) => ({ authorization: "Bearer ", "api-key": key })],
  ];
  test.each(places)("a key is taken from %s", async (_, headersOf) => {
    await using open = await openGateway({ readsFile: true, yaml: FAKE_YAML });
    const { key } = await open.gateway.keys.create("first", "default");
    expect((await open.post(body, headersOf(key))).status).toBe(200);
    expect((await open.post(body, headersOf("eg-wrong"))).status).toBe(401);
  });

  test("a key is taken from the URL, and appears nowhere else", async () => {
    await using open = await openGateway({ readsFile: true, yaml: FAKE_YAML });
    const { key } = await open.gateway.keys.create("first", "default");
    expect((await open.send(`/v1/models?key=${key}`)).status).toBe(200);
    const refused = [
      await open.send("/v1/models?key=eg-wrong"),
      await open.send(`/v1/models/nope?key=${key}`),
      await open.send(`/v1/nope?key=${key}`),
      await open.send(`/v1/embeddings?key=${key}`, { method: "POST", body: "{" }),
    ];
    expect(refused.map(({ status }) => status)).toEqual([401, 404, 404, 400]);
    expect(JSON.stringify([refused, open.logs])).not.toContain(key);
  });

  test("a signature is answered with a hint that a key is needed", async () => {
    await using open = await openGateway({ readsFile: true, yaml: FAKE_YAML });
    await open.gateway.keys.create("first", "default");
    const sent = await open.post(body, {
      authorization: "AWS4-HMAC-SHA256 Credential=AKIA/x, Signature=abc",
    });
    expect(sent.status).toBe(401);
    expect(sent.text).toContain(
      "the scheme 'AWS4-HMAC-SHA256', which is not checked here; send it in the header",
    );
    expect(sent.text).not.toContain("AKIA");
  });

  test("401 comes before errors about the body or the method", async () => {
    await using open = await openGateway({ readsFile: true, yaml: FAKE_YAML });
    await open.gateway.keys.create("first", "default");
    expect((await open.post("{", {})).status).toBe(401);
    expect((await open.send("/v1/models/nope")).status).toBe(401);
  });

  test("a key works from any host, because it proves more than a name does", async () => {
    await using open = await openGateway({ readsFile: true, yaml: FAKE_YAML });
    const { key } = await open.gateway.keys.create("first", "default");
    expect((await open.post(body, { ...bearer(key), host: "gateway.example" })).status).toBe(200);
    expect((await open.post(body, { ...bearer(key), origin: "https://app.example" })).status).toBe(200);
    expect((await open.post(body, { authorization: `bearer ${key}` })).status).toBe(200);
  });

  test("a key made by another process is known at once, on a server once it is heard of, and ends open mode", async () => {
    await using open = await openGateway({ readsFile: true, yaml: FAKE_YAML });
    const answered = async (status: number, headers: Readonly<Record<string, string>> = {}) => {
      let sent = await open.post(body, headers);
      while (ON_POSTGRES && sent.status !== status) {
        await new Promise((turn) => setImmediate(turn));
        sent = await open.post(body, headers);
      }
      return sent.status;
    };
    expect(await answered(200)).toBe(200);
    const keys = (await open.beside()).openKeys();
    const { key, id } = await keys.create("other", "team");
    expect(await answered(401)).toBe(401);
    expect((await open.post(body, bearer(key))).status).toBe(200);
    await keys.revoke(id);
    expect(await answered(401, bearer(key))).toBe(401);
    expect((await open.post(body)).status).toBe(401);
  });

  test("requests without a valid key leave no row in the ledger", async () => {
    await using open = await openGateway({ readsFile: true, yaml: FAKE_YAML });
    await open.gateway.keys.create("first", "default");
    await open.post(body);
    expect(await open.gateway.ledger.usage(0, "day")).toEqual([]);
  });
});

describe("a key's life", () => {
  async function withClock(
    work: (open: OpenGateway, tick: (ms: number) => void) => Promise<void>,
  ): Promise<void> {
    let now = 1_790_000_000_000;
    await using open = await openGateway({ readsFile: true, yaml: FAKE_YAML, outside: { now: () => now } });
    await work(open, (ms) => {
      now += ms;
    });
  }
  const works = async (open: OpenGateway, key: string) => (await open.post(body, bearer(key))).status === 200;

  test("a rotated key has a new secret, and the old one works until its grace period is over", () =>
    withClock(async (open, tick) => {
      const made = await open.gateway.keys.create("ci", "default");
      const next = await open.gateway.keys.rotate(made.id, 3_600_000);
      expect(next.id).toBe(made.id);
      expect(next.key).not.toBe(made.key);
      expect([await works(open, made.key), await works(open, next.key)]).toEqual([true, true]);
      tick(3_599_999);
      expect(await works(open, made.key)).toBe(true);
      tick(1);
      expect([await works(open, made.key), await works(open, next.key)]).toEqual([false, true]);
    }));

  test("a second rotation does not extend the first secret's grace period", () =>
    withClock(async (open, tick) => {
      const first = await open.gateway.keys.create("ci", "default");
      const second = await open.gateway.keys.rotate(first.id, 1_000);
      await open.gateway.keys.rotate(first.id, 60_000);
      tick(1_000);
      expect([await works(open, first.key), await works(open, second.key)]).toEqual([false, true]);
    }));

  test("without a grace period the old secret ends at once", () =>
    withClock(async (open) => {
      const made = await open.gateway.keys.create("ci", "default");
      await open.gateway.keys.rotate(made.id, 0);
      expect(await works(open, made.key)).toBe(false);
    }));

  test("a revoked key is refused with all its secrets, and cannot be revived by rotation", () =>
    withClock(async (open) => {
      const made = await open.gateway.keys.create("ci", "default");
      const next = await open.gateway.keys.rotate(made.id, 60_000);
      await open.gateway.keys.revoke(made.id);
      expect([await works(open, made.key), await works(open, next.key)]).toEqual([false, false]);
      await expect(open.gateway.keys.rotate(made.id, 0)).rejects.toThrow("no live key");
      await expect(open.gateway.keys.revoke(made.id)).rejects.toThrow("no live key");
    }));

  test("the list tells keys apart without showing their secrets", () =>
    withClock(async (open) => {
      const made = await open.gateway.keys.create("ci", "team-a");
      const [listed] = open.gateway.keys.list();
      expect(listed).toMatchObject({ id: made.id, name: "ci", workspace: "team-a", revoked_at: null });
      expect(JSON.stringify(listed)).not.toContain(made.key.slice(8));
    }));

  test.each([[""], [" ci"], ["a\nb"], ["x".repeat(201)]])("the name %j is refused", (name) =>
    withClock(async (open) => {
      await expect(open.gateway.keys.create(name, "default")).rejects.toThrow("name");
    }),
  );

  test("the database holds a hash, never the secret", async () => {
    await using open = await openGateway({ readsFile: true, yaml: FAKE_YAML });
    const { key } = await open.gateway.keys.create("ci", "default");
    const database = new Database(join(open.folder, DATABASE), { readonly: true });
    const rows = JSON.stringify([
      database.query("SELECT * FROM keys").all(),
      database.query("SELECT * FROM key_secrets").all(),
    ]);
    database.close();
    expect(rows).not.toContain(key.slice(7));
  });
});

describe("the address", () => {
  const yaml = (host: string, mode: string) =>
    `${FAKE_YAML}\nserver: { host: "${host}" }\nauth: { mode: ${mode} }\n`;
  test.each([["0.0.0.0"], ["::"], ["192.168.0.10"]])(
    "%s is refused while no key exists, with the reason",
    async (host) => {
      await expect(openGateway({ readsFile: true, yaml: yaml(host, "auto") })).rejects.toThrow(
        "no key exists",
      );
      await expect(openGateway({ readsFile: true, yaml: yaml(host, "open") })).rejects.toThrow(
        "other machines",
      );
    },
  );
  test.each([["127.0.0.1"], ["localhost"], ["::1"]])("%s needs no key", async (host) => {
    await using open = await openGateway({ readsFile: true, yaml: yaml(host, "auto") });
    expect(open.gateway.auth.isOpen()).toBe(true);
  });
  test("every address is allowed if keys are always required", async () => {
    await using open = await openGateway({ readsFile: true, yaml: yaml("0.0.0.0", "keys") });
    expect((await open.post(body)).status).toBe(401);
  });
});

describe("public paths", () => {
  test.each([["/readyz"], ["/swagger"], ["/swagger/json"], ["/swagger/page.js"], ["/"]])(
    "%s is answered to loopback names only, while no key exists; a link leads there from anywhere",
    async (path) => {
      await using open = await openGateway({ readsFile: true, yaml: FAKE_YAML });
      const status = async (headers: Readonly<Record<string, string>>) =>
        (await open.send(path, { headers })).status;
      expect(await status({ host: "rebound.example" })).toBe(403);
      expect(await status({ host: "[::1]rebound.example" })).toBe(403);
      const fromLink = { host: "localhost", "sec-fetch-site": "cross-site", accept: "text/html,*/*" };
      expect(await status(fromLink)).toBe(200);
    },
  );
  test("/healthz is answered to everybody", async () => {
    await using open = await openGateway({ readsFile: true, yaml: FAKE_YAML });
    const headers = { host: "gateway.example", "x-forwarded-for": "192.0.2.1" };
    expect((await open.send("/healthz", { headers })).status).toBe(200);
  });
  test.each([
    ["/healthz"],
    ["/readyz"],
    ["/swagger"],
    ["/swagger/json"],
    ["/swagger/page.js"],
    ["/swagger/page.css"],
  ])("%s needs no key and no particular host", async (path) => {
    await using open = await openGateway({ readsFile: true, yaml: FAKE_YAML });
    await open.gateway.keys.create("first", "default");
    expect((await open.send(path, { headers: { host: "gateway.example" } })).status).toBe(200);
  });
});

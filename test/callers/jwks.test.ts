/**
 * The issuer's published keys: fetched when needed, kept, rotated, and never fetched more often than the issuer can bear.
 * jwt.test.ts has what tokens must say.
 */
import { describe, expect, test } from "bun:test";
import { PLUGINS } from "../../plugins/index";
import { loadConfig } from "../../src/config/load";
import { createHost } from "../../src/upstream/host";
import { type FakeOutside, fakeOutside } from "../fake-outside";
import { FAKE_YAML, type OpenGateway, openGateway } from "../gateway";
import {
  type FakeIssuer,
  fakeIssuer,
  JWKS_URL,
  makeKey,
  publishing,
  type SigningKey,
  tokenBy,
} from "./issuer";

const OLD = makeKey("old");
const NEW = makeKey("new");
const body = { model: "fake", input: "hello" };

interface Opened extends AsyncDisposable {
  readonly open: OpenGateway;
  readonly issuer: FakeIssuer;
  readonly world: FakeOutside;
  status(token: string): Promise<number>;
}

const yamlWith = (jwt: object) =>
  `${FAKE_YAML}\nauth: ${JSON.stringify({ jwt: { create_workspaces: true, ...jwt } })}\n`;
const YAML = yamlWith({ jwks_url: JWKS_URL });

async function opened(keys: readonly SigningKey[] = [OLD]): Promise<Opened> {
  const issuer = fakeIssuer(keys);
  const world = fakeOutside({ fetch: issuer.fetch });
  const open = await openGateway({ yaml: YAML, outside: world.outside });
  return {
    open,
    issuer,
    world,
    status: async (token) => (await asked(open, token)).status,
    [Symbol.asyncDispose]: () => open[Symbol.asyncDispose](),
  };
}

const asked = (open: OpenGateway, token: string) => open.post(body, { authorization: `Bearer ${token}` });

const SECOND = 1_000;
const MINUTE = 60_000;

describe("the issuer's keys", () => {
  test("are fetched with the first token, once for all tokens that come at the same time, and kept", async () => {
    await using gateway = await opened();
    expect(gateway.issuer.calls).toHaveLength(0);
    const first = await Promise.all(Array.from({ length: 20 }, () => gateway.status(tokenBy(OLD))));
    expect(first).toEqual(first.map(() => 200));
    await gateway.world.advance(9 * MINUTE);
    expect(await gateway.status(tokenBy(OLD))).toBe(200);
    expect(gateway.issuer.calls).toHaveLength(1);
    expect(gateway.issuer.calls[0]).toMatchObject({ redirect: "manual" });
    expect(gateway.world.sleeping().filter((ms) => ms <= 5 * SECOND)).toEqual([]);
  });

  test("are not fetched for a key of the gateway's own", async () => {
    await using gateway = await opened();
    const { key } = await gateway.open.gateway.keys.create("ci", "default");
    expect([await gateway.status(key), await gateway.status("eg-wrong")]).toEqual([200, 401]);
    expect(gateway.issuer.calls).toHaveLength(0);
  });

  test("are fetched again when a token names a new one, so that an issuer may rotate", async () => {
    await using gateway = await opened();
    expect(await gateway.status(tokenBy(OLD))).toBe(200);
    gateway.issuer.answer = () => publishing([NEW]);
    await gateway.world.advance(30 * SECOND);
    expect(await gateway.status(tokenBy(NEW))).toBe(200);
    expect(await gateway.status(tokenBy(OLD))).toBe(401);
    expect(gateway.issuer.calls).toHaveLength(2);
  });

  test("are fetched again when they are old, so that a withdrawn key ends", async () => {
    await using gateway = await opened();
    expect(await gateway.status(tokenBy(OLD))).toBe(200);
    gateway.issuer.answer = () => publishing([NEW]);
    await gateway.world.advance(10 * MINUTE);
    expect(await gateway.status(tokenBy(OLD))).toBe(401);
  });

  test("are fetched at most once per cooldown, however many made-up key ids come", async () => {
    await using gateway = await opened();
    const flood = () =>
      Promise.all(
        Array.from({ length: 50 }, (_, i) =>
          gateway.status(tokenBy(NEW, { header: { kid: `made-up-${i}` } })),
        ),
      );
    for (let round = 0; round < 5; round++) {
      expect(new Set(await flood())).toEqual(new Set([401]));
      await gateway.world.advance(10 * SECOND);
    }
    expect(gateway.issuer.calls.length).toBeLessThanOrEqual(2);
    expect(await gateway.status(tokenBy(OLD))).toBe(200);
  });

  test("are all tried if a token names none of several", async () => {
    const nameless = (key: SigningKey): SigningKey => ({ ...key, jwk: { ...key.jwk, kid: undefined } });
    await using gateway = await opened([nameless(OLD), nameless(NEW)]);
    const header = { kid: undefined };
    expect(await gateway.status(tokenBy(NEW, { header }))).toBe(200);
    expect(await gateway.status(tokenBy(makeKey("stranger"), { header }))).toBe(401);
    const expired = await asked(gateway.open, tokenBy(NEW, { header, claims: { exp: 1 } }));
    expect(expired.text).toContain("expired");
  });

  test("of other kinds, or invalid ones, do no harm", async () => {
    await using gateway = await opened();
    const strange = [{ kty: "oct", k: "c2VjcmV0", kid: "secret" }, { kty: "LMS", kid: "x" }, {}];
    gateway.issuer.answer = () => Response.json({ keys: [...strange, OLD.jwk] });
    expect(await gateway.status(tokenBy(OLD))).toBe(200);
    expect(await gateway.status(tokenBy(OLD, { header: { alg: "HS256", kid: "secret" } }))).toBe(401);
  });
});

describe("an issuer that", () => {
  const jwk = (count: number) => Array.from({ length: count }, () => OLD.jwk);
  const BROKEN: readonly (readonly [string, (init: RequestInit) => Promise<Response> | Response])[] = [
    ["cannot be reached", () => Promise.reject(new Error("refused"))],
    ["answers 500", () => new Response("no", { status: 500 })],
    ["answers with a redirect", () => Response.redirect("https://evil.example/jwks")],
    ["answers with a page", () => new Response("<html>")],
    ["answers with no bytes", () => new Response()],
    ["answers with another document", () => Response.json({ issuer: "x" })],
    ["answers with null", () => Response.json(null)],
    ["answers with keys that are no objects", () => Response.json({ keys: [1, 2] })],
    ["answers with bytes that are no text", () => new Response(Uint8Array.of(0xff, 0xfe))],
    ["answers with far too much", () => Response.json({ keys: jwk(3_000) })],
    [
      "answers without end",
      () =>
        new Response(
          new ReadableStream({ pull: (controller) => controller.enqueue(new Uint8Array(65_536).fill(32)) }),
        ),
    ],
  ];
  test.each(BROKEN)(
    "%s is our 503, not the caller's 401, and is asked again after a pause",
    async (_, answer) => {
      await using gateway = await opened();
      gateway.issuer.answer = answer;
      const sent = await asked(gateway.open, tokenBy(OLD));
      expect([sent.status, sent.headers.get("retry-after")]).toEqual([503, "5"]);
      expect(Object(sent.json).error).toMatchObject({ code: "upstream_unavailable" });
      expect(await gateway.status(tokenBy(OLD))).toBe(503);
      expect(gateway.issuer.calls).toHaveLength(1);
      gateway.issuer.answer = () => publishing([OLD]);
      await gateway.world.advance(5 * SECOND);
      expect(await gateway.status(tokenBy(OLD))).toBe(200);
      expect(gateway.world.logs.length).toBeGreaterThan(0);
    },
  );

  test("does not answer in time is not waited for", async () => {
    await using gateway = await opened();
    let aborted = false;
    gateway.issuer.answer = (init) =>
      new Promise((_, reject) => {
        init.signal?.addEventListener("abort", () => {
          aborted = true;
          reject(new Error("aborted"));
        });
      });
    const sent = gateway.status(tokenBy(OLD));
    await gateway.world.advance(5 * SECOND);
    expect([await sent, aborted]).toEqual([503, true]);
  });

  test("is down leaves the known keys in use, old as they are", async () => {
    await using gateway = await opened();
    expect(await gateway.status(tokenBy(OLD))).toBe(200);
    gateway.issuer.answer = () => new Response("no", { status: 502 });
    await gateway.world.advance(20 * MINUTE);
    expect(await gateway.status(tokenBy(OLD))).toBe(200);
    // Whether this is a new key of the issuer's cannot be known.
    expect(await gateway.status(tokenBy(NEW))).toBe(503);
    gateway.issuer.answer = () => publishing([OLD, NEW]);
    await gateway.world.advance(5 * SECOND);
    expect(await gateway.status(tokenBy(NEW))).toBe(200);
  });
});

describe("a reload", () => {
  async function reload({ open, world }: Opened, yaml: string): Promise<void> {
    await Bun.write(`${open.folder}/next.yaml`, yaml);
    const loaded = await loadConfig({
      file: `${open.folder}/next.yaml`,
      folder: open.folder,
      environment: {},
      host: () => createHost(world.outside),
      now: world.outside.now(),
      bundled: PLUGINS,
    });
    if (!loaded.ok) throw new Error("the test's own file is wrong");
    open.gateway.reload(loaded.config);
  }

  test("that changes auth.jwt takes effect with the next token", async () => {
    await using gateway = await opened();
    expect(await gateway.status(tokenBy(OLD))).toBe(200);
    await reload(gateway, yamlWith({ public_key: NEW.pem }));
    expect([await gateway.status(tokenBy(OLD)), await gateway.status(tokenBy(NEW))]).toEqual([401, 200]);
    await reload(gateway, yamlWith({ public_key: NEW.pem, audience: "x" }));
    expect(await gateway.status(tokenBy(NEW))).toBe(401);
    await reload(gateway, `${FAKE_YAML}\nauth: { mode: keys }\n`);
    expect(await gateway.status(tokenBy(NEW))).toBe(401);
  });

  test("that does not change auth.jwt keeps the keys, in case the issuer is down at that moment", async () => {
    await using gateway = await opened();
    expect(await gateway.status(tokenBy(OLD))).toBe(200);
    gateway.issuer.answer = () => Promise.reject(new Error("refused"));
    await reload(gateway, `${YAML}money: { markup: 2 }\n`);
    expect(await gateway.status(tokenBy(OLD))).toBe(200);
    expect(gateway.issuer.calls).toHaveLength(1);
  });
});

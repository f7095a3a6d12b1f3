/**
 * A reload swaps the routes between two requests and drops none: a request that began before it ends with the configuration that it began with.
 */
import { describe, expect, test } from "bun:test";
import { PLUGINS } from "../../plugins/index";
import type { GatewayConfig } from "../../src/config/gateway-config";
import { loadConfig } from "../../src/config/load";
import { realOutside } from "../../src/network/real-outside";
import { createHost } from "../../src/upstream/host";
import { FAKE_YAML, type OpenGateway, openGateway } from "../gateway";
import { ON_POSTGRES } from "../stores/on-postgres";

async function configOf(open: OpenGateway, yaml: string): Promise<GatewayConfig> {
  await Bun.write(`${open.folder}/next.yaml`, yaml);
  const file = `${open.folder}/next.yaml`;
  const loaded = await loadConfig({
    file,
    folder: open.folder,
    environment: {},
    host: () => createHost(realOutside),
    now: realOutside.now(),
    bundled: PLUGINS,
  });
  if (!loaded.ok) throw new Error("the test's own file is wrong");
  return loaded.config;
}

/** That tokens were accepted is in the database; on a server the gateway hears of it within a second, and refuses until then. */
async function heard(open: OpenGateway, config: GatewayConfig): Promise<void> {
  for (;;) {
    try {
      open.gateway.reload(config);
      return;
    } catch (thrown) {
      if (!ON_POSTGRES) throw thrown;
      await new Promise((turn) => setImmediate(turn));
    }
  }
}

describe("a reload", () => {
  test("changes what answers the next request", async () => {
    await using open = await openGateway({ yaml: FAKE_YAML });
    expect((await open.post({ model: "new", input: "a" })).status).toBe(404);
    open.gateway.reload(await configOf(open, `${FAKE_YAML}  new: { routes: [ { provider: fake } ] }\n`));
    expect((await open.post({ model: "new", input: "a" })).status).toBe(200);
  });

  test("lets a request in flight end with its own configuration", async () => {
    let letGo = () => {};
    const held = new Promise<void>((resolve) => {
      letGo = resolve;
    });
    const reached = Promise.withResolvers<void>();
    const fetch = async () => {
      reached.resolve();
      await held;
      return Response.json({ data: [{ index: 0, embedding: [0.6, 0.8] }], usage: { prompt_tokens: 1 } });
    };
    const yaml =
      'providers: { wire: { plugin: openai, base_url: "http://upstream/v1" } }\nmodels: { m: { routes: [ { provider: wire } ] } }\n';
    await using open = await openGateway({ yaml, outside: { fetch } });
    const sent = open.post({ model: "m", input: "a" });
    await reached.promise;
    open.gateway.reload(await configOf(open, FAKE_YAML));
    expect((await open.post({ model: "m", input: "a" })).status).toBe(404);
    letGo();
    expect(await sent).toMatchObject({
      status: 200,
      json: { data: [{ embedding: [0.6, 0.8] }] },
    });
  });

  test("says which settings need a restart", async () => {
    await using open = await openGateway({ yaml: FAKE_YAML });
    const next = await configOf(
      open,
      `${FAKE_YAML}\nserver: { port: 9999, deadline_ms: 5 }\ndatabase: "sqlite:other.db"\n`,
    );
    const ofServer = ON_POSTGRES ? ["postgres"] : [];
    expect(open.gateway.reload(next)).toEqual(["server.port", "database", ...ofServer]);
    expect(open.gateway.config().server.deadline_ms).toBe(5);
  });

  describe("does not open a gateway to everybody", () => {
    const JWT = 'auth: { jwt: { jwks_url: "https://issuer.example/jwks" } }';
    const ADDRESS = "server: { host: 0.0.0.0 }";
    const asks = async (open: OpenGateway) => (await open.post({ model: "fake", input: "a" })).status;

    test("that others can reach: open, it says the same as at a start", async () => {
      await using open = await openGateway({ yaml: `${FAKE_YAML}\n${ADDRESS}\n${JWT}\n` });
      for (const address of [ADDRESS, "server: { host: 127.0.0.1 }"]) {
        const next = await configOf(open, `providers: {}\n${address}\nauth: { mode: open }\n`);
        expect(() => open.gateway.reload(next)).toThrow("0.0.0.0 can be reached from other machines");
      }
      expect(open.gateway.config().models.has("fake")).toBe(true);
      expect(await asks(open)).toBe(401);
    });

    test("that has accepted tokens, if its file no longer has an issuer", async () => {
      await using open = await openGateway({ yaml: `${FAKE_YAML}\n${ADDRESS}\n${JWT}\n` });
      open.gateway.reload(await configOf(open, `${FAKE_YAML}\n${ADDRESS}\n`));
      expect(await asks(open)).toBe(401);
      expect((await open.send("/metrics")).status).toBe(401);
    });

    test("that was open on loopback, by an address that a start would refuse", async () => {
      await using open = await openGateway({ yaml: FAKE_YAML });
      const next = await configOf(open, `${FAKE_YAML}\n${ADDRESS}\n`);
      expect(() => open.gateway.reload(next)).toThrow("0.0.0.0 can be reached from other machines");
      expect(await asks(open)).toBe(200);
    });

    test.each([
      ["keys", "auth: { mode: keys }"],
      ["tokens", JWT],
    ])("on loopback that asked for %s, in one step or in several", async (_, auth) => {
      await using open = await openGateway({ yaml: FAKE_YAML });
      open.gateway.reload(await configOf(open, `${FAKE_YAML}\n${auth}\n`));
      const wide = await configOf(open, `${FAKE_YAML}\nauth: { mode: open }\n`);
      expect(() => open.gateway.reload(wide)).toThrow("Restart it to have it open");
      open.gateway.reload(await configOf(open, `${FAKE_YAML}\nauth: { mode: keys }\n`));
      const usual = await configOf(open, FAKE_YAML);
      if (auth === JWT) await heard(open, usual);
      else expect(() => open.gateway.reload(usual)).toThrow("Restart it to have it open");
      expect(() => open.gateway.reload(wide)).toThrow("Restart it to have it open");
      expect(await asks(open)).toBe(401);
    });

    test("whose first key was created while it was open, and revoked", async () => {
      await using open = await openGateway({ yaml: FAKE_YAML });
      const { id } = await open.gateway.keys.create("first", "default");
      await open.gateway.keys.revoke(id);
      const next = await configOf(open, `${FAKE_YAML}\nauth: { mode: open }\n`);
      expect(() => open.gateway.reload(next)).toThrow("Restart it to have it open");
      open.gateway.reload(await configOf(open, FAKE_YAML));
      expect(await asks(open)).toBe(401);
    });
  });

  test("can end open mode", async () => {
    await using open = await openGateway({ yaml: FAKE_YAML });
    open.gateway.reload(await configOf(open, `${FAKE_YAML}\nauth: { mode: keys }\n`));
    expect((await open.post({ model: "fake", input: "a" })).status).toBe(401);
  });
});

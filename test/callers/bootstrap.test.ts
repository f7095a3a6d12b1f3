/**
 * `auth.bootstrap_key_sha256`: a first key by its hash, from the routing file or the environment, for containers.
 */
import { describe, expect, test } from "bun:test";
import { createHash } from "node:crypto";
import { FAKE_YAML, openGateway } from "../gateway";

const KEY = "first-key-kq7Rr2Lx4Zc9Vb1Nm3Qw5";
const OTHER = "other-key-kq7Rr2Lx4Zc9Vb1Nm3Qw5";
const hashOf = (key: string) => createHash("sha256").update(key).digest("hex");
const body = { model: "fake", input: "hello" };
const bearer = (key: string) => ({ authorization: `Bearer ${key}` });
const yamlWith = (auth: object) => `${FAKE_YAML}\nauth: ${JSON.stringify(auth)}\n`;

describe("a first key by its hash", () => {
  test.each<[string, string, Readonly<Record<string, string>>]>([
    ["the routing file", yamlWith({ bootstrap_key_sha256: hashOf(KEY) }), {}],
    ["a variable that the file names", yamlWith({ bootstrap_key_sha256: "${HASH}" }), { HASH: hashOf(KEY) }],
    ["the environment alone", FAKE_YAML, { EMBEDGATE_BOOTSTRAP_KEY_SHA256: `${hashOf(KEY)}\n` }],
    [
      "the environment, in capitals",
      FAKE_YAML,
      { EMBEDGATE_BOOTSTRAP_KEY_SHA256: hashOf(KEY).toUpperCase() },
    ],
  ])("from %s opens the door to an admin and shuts it to others", async (_, yaml, environment) => {
    await using open = await openGateway({ yaml, environment });
    expect((await open.post(body, bearer(KEY))).status).toBe(200);
    expect((await open.send("/metrics", { headers: bearer(KEY) })).status).toBe(200);
    expect((await open.post(body)).status).toBe(401);
    expect((await open.post(body, bearer(hashOf(KEY)))).status).toBe(401);
    expect(open.gateway.keys.list()).toMatchObject([
      { name: "bootstrap", workspace: "default", admin: true },
    ]);
  });

  test("lets a gateway listen on every address from the start", async () => {
    const yaml = `${yamlWith({ bootstrap_key_sha256: hashOf(KEY) })}server: { host: 0.0.0.0 }\n`;
    await using open = await openGateway({ yaml });
    expect((await open.post(body, bearer(KEY))).status).toBe(200);
  });

  test("is replaced by another, comes back with its hash, and stays revoked after it was revoked", async () => {
    await using open = await openGateway({ yaml: FAKE_YAML });
    const { keys } = open.gateway;
    const works = (key: string) => keys.find(key) !== undefined;
    await keys.bootstrap(hashOf(KEY));
    await keys.bootstrap(hashOf(KEY));
    expect(keys.list()).toHaveLength(1);
    await keys.bootstrap(hashOf(OTHER));
    expect([works(KEY), works(OTHER)]).toEqual([false, true]);
    await keys.bootstrap(hashOf(KEY));
    expect([works(KEY), works(OTHER)]).toEqual([true, false]);
    await keys.revoke(keys.find(KEY)?.keyId ?? "");
    await keys.bootstrap(hashOf(KEY));
    expect(works(KEY)).toBe(false);
  });

  test("does not affect other keys, even one with the same secret", async () => {
    await using open = await openGateway({ yaml: FAKE_YAML });
    const { keys } = open.gateway;
    const { key } = await keys.create("ci", "team");
    await keys.bootstrap(hashOf(key));
    await keys.bootstrap(hashOf(OTHER));
    expect(keys.find(key)).toMatchObject({ workspace: "team", isAdmin: false });
  });
});

/**
 * Messages about certificates and proxies in a routing file, and which files are watched for them.
 * No message contains a key, or a value that came from a variable.
 */
import { afterAll, describe, expect, test } from "bun:test";
import { join } from "node:path";
import { makeAuthority } from "../certificates";
import { makeFolder, told } from "./loading";

const authority = makeAuthority();
afterAll(() => authority[Symbol.dispose]());
const one = authority.sign("one");
const other = authority.sign("other");
const old = authority.sign("old", { days: -1 });
const encrypted = "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n";
const cut = one.cert.slice(0, 200);

const FILES = {
  "one.pem": one.cert,
  "one.key": one.key,
  "other.key": other.key,
  "old.pem": old.cert,
  "old.key": old.key,
  "encrypted.key": encrypted,
  "cut.pem": `${cut}\n-----END CERTIFICATE-----\n`,
  "notes.txt": "not a certificate",
};

async function load(yaml: object, environment: Readonly<Record<string, string>> = {}) {
  using folder = makeFolder();
  for (const [name, text] of Object.entries(FILES)) folder.write(name, text);
  folder.write("gateway.yaml", JSON.stringify(yaml));
  const loaded = await folder.load({ environment });
  const files = loaded.ok
    ? [...loaded.config.files.keys()].map((file) => file.replace(`${folder.path}/`, ""))
    : [];
  return { loaded, words: told(loaded), files };
}

const serverTls = (tls: unknown) => ({ server: { tls } });
const providerWith = (settings: object) => ({
  providers: { local: { plugin: "local", ...settings } },
  models: { m: { routes: [{ provider: "local" }] } },
});

describe("what is right", () => {
  test("files are read relative to the routing file's folder, and watched", async () => {
    const { loaded, files } = await load({
      ...serverTls({ cert: "./one.pem", key: "one.key" }),
      ...providerWith({ ca: "one.pem", client_cert: "old.pem", client_key: "old.key", proxy: "http://p:1" }),
    });
    if (!loaded.ok) throw new Error(told(loaded));
    expect(loaded.config.server.tls).toEqual(one);
    expect(loaded.config.providers.get("local")?.connection).toEqual({
      ca: one.cert,
      client: old,
      proxy: "http://p:1",
    });
    expect(files).toEqual(["gateway.yaml", "one.pem", "old.pem", "old.key", "one.key"]);
  });

  test("the PEM text itself may be given, or come from a variable", async () => {
    const { words, files } = await load(serverTls({ cert: one.cert, key: "${KEY}" }), { KEY: one.key });
    expect(words).toBe("ok");
    expect(files).toEqual(["gateway.yaml"]);
  });

  test("an expired certificate is a note", async () => {
    const { loaded } = await load(serverTls({ cert: "old.pem", key: "old.key" }));
    expect(loaded.ok && loaded.notes.map(({ message }) => message)).toEqual([
      expect.stringMatching(/^the certificate of CN=old expired on .*: renew it$/),
    ]);
  });

  test("a provider whose variable is unset is not configured, as with any key", async () => {
    const { loaded } = await load(providerWith({ ca: "${CA_FILE}" }));
    expect(loaded.ok && loaded.config.providers.get("local")?.missing_variables).toEqual(["CA_FILE"]);
  });
});

describe("what is wrong", () => {
  test.each([
    [serverTls({ cert: "one.pem" }), "server.tls.key: "],
    [
      serverTls({ cert: "none.pem", key: "one.key" }),
      "server.tls.cert: the file none.pem: there is no such file",
    ],
    [serverTls({ cert: ".", key: "one.key" }), "it is a folder; name the file in it"],
    [serverTls({ cert: "notes.txt", key: "one.key" }), "server.tls.cert: contains no PEM certificate"],
    [
      serverTls({ cert: "cut.pem", key: "one.key" }),
      "server.tls.cert: contains a certificate that cannot be read",
    ],
    [serverTls({ cert: "one.pem", key: "one.pem" }), "server.tls.key: contains no PEM private key"],
    [serverTls({ cert: "one.pem", key: "other.key" }), "server.tls.key: is not the private key of cert"],
    [serverTls({ cert: "one.pem", key: "encrypted.key" }), "server.tls.key: is encrypted with a passphrase"],
    [providerWith({ client_cert: "one.pem" }), "providers.local.client_cert: needs client_key too"],
    [providerWith({ client_key: "one.key" }), "providers.local.client_key: needs client_cert too"],
    [providerWith({ ca: "notes.txt" }), "providers.local.ca: contains no PEM certificate"],
    [
      providerWith({ proxy: "localhost:3128" }),
      "providers.local.proxy: expected a proxy URL: http://HOST:PORT",
    ],
    [providerWith({ proxy: "socks5://me:secret@p:1" }), "providers.local.proxy: expected a proxy URL"],
    [{ auth: { jwt: { jwks_url: "https://i/", ca: "none.pem" } } }, "auth.jwt.ca: the file"],
  ])("%j: %s", async (yaml, words) => {
    const { words: said } = await load(yaml);
    expect(said).toContain(words);
    expect(said).not.toContain("secret");
  });

  test("a problem with a path from a variable names the variable", async () => {
    const { words } = await load(providerWith({ ca: "${CA_FILE}" }), { CA_FILE: "/secret/place" });
    expect(words).toContain("${CA_FILE}");
    expect(words).not.toContain(join("/secret", "place"));
  });
});

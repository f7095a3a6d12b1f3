/**
 * `embedgate check` and the servers of `shared`: what it asks them, and that it shows no password. The server is a real one.
 */
import { describe, expect, test } from "bun:test";
import { join } from "node:path";
import { makeAuthority } from "../certificates";
import { temporaryFolder } from "../serving";
import { HAS_SERVER, startServer } from "../valkey/server";

const FILE = `
providers: { local: { plugin: local } }
models: { all-MiniLM-L6-v2: { routes: [ { provider: local } ] } }
`;

async function check(
  shared: string,
  environment: Readonly<Record<string, string>> = {},
): Promise<{ readonly code: number; readonly text: string }> {
  using folder = temporaryFolder({ "gateway.yaml": `${shared}\n${FILE}` });
  const child = Bun.spawn([process.execPath, join(import.meta.dir, "../../src/main.ts"), "check"], {
    cwd: folder.path,
    env: environment,
    stdout: "pipe",
    stderr: "pipe",
  });
  const [out, told, code] = await Promise.all([
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
    child.exited,
  ]);
  return { code, text: out + told };
}

describe.skipIf(!HAS_SERVER)("check", () => {
  test("warns about a server whose eviction policy does not suit its use", async () => {
    await using server = await startServer(
      ...["--maxmemory", "50mb", "--maxmemory-policy", "allkeys-lru", "--requirepass", "pass-word"],
    );
    const { code, text } = await check(`shared: redis://:pass-word@127.0.0.1:${server.port}/0`);
    expect(code).toBe(0);
    expect(text).toContain("note: gateway.yaml: shared (limits): maxmemory-policy is allkeys-lru");
    expect(text).not.toContain("shared (cache)");
    expect(text).not.toContain("pass-word");
  });

  test("says nothing if each has its own", async () => {
    await using limits = await startServer();
    await using cache = await startServer("--maxmemory", "50mb", "--maxmemory-policy", "allkeys-lru");
    const { code, text } = await check(`shared: { limits: '${limits.url}', cache: '${cache.url}' }`);
    expect([code, text.includes("note:")]).toEqual([0, false]);
  });

  test("reports a server that does not answer, without its password", async () => {
    const { code, text } = await check("shared: { limits: 'valkey://me:pass-word@127.0.0.1:1/2' }");
    expect(code).toBe(0);
    expect(text).toContain("shared (limits): valkey://127.0.0.1:1/2 does not answer: ");
    expect(text).not.toContain("pass-word");
  });

  test("reports a wrong password as such", async () => {
    await using server = await startServer("--requirepass", "pass-word");
    const { text } = await check(`shared: { limits: 'redis://:guess@127.0.0.1:${server.port}' }`);
    expect(text).toContain("does not answer: WRONGPASS");
  });

  test("uses TLS for rediss:// and valkeys://, and trusts the CA in NODE_EXTRA_CA_CERTS", async () => {
    using authority = makeAuthority();
    const { cert, key } = authority.sign("localhost");
    using folder = temporaryFolder({ "ca.pem": authority.ca, "cert.pem": cert, "key.pem": key });
    const at = (name: string) => join(folder.path, name);
    await using server = await startServer(
      ...[
        "--tls-cert-file",
        at("cert.pem"),
        "--tls-key-file",
        at("key.pem"),
        "--tls-ca-cert-file",
        at("ca.pem"),
      ],
      ...["--tls-auth-clients", "no", "--tls-port", "0"],
      ...["--maxmemory", "50mb", "--maxmemory-policy", "volatile-lru"],
    );
    // The same port, now with TLS.
    await server.ask("CONFIG", "SET", "port", "0", "tls-port", String(server.port));
    const shared = `shared: { cache: 'valkeys://localhost:${server.port}' }`;
    const trusted = await check(shared, { NODE_EXTRA_CA_CERTS: at("ca.pem") });
    expect([trusted.code, trusted.text.includes("note:")]).toEqual([0, false]);
    const { text } = await check(shared);
    expect(text).toContain(`shared (cache): valkeys://localhost:${server.port} does not answer: `);
    expect(text).toMatch(/certificate|issuer|self.signed/i);
  });
});

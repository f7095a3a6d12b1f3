/**
 * The gateway as a TLS server: real processes, real certificates. A replaced certificate is used without dropping a request.
 */
import { describe, expect, test } from "bun:test";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { connect } from "node:tls";
import { makeAuthority } from "../certificates";
import { startServing, startUpstream, temporaryFolder, wireTo } from "../serving";

const byTls = (server: string) => `${server}, tls: { cert: ./server.pem, key: ./server.key }`;

/** The certificate that a new connection gets. */
function subjectAt(port: number, ca: string): Promise<string> {
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  const socket = connect({ port, host: "localhost", ca, servername: "localhost" }, () => {
    const { CN } = socket.getPeerCertificate().subject;
    resolve(String(CN));
    socket.destroy();
  });
  socket.on("error", reject);
  return promise;
}

const LINUX = process.platform === "linux";

describe.each([1, 2])("%d processes", (processes) => {
  test.skipIf(!LINUX)("serve https, and a replaced certificate without dropping a request", async () => {
    using authority = makeAuthority();
    const { ca } = authority;
    const first = authority.sign("first");
    using upstream = startUpstream({ holds: true });
    using folder = temporaryFolder({
      "gateway.yaml": wireTo(upstream, byTls(`host: localhost, processes: ${processes}`)),
      "server.pem": first.cert,
      "server.key": first.key,
    });
    await using child = await startServing(folder.path);
    expect(child.url).toStartWith("https://localhost:");
    const ask = (path: string, init: RequestInit = {}) =>
      fetch(`${child.url}${path}`, { ...init, tls: { ca } });
    const embed = (input: string) =>
      ask("/v1/embeddings", {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: JSON.stringify({ model: "m", input }),
      });
    expect(await subjectAt(child.port, ca)).toBe("first");
    // An unknown path gets the same answer as without TLS.
    for (const host of ["localhost", "a", "gw", "api"]) {
      const headers = { host };
      expect((await ask("/v1/embeddings", { headers })).status).toBe(405);
      expect((await ask("/healthz", { headers, method: "HEAD" })).status).toBe(200);
      // Its own path, and one with a model id that contains slashes.
      expect((await ask("/swagger/json", { headers })).status).toBe(host === "localhost" ? 200 : 403);
      expect((await ask("/v1/models/a/b", { headers })).status).toBe(host === "localhost" ? 404 : 403);
      expect((await ask("/nowhere/healthz", { headers })).status).toBe(404);
    }
    const underWay = embed("a");
    await upstream.reached(1);
    const second = authority.sign("second");
    // One file after the other, as they arrive: files that do not match yet are not used.
    writeFileSync(join(folder.path, "server.pem"), second.cert);
    await child.logged("keeping the previous configuration");
    expect(await subjectAt(child.port, ca)).toBe("first");
    writeFileSync(join(folder.path, "server.key"), second.key);
    await child.logged(processes === 1 ? "TLS certificate reloaded" : "config reloaded");
    // Processes that are being replaced accept connections for a moment longer.
    while ((await subjectAt(child.port, ca)) !== "second");
    for (let i = 0; i < 8; i++) expect(await subjectAt(child.port, ca)).toBe("second");
    upstream.release();
    expect((await underWay).status).toBe(200);
    expect((await embed("b")).status).toBe(200);
    child.signal("SIGTERM");
    expect(await child.ended()).toBe(0);
  });
});

test("another gateway on its port is refused, with TLS as without", async () => {
  using authority = makeAuthority();
  const { cert, key } = authority.sign("one");
  using upstream = startUpstream();
  using folder = temporaryFolder({
    "gateway.yaml": wireTo(upstream, byTls("host: localhost")),
    "server.pem": cert,
    "server.key": key,
  });
  await using child = await startServing(folder.path);
  await expect(startServing(folder.path, [], child.port)).rejects.toThrow("Cannot serve on localhost");
});

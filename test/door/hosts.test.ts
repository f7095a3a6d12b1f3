/**
 * A path's answer does not depend on the length of the host name (findings/elysia-short-host.sh).
 */
import { expect, test } from "bun:test";
import { startServing, startUpstream, temporaryFolder, wireTo } from "../serving";

const ASKED = [
  ["GET", "/v1/embeddings", 405, "POST"],
  ["PROPFIND", "/v1/embeddings", 405, "POST"],
  ["PUT", "/v1/models", 405, "GET"],
  ["DELETE", "/v1/models/a/b", 405, "GET"],
  ["DELETE", "/healthz", 405, "GET"],
  ["HEAD", "/healthz", 200, null],
  ["GET", "/healthz", 200, null],
  ["GET", "/swagger", 403, null],
  ["GET", "/nowhere/healthz", 404, null],
  ["GET", "/nowhere", 404, null],
] as const;

test("a path answers the same whatever Host the request has", async () => {
  using upstream = startUpstream();
  using folder = temporaryFolder({ "gateway.yaml": wireTo(upstream) });
  await using child = await startServing(folder.path);
  for (const host of ["a", "gw", "api", "gate", "a.very.long.name.example:8080"]) {
    for (const [method, path, status, allow] of ASKED) {
      const answer = await fetch(`${child.url}${path}`, { method, headers: { host } });
      expect([host, method, path, answer.status, answer.headers.get("allow")]).toEqual([
        host,
        method,
        path,
        status,
        allow,
      ]);
    }
  }
});

test.each(["[::1]evil", "[", "a:b:c", "%", "a:99999"])(
  "a Host that is no host, %s, is told so, on every path",
  async (host) => {
    using upstream = startUpstream();
    using folder = temporaryFolder({ "gateway.yaml": wireTo(upstream) });
    await using child = await startServing(folder.path);
    for (const path of [
      "/healthz",
      "/v1/models",
      "/swagger",
      "/v1/embeddings?key=eg-secret",
      "/nowhere",
      "/",
    ]) {
      const answer = await fetch(`${child.url}${path}`, { headers: { host } });
      const text = await answer.text();
      expect([path, answer.status, text]).toEqual([path, 400, expect.stringContaining("'Host'")]);
      expect(text).not.toContain("/src/");
    }
  },
);

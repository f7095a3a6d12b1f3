/** What a browser gets at `/`: small, compressed, only from the gateway; and that other clients get the same as before. */
import { expect, test } from "bun:test";
import { FAKE_YAML, openGateway } from "../gateway";

const BROWSER = { accept: "text/html,application/xhtml+xml,*/*;q=0.8" };
const GZIP = { "accept-encoding": "gzip, deflate, br" };
const FILES = ["/dashboard/dashboard.js", "/dashboard/dashboard.css"];
const BYTES_MAX = 60_000;

test("page, script and style are 60 KB, compressed, at most", async () => {
  await using open = await openGateway({ yaml: FAKE_YAML });
  let bytes = 0;
  for (const path of ["/", ...FILES]) {
    const response = await open.gateway.door.handle(
      new Request(`http://localhost:8080${path}`, { headers: { ...BROWSER, ...GZIP } }),
    );
    expect(response.headers.get("content-encoding")).toBe("gzip");
    const body = await response.bytes();
    expect(Bun.gunzipSync(body).length).toBeGreaterThan(body.length);
    bytes += body.length;
  }
  expect(bytes).toBeLessThanOrEqual(BYTES_MAX);
});

test("a browser gets the page, nothing external or inline may run in it, and it may not be framed", async () => {
  await using open = await openGateway({ yaml: FAKE_YAML });
  const { status, headers, text } = await open.send("/", { headers: BROWSER });
  expect(status).toBe(200);
  expect(headers.get("content-type")).toBe("text/html; charset=utf-8");
  const policy = headers.get("content-security-policy") ?? "";
  for (const words of [
    "default-src 'none'",
    "script-src 'self'",
    "style-src 'self'",
    "frame-ancestors 'none'",
  ])
    expect(policy).toContain(words);
  expect(policy).not.toContain("unsafe");
  expect(headers.get("x-frame-options")).toBe("DENY");
  expect(text).not.toMatch(/<style|style=|<script>|onload=/);
  expect([...text.matchAll(/(?:src|href)="([^"]+)"/g)].map(([, address]) => address)).toEqual([
    "data:,",
    "/dashboard/dashboard.css",
    "/dashboard/dashboard.js",
  ]);
});

test.each(["/", ...FILES])("%s is not sent again to a client that has it", async (path) => {
  await using open = await openGateway({ yaml: FAKE_YAML });
  const first = await open.send(path, { headers: BROWSER });
  const etag = first.headers.get("etag") ?? "";
  expect(first.headers.get("content-encoding")).toBeNull();
  const again = await open.send(path, { headers: { ...BROWSER, "if-none-match": `"other", W/${etag}` } });
  expect([again.status, again.text, again.headers.get("etag")]).toEqual([304, "", etag]);
});

test("clients other than browsers get at / the same as before there was a page", async () => {
  await using open = await openGateway({ yaml: FAKE_YAML });
  const asked: Record<string, string>[] = [{}, { accept: "*/*" }, { accept: "application/json" }];
  for (const headers of asked) {
    const { status, text } = await open.send("/", { headers });
    expect([status, text]).toEqual([200, "Ollama is running"]);
  }
  expect((await open.send("/", { method: "HEAD" })).status).toBe(200);
});

test("with keys the page itself needs none, and says that one must sign in; in open mode not", async () => {
  await using open = await openGateway({ yaml: FAKE_YAML });
  expect((await open.send("/", { headers: BROWSER })).text).toContain('data-mode="open"');
  await open.gateway.keys.create("ops", "default", true);
  const { status, text } = await open.send("/", { headers: BROWSER });
  expect(status).toBe(200);
  expect(text).toContain('data-mode="keys"');
});

test("in open mode only this machine gets it, and there are no other files", async () => {
  await using open = await openGateway({ yaml: FAKE_YAML });
  expect((await open.send("/", { headers: { ...BROWSER, host: "evil.example" } })).status).toBe(403);
  for (const path of ["/dashboard", "/dashboard/", "/dashboard/main.tsx", "/dashboard/..%2Fpackage.json"])
    expect([path, (await open.send(path, { headers: BROWSER })).status]).toEqual([path, 404]);
});

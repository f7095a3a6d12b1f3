/** /readyz: whether requests are accepted, and how much of the routing file can serve now, without calling or naming a provider. */

import { Database } from "bun:sqlite";
import { expect, test } from "bun:test";
import { openGateway } from "../gateway";
import { temporaryFolder } from "../serving";
import { onSqliteAlone } from "../stores/on-postgres";

const YAML = `
providers:
  dead: { plugin: openai, api_key: sk-1234567890, retries: 0 }
  good: { plugin: fake }
models:
  m: { routes: [ { provider: dead, model: text-embedding-3-small } ] }
  fake: { routes: [ { provider: good } ] }
space_probe: false
`;

test("a route whose circuit breaker is open is not available; the gateway is still ready", async () => {
  const fetch = async () => new Response("down", { status: 500 });
  await using open = await openGateway({ yaml: YAML, outside: { fetch } });
  const ready = async () => (await open.send("/readyz")).json;
  expect(await ready()).toMatchObject({ status: "ready", models: 2, routes: 2, routes_available: 2 });
  for (let i = 0; i < 5; i++) expect((await open.post({ model: "m", input: `${i}` })).status).toBe(503);
  expect(await ready()).toMatchObject({ status: "ready", models: 2, routes: 2, routes_available: 1 });
  expect(JSON.stringify(await ready())).not.toContain("dead");
});

test.skipIf(onSqliteAlone("locks SQLite's file; stores/postgres.test.ts has servers that do not answer"))(
  "is 503 while another process has the database locked for long, and 200 again after it",
  async () => {
    using folder = temporaryFolder();
    const path = `${folder.path}/gateway.db`;
    let now = 0;
    const sleep = async (ms: number) => {
      now += ms;
    };
    await using open = await openGateway({
      yaml: `${YAML}database: "sqlite:${path}"\n`,
      outside: { monotonic: () => now, sleep },
    });
    const ready = async () => (await open.send("/readyz")).status;
    using other = new Database(path, { strict: true });
    other.run("BEGIN IMMEDIATE");
    expect(await ready()).toBe(200);
    expect((await open.post({ model: "fake", input: "a" })).status).toBe(503);
    expect(await ready()).toBe(503);
    other.run("COMMIT");
    expect(await ready()).toBe(200);
  },
);

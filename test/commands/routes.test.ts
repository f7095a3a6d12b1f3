/**
 * `check` and `models` as a user types them, from source: notes, a provider's answers, and the state of each route.
 */
import { expect, test } from "bun:test";
import { runCommand } from "../command-line";
import { postTo, startServing, startUpstream, temporaryFolder } from "../serving";

const UNSET = `
providers:
  a: { plugin: openai, api_key: "\${NO_SUCH_KEY}" }
  b: { plugin: fake }
models:
  m: { routes: [ { provider: a, model: fake-8, weight: 3 }, { provider: b, model: fake-8, weight: 1 } ] }
  n: { alias_of: m }
# Of a server's there would be a note.
database: "sqlite:./data/embedgate.db"
`;

test("an unset variable is a note, with --strict a failure, and with --json a position for an editor", async () => {
  using folder = temporaryFolder({ "other.yaml": UNSET });
  const check = (...args: string[]) => runCommand(["check", "other.yaml", ...args], { folder: folder.path });
  const plain = await check();
  expect([plain.code, plain.errors]).toEqual([0, expect.stringContaining("note: other.yaml:3:")]);
  expect(plain.out).toBe("other.yaml is valid: 2 models, 1 of 2 providers configured.\n");
  const strict = await check("--strict");
  expect([strict.code, strict.out]).toEqual([1, ""]);
  expect(strict.errors).toContain("fails with --strict, by 1 note");
  const told = await check("--strict", "--json");
  expect([told.code, told.errors]).toEqual([1, ""]);
  expect(JSON.parse(told.out)).toMatchObject({
    ok: false,
    problems: [],
    notes: [{ file: "other.yaml", line: 3, path: "providers.a.api_key" }],
    asked: null,
  });
  const twice = await check("--config", "other.yaml");
  expect([twice.code, twice.errors]).toEqual([2, expect.stringContaining("once")]);
});

test("--online sends one text for each model of each provider after saying so, and fails if one does not answer", async () => {
  let calls = 0;
  using upstream = startUpstream({ onCall: () => (calls += 1) });
  const yaml = (dead: string) => `
providers:
  a: { plugin: openai, base_url: "${upstream.url}" }
  b: { plugin: openai, base_url: "${dead}" }
models:
  m: { routes: [ { provider: a }, { provider: b } ] }
  n: { routes: [ { provider: a, model: m } ] }
  "x/*": { routes: [ { provider: a } ] }
`;
  using folder = temporaryFolder({
    "dead.yaml": yaml("http://127.0.0.1:9/v1"),
    "right.yaml": yaml(`${upstream.url}`),
  });
  const dead = await runCommand(["check", "dead.yaml", "--online"], { folder: folder.path });
  expect([dead.code, calls]).toEqual([1, 1]);
  expect(dead.errors).toContain("Sends 2 requests with one short text each.");
  expect(dead.errors).toContain("Patterns are skipped");
  expect(dead.out).toMatch(/m +a +m +\d+ +ok, 8 dimensions/);
  expect(dead.out).toContain("could not be reached");
  expect(dead.errors).toContain("dead.yaml fails with --online, by 1 of 2 requests: 3 models");
  expect(dead.out).not.toContain("is valid");
  const right = await runCommand(["check", "right.yaml", "--online", "--json"], { folder: folder.path });
  expect([right.code, JSON.parse(right.out)]).toMatchObject([
    0,
    {
      ok: true,
      asked: [
        { provider: "a", error: null },
        { provider: "b", error: null },
      ],
    },
  ]);
});

test("models has a row for each route, with what is not configured, aliases, weights and spaces", async () => {
  using folder = temporaryFolder({ "gateway.yaml": UNSET });
  const { code, out } = await runCommand(["models", "--json"], { folder: folder.path });
  expect(code).toBe(0);
  expect(JSON.parse(out)).toMatchObject([
    {
      id: "m",
      provider: "a",
      upstream_model: "fake-8",
      weight: 3,
      state: "not_configured",
      note: "NO_SUCH_KEY not set",
    },
    { id: "m", provider: "b", upstream_model: "fake-8", weight: 1, state: "unknown", dimensions: 8 },
    { id: "n", provider: null, state: "alias", note: "of m" },
  ]);
});

test("models shows a provider's own message about the gateway's key, not the one for callers", async () => {
  const refusal = { error: { message: "no such key at all" } };
  await using upstream = Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    fetch: () => Response.json(refusal, { status: 401 }),
  });
  using folder = temporaryFolder({
    "gateway.yaml": `
space_probe: false
providers: { a: { plugin: openai, base_url: "${upstream.url}v1", retries: 0 } }
models: { m: { routes: [ { provider: a } ] } }
`,
  });
  await using gateway = await startServing(folder.path);
  const answer = await postTo(gateway.url, { model: "m", input: "a" });
  expect(await answer.text()).not.toContain("no such key at all");
  const { out } = await runCommand(["models", "--url", gateway.url], { folder: folder.path });
  expect(out).toContain("no such key at all");
  expect(out).not.toContain("your key");
});

test("models shows the state and the last error of each route of a running gateway, with an admin key", async () => {
  using folder = temporaryFolder({
    "gateway.yaml": `
space_probe: false
providers: { dead: { plugin: openai, base_url: "http://127.0.0.1:9/v1", retries: 0 } }
models: { m: { routes: [ { provider: dead } ] } }
`,
  });
  await using gateway = await startServing(folder.path);
  const models = (...args: string[]) =>
    runCommand(["models", "--url", gateway.url, ...args], { folder: folder.path });
  expect((await postTo(gateway.url, { model: "m", input: "a" })).status).toBe(503);
  const once = JSON.parse((await models("--json")).out);
  expect(once).toMatchObject([
    {
      state: "serving",
      last_error: { kind: "unavailable", message: expect.stringContaining("ECONNREFUSED") },
    },
  ]);
  for (let i = 0; i < 5; i++) await postTo(gateway.url, { model: "m", input: "a" });
  expect((await models()).out).toMatch(/m +dead +m +m .*(open|half open) +\d{4}-.*ECONNREFUSED/);
  const made = await runCommand(["keys", "create", "--name", "root", "--admin", "--json"], {
    folder: folder.path,
  });
  const refused = await models();
  expect(refused.errors).toContain("give an admin key with --key");
  expect(refused.out).toContain("unknown");
  const { key } = JSON.parse(made.out);
  const shown = await runCommand(["models", "--url", gateway.url], {
    folder: folder.path,
    environment: { EMBEDGATE_ADMIN_KEY: key },
  });
  expect([shown.errors, shown.out]).toEqual(["", expect.stringContaining("open")]);
});

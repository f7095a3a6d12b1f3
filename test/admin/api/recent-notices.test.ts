/** Notices about the last minutes: what became slow, fails, or spends too fast is reported with a command; an ordinary day is not. */
import { expect, test } from "bun:test";
import { quoted } from "../../../src/admin/api/quoted";
import { openWorld } from "../../dashboard/world";
import { FAKE_YAML, type OpenGateway, openGateway } from "../../gateway";

interface Notice {
  readonly kind: string;
  readonly severity: string;
  readonly message: string;
  readonly command: string | null;
  readonly workspace: string | null;
}

async function noticesOf(open: OpenGateway, key?: string): Promise<readonly Notice[]> {
  const headers: Record<string, string> = key === undefined ? {} : { authorization: `Bearer ${key}` };
  const { json } = await open.send("/admin/v1/notices", { headers });
  return Object(json).notices;
}

const RECENT = ["slow", "failing", "spending"];

test("a slow provider and a workspace that spends far more than usual are reported, each with a command", async () => {
  await using world = await openWorld("planted");
  const recent = (await noticesOf(world.open, world.adminKey)).filter(({ kind }) => RECENT.includes(kind));
  expect(recent.map(({ kind, severity, command }) => [kind, severity, command])).toContainEqual([
    "slow",
    "warning",
    "embedgate requests list --model text-embedding-3-small --provider eu",
  ]);
  const [spending, ...others] = recent.filter(({ kind }) => kind === "spending");
  expect(others).toEqual([]);
  expect(spending).toMatchObject({
    workspace: "batch-import",
    // Not in the last hour of a day: the cap then begins anew before it is reached.
    message: expect.stringMatching(
      /spends \$\d+\.\d\d an hour, \d+ times as much as usual(?:: it reaches its cap of \$5 a day in \d+ minutes)?\./,
    ),
    command: "embedgate workspaces set batch-import --cap-usd-per-day 10",
  });
});

test("an ordinary day has no notices", async () => {
  await using world = await openWorld("none");
  const recent = (await noticesOf(world.open, world.adminKey)).filter(({ kind }) => RECENT.includes(kind));
  expect(recent).toEqual([]);
});

const OPEN = `${FAKE_YAML}
  fake-down: { routes: [ { provider: fake } ] }
auth: { mode: open }
`;

test("requests that fail at a provider are reported, even before its circuit breaker stays open; callers' mistakes are not", async () => {
  let now = 1_800_000_000_000;
  await using open = await openGateway({ yaml: OPEN, outside: { now: () => now, sleep: async () => {} } });
  for (let i = 0; i < 6; i++) await open.post({ model: "fake-8", input: "" });
  for (let i = 0; i < 6; i++) await open.post({ model: "fake-down", input: `text ${i}` });
  const kinds = (await noticesOf(open)).map(({ kind, message }) => [kind, message.includes("fake-down")]);
  expect(kinds.filter(([kind]) => kind === "failing" || kind === "circuit_open")).toHaveLength(1);
  now += 11 * 60_000;
  expect((await noticesOf(open)).filter(({ kind }) => RECENT.includes(kind))).toEqual([]);
});

test("what changes after minutes of ordinary traffic is named within a minute: a slow provider, and how fast a workspace spends now", async () => {
  let now = Date.UTC(2027, 0, 15, 20, 9);
  let takesMs = 40;
  const fetch = async (_: string, { body }: RequestInit) => {
    const { input }: { input: string[] } = JSON.parse(String(body));
    now += takesMs;
    const data = input.map((_text, index) => ({ index, embedding: [0.6, 0.8] }));
    return Response.json({ data, usage: { prompt_tokens: 20, total_tokens: 20 } });
  };
  await using open = await openGateway({
    yaml: `providers: { eu: { plugin: openai, base_url: "http://eu/v1" } }
models: { m: { dimensions: 2, price: 1000, uncounted: send, routes: [ { provider: eu } ] } }
auth: { mode: open }
space_probe: false
workspace_defaults: { cap_usd_per_day: 200 }
`,
    outside: { now: () => Math.floor(now), monotonic: () => now, fetch },
  });
  let count = 0;
  const minute = async (requests: number) => {
    const ends = now - (now % 60_000) + 60_000;
    for (let i = 0; i < requests; i++)
      expect(
        (await open.post({ model: "m", input: `some words of a text that is number ${count++}` })).status,
      ).toBe(200);
    now = Math.max(now, ends);
  };
  for (let i = 0; i < 9; i++) await minute(20);
  expect((await noticesOf(open)).filter(({ kind }) => RECENT.includes(kind))).toEqual([]);
  takesMs = 1_000;
  await minute(50);
  const [slow, spending] = (await noticesOf(open))
    .filter(({ kind }) => RECENT.includes(kind))
    .sort((a, b) => (a.kind < b.kind ? -1 : 1));
  expect(slow?.message).toMatch(
    /^'eu' is slow for m: half of its answers take longer than 700 ms in the last minute/,
  );
  expect(spending).toBeUndefined();
  takesMs = 1;
  await minute(400);
  const found = (await noticesOf(open)).find(({ kind }) => kind === "spending");
  // At the speed of the last two minutes. At that of all ten it would be in two hours and a half.
  expect(found?.message).toMatch(/it reaches its cap of \$200 a day in 4\d minutes\./);
});

test("several providers that become slow at once are not accused: it is the machine", async () => {
  let now = Date.UTC(2027, 0, 15, 20, 9);
  const slow = new Set<string>();
  const names = ["eu", "us", "asia", "lab"];
  const fetch = async (url: string, { body }: RequestInit) => {
    const { input }: { input: string[] } = JSON.parse(String(body));
    now += slow.has(new URL(url).hostname) ? 900 : 20;
    const data = input.map((_text, index) => ({ index, embedding: [0.6, 0.8] }));
    return Response.json({ data, usage: { prompt_tokens: 20, total_tokens: 20 } });
  };
  await using open = await openGateway({
    yaml: `providers:
${names.map((name) => `  ${name}: { plugin: openai, base_url: "http://${name}/v1" }`).join("\n")}
models:
${names.map((name) => `  ${name}: { dimensions: 2, price: 0, uncounted: send, routes: [ { provider: ${name} } ] }`).join("\n")}
auth: { mode: open }
space_probe: false
`,
    outside: { now: () => now, monotonic: () => now, fetch },
  });
  let count = 0;
  const minute = async () => {
    const ends = now - (now % 60_000) + 60_000;
    for (let i = 0; i < 12; i++)
      for (const model of names) await open.post({ model, input: `a text that is number ${count++}` });
    now = Math.max(now, ends);
  };
  const told = async () =>
    (await noticesOf(open)).map(({ kind, message }) => [kind, message.split(" became slow")[0]]);
  for (let i = 0; i < 4; i++) await minute();
  expect(await told()).toEqual([]);
  slow.add("eu").add("us");
  await minute();
  expect((await noticesOf(open)).map(({ message }) => message.split(" ")[0])).toEqual(["'eu'", "'us'"]);
  slow.add("asia");
  await minute();
  expect(await told()).toEqual([["slow", "'asia', 'eu', 'us'"]]);
});

/** A gateway on which one workspace spends, minute by minute. */
async function openSpender() {
  let now = Date.UTC(2027, 0, 15, 20, 9);
  const open = await openGateway({
    yaml: OPEN.replace("price: 0.02", "price: 1000"),
    outside: { now: () => now, monotonic: () => now },
  });
  return {
    open,
    async minute(requests: number) {
      for (let i = 0; i < requests; i++) await open.post({ model: "fake-8", input: `${now} ${i} words` });
      now += 60_000;
    },
    spending: async () => (await noticesOf(open)).filter(({ kind }) => kind === "spending"),
    [Symbol.asyncDispose]: () => open[Symbol.asyncDispose](),
  };
}

test("a workspace that spends far more than minutes before is named, also without a cap and a day to compare with", async () => {
  await using spender = await openSpender();
  const { minute, spending } = spender;
  for (let i = 0; i < 3; i++) await minute(3);
  expect(await spending()).toEqual([]);
  await minute(60);
  expect((await spending()).map(({ workspace }) => workspace)).toEqual(["default"]);
  expect((await spending())[0]?.message).toMatch(
    /^'default' spends \$\d+\.\d\d an hour, \d+ times as much as minutes before\.$/,
  );
});

test("a workspace that spends as before again, or whose cap was raised, is no notice any more", async () => {
  await using spender = await openSpender();
  const { minute, spending } = spender;
  for (let i = 0; i < 3; i++) await minute(6);
  await minute(60);
  expect(await spending()).toHaveLength(1);
  for (let i = 0; i < 5; i++) await minute(6);
  expect(await spending()).toEqual([]);

  await spender.open.gateway.workspaces.set("default", { cap_usd_per_day: 0 });
  await minute(6);
  expect((await spending())[0]?.message).toStartWith("'default' has reached a spending cap");
  await spender.open.gateway.workspaces.set("default", { cap_usd_per_day: 10_000 });
  for (let i = 0; i < 2; i++) await minute(12);
  expect(await spending()).toEqual([]);
});

test("requests that failed are no notice any more once later ones are answered", async () => {
  let now = Date.UTC(2027, 0, 15, 20, 9);
  let status = 200;
  await using open = await openGateway({
    yaml: `providers: { eu: { plugin: openai, base_url: "http://eu/v1" } }
models: { m: { dimensions: 2, uncounted: send, routes: [ { provider: eu } ] } }
auth: { mode: open }
space_probe: false
`,
    outside: {
      now: () => now,
      monotonic: () => now,
      sleep: async () => {},
      async fetch() {
        if (status !== 200) return Response.json({ error: { message: "Payment overdue." } }, { status });
        return Response.json({ data: [{ index: 0, embedding: [0.6, 0.8] }], usage: { prompt_tokens: 3 } });
      },
    },
  });
  const minute = async (requests: number) => {
    for (let i = 0; i < requests; i++) await open.post({ model: "m", input: `${now} ${i}` });
    now += 60_000;
  };
  const failing = async () =>
    (await noticesOf(open)).filter(({ kind }) => kind === "failing" || kind === "circuit_open");
  status = 503;
  await minute(8);
  expect((await failing()).length).toBe(1);
  status = 200;
  for (let i = 0; i < 3; i++) await minute(12);
  expect(await failing()).toEqual([]);
});

test("a workspace whose requests are refused for lack of credit is an error", async () => {
  await using open = await openGateway({ yaml: OPEN });
  await open.gateway.workspaces.ensure("default");
  await open.gateway.workspaces.setCredits("default", 0n, "");
  const { status } = await open.post({ model: "fake-8", input: "a" });
  expect(status).toBe(402);
  const [notice] = (await noticesOf(open)).filter(({ kind }) => kind === "spending");
  expect(notice).toMatchObject({
    severity: "error",
    message: "'default' has no credits left: 1 request was refused in the last 10 minutes.",
    command: "embedgate credits grant default 100",
  });
  await open.gateway.workspaces.setCredits("default", null, "");
  await open.gateway.workspaces.set("default", { cap_usd_per_day: 0 });
  expect((await open.post({ model: "fake-8", input: "a" })).status).toBe(402);
});

test.each([
  ["search", "search"],
  ["openai/text-embedding-3-small", "openai/text-embedding-3-small"],
  ["a b", "'a b'"],
  ["x'; rm -rf ~", `'x'\\''; rm -rf ~'`],
  ["$(id)", "'$(id)'"],
])("%s is one word to a shell", (name, words) => {
  expect(quoted(name)).toBe(words);
  expect(Bun.spawnSync(["bash", "-c", `printf %s ${words}`]).stdout.toString()).toBe(name);
});

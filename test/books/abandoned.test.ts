/** Calls that were sent and not answered must be paid for: they always count for caps, and for credits unless the routing file waives it. */
import { Database } from "bun:sqlite";
import { describe, expect, test } from "bun:test";
import { join } from "node:path";
import { type OpenGateway, openGateway } from "../gateway";

interface Vendor {
  calls: number;
  /** For each call, how long it takes; undefined: it never answers. */
  answersAfterMs: (call: number) => number | undefined;
}

/** A million tokens cost a USD, so a token costs a micro-credit; without a count four bytes are a token. */
async function open(
  more: string,
  vendor: Vendor,
  provider = ", retries: 0",
  model = "",
): Promise<OpenGateway> {
  const yaml = `space_probe: false
providers: { wire: { plugin: openai, base_url: "http://upstream/v1"${provider} } }
models: { m: { routes: [ { provider: wire } ], price: 1, dimensions: 2${model} } }
${more}
`;
  return openVendor(yaml, vendor);
}

async function openVendor(yaml: string, vendor: Vendor): Promise<OpenGateway> {
  const fetch = async (_: string, { signal, body }: RequestInit) => {
    vendor.calls += 1;
    const ms = vendor.answersAfterMs(vendor.calls);
    const { input }: { readonly input: readonly string[] } = JSON.parse(String(body));
    await new Promise((resolve, reject) => {
      const stop = () => reject(signal?.reason);
      if (signal?.aborted) stop();
      signal?.addEventListener("abort", stop);
      if (ms !== undefined) setTimeout(resolve, ms);
    });
    const data = input.map((_text, index) => ({ index, embedding: [0.6, 0.8] }));
    return Response.json({ data, usage: { prompt_tokens: 2 * input.length } });
  };
  const opened = await openGateway({ readsFile: true, yaml, outside: { fetch } });
  await opened.gateway.workspaces.create("team", {}, 1_000n);
  return opened;
}

const TEXT = "sixteen letters!";
const ESTIMATE = 4n;

/** @returns the answer, once it has come; without a signal the test waits for it */
async function ask(
  opened: OpenGateway,
  key: string,
  input: string | readonly string[],
  signal?: AbortSignal,
) {
  return opened.send("/v1/embeddings", {
    method: "POST",
    headers: { "content-type": "application/json", authorization: `Bearer ${key}` },
    body: JSON.stringify({ model: "m", input }),
    signal: signal ?? null,
  });
}

interface Booked {
  readonly upstream: bigint;
  readonly abandoned: bigint;
  readonly billed: bigint;
  readonly sources: string | null;
  readonly cost: bigint;
  readonly spent: bigint;
  readonly left: bigint;
  readonly held: bigint;
}

function booked(opened: OpenGateway): Booked | null {
  const database = new Database(join(opened.folder, "data/embedgate.db"), {
    readonly: true,
    safeIntegers: true,
  });
  const row = database
    .query<Booked, []>(
      `SELECT sum(tokens_upstream) AS upstream, sum(tokens_abandoned) AS abandoned, sum(tokens_billed) AS billed,
         group_concat(DISTINCT tokens_source) AS sources, sum(cost_pico_usd) / 1000000 AS cost,
         (SELECT sum(cost_pico_usd) / 1000000 FROM spending) AS spent,
         (SELECT micro_credits FROM workspaces WHERE name = 'team') AS left,
         (SELECT micro_credits_held + pico_usd_held FROM workspaces WHERE name = 'team') AS held
       FROM ledger`,
    )
    .get();
  database.close();
  return row;
}

async function hangUp(opened: OpenGateway, key: string, vendor: Vendor, input: string): Promise<number> {
  const client = new AbortController();
  const before = vendor.calls;
  const sent = ask(opened, key, input, client.signal);
  while (vendor.calls === before) await new Promise(setImmediate);
  client.abort();
  return (await sent).status;
}

const never = (): Vendor => ({ calls: 0, answersAfterMs: () => undefined });

describe("callers that hang up", () => {
  test.each([
    ["", 20n * ESTIMATE],
    ["money: { abandoned: charge }", 20n * ESTIMATE],
    ["money: { abandoned: waive }", 0n],
  ])("20 of them, with %p", async (money, charged) => {
    const vendor = never();
    await using opened = await open(money, vendor);
    const { key } = await opened.gateway.keys.create("ci", "team");
    for (let i = 0; i < 20; i++) expect(await hangUp(opened, key, vendor, TEXT)).toBe(499);
    expect(vendor.calls).toBe(20);
    expect(booked(opened)).toEqual({
      upstream: 20n * ESTIMATE,
      abandoned: 20n * ESTIMATE,
      billed: charged,
      sources: "estimated",
      cost: 20n * ESTIMATE,
      spent: 20n * ESTIMATE,
      left: 1_000n - charged,
      held: 0n,
    });
  });

  test.each(["charge", "waive"])("use up a cap (abandoned: %s)", async (abandoned) => {
    const vendor = never();
    // Five times four tokens of a micro-USD each; the next request may cost more than is left.
    const more = `money: { abandoned: ${abandoned} }\nworkspace_defaults: { cap_usd_per_day: 0.00002 }`;
    await using opened = await open(more, vendor);
    const { key } = await opened.gateway.keys.create("ci", "team");
    for (let i = 0; i < 5; i++) expect(await hangUp(opened, key, vendor, TEXT)).toBe(499);
    expect((await ask(opened, key, TEXT)).status).toBe(402);
    expect(vendor.calls).toBe(5);
  });

  test("before anything was sent owe nothing", async () => {
    const vendor = never();
    await using opened = await open("", vendor, ", retries: 0, concurrency: 1");
    const { key } = await opened.gateway.keys.create("ci", "team");
    const first = new AbortController();
    const under = ask(opened, key, TEXT, first.signal);
    while (vendor.calls === 0) await new Promise(setImmediate);
    const queued = new AbortController();
    const waiting = ask(opened, key, "another sixteen!", queued.signal);
    await new Promise((resolve) => setTimeout(resolve, 20));
    queued.abort();
    expect((await waiting).status).toBe(499);
    expect(booked(opened)?.abandoned).toBe(0n);
    first.abort();
    await under;
    expect(booked(opened)).toMatchObject({ abandoned: ESTIMATE, left: 1_000n - ESTIMATE, held: 0n });
  });

  test("while several requests share a call pay for their own part, whether all leave or some stay", async () => {
    const vendor: Vendor = { calls: 0, answersAfterMs: () => 60 };
    await using opened = await open("", vendor, ", coalesce_ms: 20");
    const { key } = await opened.gateway.keys.create("ci", "team");
    const clients = [0, 1, 2].map(() => new AbortController());
    const sent = clients.map(({ signal }, i) => ask(opened, key, `${TEXT.slice(0, 15)}${i}`, signal));
    while (vendor.calls === 0) await new Promise(setImmediate);
    clients[0]?.abort();
    expect((await Promise.all(sent)).map(({ status }) => status)).toEqual([499, 200, 200]);
    expect(vendor.calls).toBe(1);
    // Six tokens were counted for all three.
    expect(booked(opened)).toMatchObject({
      upstream: 4n + ESTIMATE,
      abandoned: ESTIMATE,
      billed: 4n + ESTIMATE,
    });
    const all = [0, 1].map(() => new AbortController());
    const gone = all.map(({ signal }, i) => ask(opened, key, `seventeen letter${i}`, signal));
    while (vendor.calls === 1) await new Promise(setImmediate);
    for (const client of all) client.abort();
    expect((await Promise.all(gone)).map(({ status }) => status)).toEqual([499, 499]);
    // Seventeen bytes are five tokens.
    expect(booked(opened)).toMatchObject({
      abandoned: ESTIMATE + 10n,
      left: 1_000n - 4n - ESTIMATE - 10n,
      held: 0n,
    });
  });
});

/** The very first call may take longer than `timeout_ms`: a model may be loading. */
async function loaded(opened: OpenGateway, key: string): Promise<void> {
  expect((await ask(opened, key, "the first text")).status).toBe(200);
}

describe("a call that times out", () => {
  test("is charged with the failure that it leads to", async () => {
    const vendor: Vendor = { calls: 0, answersAfterMs: (call) => (call === 1 ? 0 : undefined) };
    await using opened = await open("", vendor, ", retries: 0, timeout_ms: 20");
    const { key } = await opened.gateway.keys.create("ci", "team");
    await loaded(opened, key);
    expect((await ask(opened, key, TEXT)).status).toBe(504);
    expect(booked(opened)).toMatchObject({
      upstream: 2n + ESTIMATE,
      billed: 2n + ESTIMATE,
      abandoned: ESTIMATE,
      left: 1_000n - 2n - ESTIMATE,
    });
  });

  test("is charged in addition to the successful call, and is not part of the usage", async () => {
    const vendor: Vendor = { calls: 0, answersAfterMs: (call) => (call === 2 ? undefined : 0) };
    await using opened = await open("", vendor, ", retries: 1, timeout_ms: 50");
    const { key } = await opened.gateway.keys.create("ci", "team");
    await loaded(opened, key);
    const sent = await ask(opened, key, TEXT);
    expect([sent.status, vendor.calls]).toEqual([200, 3]);
    expect(Object(sent.json).usage).toEqual({ prompt_tokens: 2, total_tokens: 2 });
    expect(booked(opened)).toMatchObject({
      upstream: 2n + ESTIMATE + 2n,
      billed: 2n + ESTIMATE + 2n,
      left: 1_000n - 2n - ESTIMATE - 2n,
    });
  });
});

test("upstream cost includes abandoned calls", async () => {
  const vendor: Vendor = { calls: 0, answersAfterMs: (call) => (call === 2 ? undefined : 0) };
  const yaml = `space_probe: false
providers: { wire: { plugin: openai, base_url: "http://upstream/v1", retries: 1, timeout_ms: 50 } }
models: { m: { routes: [ { provider: wire, price: 3 } ], price: 1, dimensions: 2 } }
`;
  await using opened = await openVendor(yaml, vendor);
  const { key } = await opened.gateway.keys.create("ci", "team");
  await loaded(opened, key);
  expect(await hangUp(opened, key, vendor, TEXT)).toBe(499);
  expect((await ask(opened, key, TEXT)).status).toBe(200);
  expect(await opened.gateway.ledger.usage(0, "provider", { workspace: "team" })).toMatchObject([
    {
      group: "wire",
      requests: 3n,
      tokens_upstream: 2n + ESTIMATE + 2n,
      upstream_pico_usd: (2n + ESTIMATE + 2n) * 3_000_000n,
    },
  ]);
});

test("a hedged call that was answered later is paid for too", async () => {
  const vendor: Vendor = { calls: 0, answersAfterMs: (call) => (call === 1 ? undefined : 0) };
  await using opened = await open("", vendor, "", ", hedge_after_ms: 10");
  const { key } = await opened.gateway.keys.create("ci", "team");
  const sent = await ask(opened, key, TEXT);
  expect([sent.status, vendor.calls]).toEqual([200, 2]);
  expect(Object(sent.json).usage.total_tokens).toBe(2);
  expect(booked(opened)).toMatchObject({
    upstream: ESTIMATE + 2n,
    abandoned: ESTIMATE,
    left: 1_000n - ESTIMATE - 2n,
    held: 0n,
  });
});

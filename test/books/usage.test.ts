/**
 * Sums of the ledger: by several groups at once, of one workspace, by requests' metadata.
 */
import { describe, expect, test } from "bun:test";
import type { UsageFilter, UsageGroup } from "../../src/books/usage";
import { FAKE_YAML, type OpenGateway, openGateway } from "../gateway";
import { HOLDING } from "./lives";

const YAML = `${FAKE_YAML}
  dear: { routes: [ { provider: fake, model: fake } ], price: 1 }
`;

async function withRequests(): Promise<OpenGateway> {
  let now = Date.UTC(2027, 0, 1, 23);
  const open = await openGateway({ readsFile: true, yaml: YAML, outside: { now: () => now } });
  const keys = new Map<string, string>();
  for (const workspace of ["acme", "beta"])
    keys.set(workspace, (await open.gateway.keys.create("k", workspace)).key);
  const asked: readonly (readonly [string, string, object | undefined])[] = [
    ["acme", "dear", { feature: "search", run: 7, live: true }],
    ["acme", "fake", { feature: "search", run: "7", live: false }],
    ["beta", "dear", { feature: "chat" }],
    [
      "acme",
      "dear",
      { project: { team: "search", "a b": [{ id: 7 }] }, tags: ["x", "y"], "a.b": null, none: null },
    ],
  ];
  for (const [workspace, model, metadata] of asked) {
    const headers = { authorization: `Bearer ${keys.get(workspace)}` };
    const tags = metadata === undefined ? {} : { metadata };
    const { status } = await open.post({ model, input: "two words", ...tags }, headers);
    if (status !== 200) throw new Error(`the test's own request got ${status}`);
    now += 1_800_000;
  }
  return open;
}

async function groups(open: OpenGateway, by: readonly UsageGroup[], filter: UsageFilter = {}) {
  return (await open.gateway.ledger.usage(0, by, filter)).map((line) => [
    ...line.groups,
    Number(line.requests),
  ]);
}

test("several groups make a line for each combination, in the order asked for", async () => {
  await using open = await withRequests();
  expect(await groups(open, ["model", "day"])).toEqual([
    ["dear", "2027-01-01", 1],
    ["dear", "2027-01-02", 2],
    ["fake", "2027-01-01", 1],
  ]);
  expect(await groups(open, ["workspace", "model"])).toEqual([
    ["acme", "dear", 2],
    ["acme", "fake", 1],
    ["beta", "dear", 1],
  ]);
  expect(await open.gateway.ledger.usage(0, "day")).toMatchObject([
    { group: "2027-01-01" },
    { group: "2027-01-02" },
  ]);
});

describe("filters: only these requests are summed", () => {
  const pairs = (entries: Readonly<Record<string, string>>) => new Map(Object.entries(entries));
  const CASES: readonly (readonly [string, UsageFilter, number])[] = [
    ["of a workspace", { workspace: "acme" }, 3],
    ["of a workspace that has none", { workspace: "nobody" }, 0],
    ["with a word of metadata", { metadata: pairs({ feature: "search" }) }, 2],
    ["with a number, also where it came as text", { metadata: pairs({ run: "7" }) }, 2],
    ["with a truth value", { metadata: pairs({ live: "true" }) }, 1],
    ["with the other truth value", { metadata: pairs({ live: "false" }) }, 1],
    ["with all that is asked for", { metadata: pairs({ feature: "search", live: "true" }) }, 1],
    ["with both in one workspace", { workspace: "beta", metadata: pairs({ feature: "search" }) }, 0],
    ["whose value is the whole word", { metadata: pairs({ feature: "sear" }) }, 0],
    ["with a value within an object", { metadata: pairs({ "project.team": "search" }) }, 1],
    ["with a value in a list, by its place", { metadata: pairs({ "tags[1]": "y" }) }, 1],
    ["with a value in a list, by its other place", { metadata: pairs({ "tags[0]": "y" }) }, 0],
    ["with a value anywhere in a list", { metadata: pairs({ tags: "y" }) }, 1],
    ["with a value in an object in a list", { metadata: pairs({ "project.a b[0].id": "7" }) }, 1],
    ["whose member is not the object's own value", { metadata: pairs({ project: "search" }) }, 0],
    ["by a path that leads nowhere", { metadata: pairs({ "project.team.name": "search" }) }, 0],
    ["by what is no path", { metadata: pairs({ 'project."team[': "search", "..": "x", "[0]": "x" }) }, 0],
    ["whose key is no expression", { metadata: pairs({ "feature' OR 1=1 --": "x" }) }, 0],
  ];
  test.each(CASES)("%s", async (_, filter, count) => {
    await using open = await withRequests();
    const requests = (await groups(open, ["model"], filter)).reduce((sum, line) => sum + Number(line[1]), 0);
    expect(requests).toBe(count);
  });
});

describe("by provider, status and code", () => {
  const yaml = `
providers:
  one: { plugin: fake, retries: 0 }
  other: { plugin: fake, retries: 0 }
models:
  m: { routes: [ { provider: one, model: fake, price: 1 }, { provider: other, model: fake, price: 2 } ], price: 4 }
  m-down: { routes: [ { provider: one, model: fake-down } ] }
`;
  test("each provider has its tokens and what they cost there, whatever the workspace pays", async () => {
    await using open = await openGateway({ readsFile: true, yaml });
    for (const provider of ["one", "other", "other"]) {
      const sent = await open.post({ model: "m", input: "two words" }, { "x-embedgate-provider": provider });
      expect(sent.status).toBe(200);
    }
    await open.post({ model: "m-down", input: "two words" });
    const { ledger } = open.gateway;
    expect(await groups(open, ["provider", "status", "code"], { workspace: "default" })).toEqual([
      ["one", "200", "", 1],
      ["one", "503", "upstream_unavailable", 1],
      ["other", "200", "", 2],
    ]);
    const [one, other] = await ledger.usage(0, "provider", { workspace: "default" });
    expect(one).toMatchObject({
      tokens_upstream: 2n,
      upstream_pico_usd: 2_000_000n,
      cost_pico_usd: 8_000_000n,
    });
    expect(other).toMatchObject({
      tokens_upstream: 4n,
      upstream_pico_usd: 8_000_000n,
      cost_pico_usd: 16_000_000n,
    });
  });

  test("a request that several counted for is taken to pieces, and whatever is summed comes to the same", async () => {
    await using open = await openGateway({ readsFile: true, yaml });
    const row = {
      request_id: "req_1",
      started_at: 1,
      workspace: "default",
      key_id: null,
      model: "m",
      provider: "other",
      inputs: 3,
      cache_hits: 1,
      tokens: 10,
      tokens_upstream: 25,
      tokens_abandoned: 5,
      tokens_billed: 10,
      tokens_source: "estimated",
      status: 200,
      error: null,
      latency_ms: 1,
      cost_pico_usd: 40n,
      cost_femto_credits: 3_000_000_000n,
      upstream_pico_usd: 45n,
      by_provider: '[["other",20,40],["one",5,5]]',
      user: null,
      metadata: null,
    } as const;
    const { ledger } = open.gateway;
    await ledger.begin({ ...row, status: 0 }, HOLDING);
    await ledger.settle(row);
    const [one, other] = await ledger.usage(0, "provider", { workspace: "default" });
    expect(one).toMatchObject({
      group: "one",
      requests: 0n,
      tokens: 0n,
      tokens_upstream: 5n,
      upstream_pico_usd: 5n,
    });
    expect(other).toMatchObject({
      group: "other",
      requests: 1n,
      tokens: 10n,
      tokens_upstream: 20n,
      upstream_pico_usd: 40n,
    });
    const [{ groups: _, group: __, ...whole } = { groups: [], group: "" }] = await ledger.usage(0, "model", {
      workspace: "default",
    });
    for (const [name, value] of Object.entries(whole)) {
      const parts = [one, other].reduce(
        (sum, line) => sum + BigInt(Object.entries(line ?? {}).find(([key]) => key === name)?.[1] ?? 0),
        0n,
      );
      expect(`${name} ${parts}`).toBe(`${name} ${value}`);
    }
  });
});

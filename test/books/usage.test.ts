/**
 * The ledger read back: by several groups at once, of one workspace, by what requests said of themselves.
 */
import { describe, expect, test } from "bun:test";
import type { UsageFilter, UsageGroup } from "../../src/books/usage";
import { FAKE_YAML, type OpenGateway, openGateway } from "../gateway";

const YAML = `${FAKE_YAML}
  dear: { routes: [ { provider: fake, model: fake } ], price: 1 }
`;

async function withRequests(): Promise<OpenGateway> {
  let now = Date.UTC(2027, 0, 1, 23);
  const open = await openGateway({ yaml: YAML, outside: { now: () => now } });
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

function groups(open: OpenGateway, by: readonly UsageGroup[], filter: UsageFilter = {}) {
  return open.gateway.ledger.usage(0, by, filter).map((line) => [...line.groups, Number(line.requests)]);
}

test("several groups make a line for each that goes together, in the order asked for", async () => {
  await using open = await withRequests();
  expect(groups(open, ["model", "day"])).toEqual([
    ["dear", "2027-01-01", 1],
    ["dear", "2027-01-02", 2],
    ["fake", "2027-01-01", 1],
  ]);
  expect(groups(open, ["workspace", "model"])).toEqual([
    ["acme", "dear", 2],
    ["acme", "fake", 1],
    ["beta", "dear", 1],
  ]);
  expect(open.gateway.ledger.usage(0, "day")).toMatchObject([
    { group: "2027-01-01" },
    { group: "2027-01-02" },
  ]);
});

describe("of all requests, only those are summed", () => {
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
    const requests = groups(open, ["model"], filter).reduce((sum, line) => sum + Number(line[1]), 0);
    expect(requests).toBe(count);
  });
});

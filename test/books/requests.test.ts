/**
 * Single requests are read back: by id, by status, by workspace and provider; for a refused one that shares a row, the refusals of its minute.
 */
import { describe, expect, test } from "bun:test";
import { join } from "node:path";
import type { RequestFilter, Requests } from "../../src/books/requests";
import { runCommand } from "../command-line";
import { FAKE_YAML, type OpenGateway, openGateway } from "../gateway";
import { change } from "../stores/query";

const YAML = `${FAKE_YAML}
  fake-down: { routes: [ { provider: fake } ] }
`.replace("timeout_ms: 1000", "timeout_ms: 1000, retries: 0");

async function withRequests(): Promise<{ readonly open: OpenGateway; readonly ids: readonly string[] }> {
  let now = Date.UTC(2027, 0, 1, 12);
  const open = await openGateway({ readsFile: true, yaml: YAML, outside: { now: () => now } });
  const ids: string[] = [];
  for (const model of ["fake", "fake-down", "nobodys", "nobodys", "fake-8"]) {
    const { headers } = await open.post({ model, input: "two words" });
    ids.push(headers.get("x-request-id") ?? "");
    now += 1_000;
  }
  return { open, ids };
}

const read = async <T>(open: OpenGateway, work: (requests: Requests) => T) =>
  work((await open.beside()).openRequests());

test("a request by its id says why it failed", async () => {
  const { open, ids } = await withRequests();
  await using _ = open;
  const found = await read(open, ({ show }) => show(ids[1] ?? ""));
  expect(found).toMatchObject({ model: "fake-down", provider: "fake", status: 503n, kind: "unavailable" });
  expect(await read(open, ({ show }) => show("req_unknown"))).toBeUndefined();
});

test("the last of several equal refusals has the row; the others lead to it by their minute", async () => {
  const { open, ids } = await withRequests();
  await using _ = open;
  const [, , first = "", last = ""] = ids;
  expect(await read(open, ({ show }) => show(first))).toBeUndefined();
  for (const id of [first, last])
    expect(await read(open, ({ refusedWith }) => refusedWith(id))).toMatchObject([
      { request_id: last, status: 404n, kind: "unknown_model", refusals: 2n },
    ]);
  for (const id of ["req_unknown", "", "probe_1"])
    expect(await read(open, ({ refusedWith }) => refusedWith(id))).toEqual([]);
});

describe("a list has the latest first, of", () => {
  const CASES: readonly (readonly [string, Partial<RequestFilter>, readonly string[]])[] = [
    ["all", {}, ["fake-8", "", "fake-down", "fake"]],
    ["a status", { statuses: { from: 503, to: 503 } }, ["fake-down"]],
    ["all failures", { statuses: { from: 201, to: 999 } }, ["", "fake-down"]],
    ["a time", { since: Date.UTC(2027, 0, 1, 12, 0, 3) }, ["fake-8", ""]],
    ["a model", { model: "fake" }, ["fake"]],
    ["a provider", { provider: "fake" }, ["fake-8", "fake-down", "fake"]],
    ["a provider whose name is another's part", { provider: "ake" }, []],
    ["a workspace", { workspace: "nobody" }, []],
    ["a code", { code: "upstream_unavailable" }, ["fake-down"]],
  ];
  test.each(CASES)("%s", async (_, filter, models) => {
    const { open } = await withRequests();
    await using __ = open;
    const found = await read(open, ({ list }) => list({ since: 0, ...filter }, 10));
    expect(found.map(({ model }) => model)).toEqual([...models]);
  });
});

test("a provider that answered together with another is found", async () => {
  const { open, ids } = await withRequests();
  await using _ = open;
  await change(open.folder, `UPDATE @ledger SET provider = 'one, other' WHERE request_id = '${ids[0]}'`);
  for (const provider of ["one", "other"])
    expect(await read(open, ({ list }) => list({ since: 0, provider }, 10))).toHaveLength(1);
});

describe("on the command line", () => {
  const run = (open: OpenGateway, ...args: string[]) =>
    runCommand(["requests", ...args, "--config", join(open.folder, "gateway.yaml")]);

  test("a request is shown with its cause, and listed by its status", async () => {
    const { open, ids } = await withRequests();
    await using _ = open;
    const shown = await run(open, "show", ids[1] ?? "");
    expect(shown.code).toBe(0);
    expect(shown.out).toContain("The provider is down or cannot be reached");
    const listed = await run(open, "list", "--status", "5xx", "--since", "9000d", "--json");
    expect(JSON.parse(listed.out)).toMatchObject([
      { request: ids[1], status: 503, code: "upstream_unavailable", time: "2027-01-01T12:00:01.000Z" },
    ]);
    const missing = await run(open, "show", ids[2] ?? "");
    expect(missing.code).toBe(1);
    expect(missing.errors).toContain(ids[3] ?? "");
    await change(open.folder, `UPDATE @ledger SET status = 0, error = NULL WHERE request_id = '${ids[0]}'`);
    expect((await run(open, "list", "--since", "9000d")).out).toMatch(new RegExp(`${ids[0]} +in flight  `));
    const misspelt = await run(open, "list", "--workspace", "defalt", "--since", "9000d");
    expect([misspelt.code, misspelt.out]).toEqual([1, ""]);
    expect(misspelt.errors).toContain('There is no workspace "defalt" (did you mean "default"?)');
    expect((await run(open, "list", "--status", "6x")).errors).toContain("503, 4xx or 5xx, or failed");
  });
});

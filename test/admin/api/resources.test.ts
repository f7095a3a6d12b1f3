/**
 * What the Admin API shows and changes. It uses the command line's own functions, so these tests are about what only it has: pages, stories,
 * sums that equal the ledger's, the audit trail.
 */
import { describe, expect, test } from "bun:test";
import { FAKE_YAML, type OpenGateway, openGateway, type Sent } from "../../gateway";

const YAML = `${FAKE_YAML}
  priced: { routes: [ { provider: fake, model: fake } ], price: 1 }
  fake-flaky: { routes: [ { provider: fake } ], price: 1 }
  fake-down: { routes: [ { provider: fake } ] }
  old: { routes: [ { provider: fake, model: fake } ], end_of_life: 2027-03-01 }
cache: { memory_mb: 16 }
`;

const API = "/admin/v1";
const read = async (open: OpenGateway, path: string) => {
  const sent = await open.send(`${API}${path}`);
  expect([path, sent.status]).toEqual([path, 200]);
  return Object(sent.json);
};
const change = (open: OpenGateway, method: string, path: string, body?: object): Promise<Sent> =>
  open.send(`${API}${path}`, {
    method,
    headers: { "content-type": "application/json" },
    ...(body && { body: JSON.stringify(body) }),
  });

/** Open mode, so that the test needs no key. */
const opened = (outside = {}) => openGateway({ yaml: `${YAML}auth: { mode: open }`, outside });

describe("single requests", () => {
  test("come page by page, each once and none left out, even with equal times or a filter", async () => {
    await using open = await opened({ now: () => 1_800_000_000_000 });
    for (let i = 0; i < 13; i++)
      await open.post({ model: i % 3 === 0 ? "priced" : "fake-8", input: `text ${i}`, metadata: { run: i } });
    const all = async (filter: string) => {
      const ids: string[] = [];
      let cursor = "";
      for (let pages = 0; pages < 20; pages++) {
        const page = await read(open, `/requests?limit=4${filter}${cursor}`);
        ids.push(...page.requests.map((one: { request: string }) => one.request));
        if (page.next === null) return ids;
        cursor = `&cursor=${encodeURIComponent(page.next)}`;
      }
      throw new Error("the pages have no end");
    };
    const ids = await all("");
    expect(ids.length).toBe(13);
    expect([...new Set(ids)].sort().reverse()).toEqual(ids);
    expect((await all("&model=priced")).length).toBe(5);
    expect((await all("&status=failed")).length).toBe(0);
    expect((await all("&metadata=run%3D7")).length).toBe(1);
    expect((await all("&until=2027-01-15T08:00:00Z")).length).toBe(0);
  });

  test("list the calls that were made for them, and where each count came from", async () => {
    await using open = await opened();
    const sent = await open.post({ model: "fake-flaky", input: "two words" });
    expect(sent.status).toBe(200);
    const { request } = await read(open, `/requests/${sent.headers.get("x-request-id")}`);
    expect(request).toMatchObject({
      state: "answered",
      tokens_source: "provider",
      calls_made: 2,
      calls: [
        { provider: "fake", model: "fake-flaky", inputs: 1, outcome: "unavailable", tokens: null },
        {
          provider: "fake",
          model: "fake-flaky",
          inputs: 1,
          outcome: "ok",
          tokens: 2,
          tokens_source: "provider",
        },
      ],
    });
    expect(request.calls[1].began_ms).toBeGreaterThanOrEqual(request.calls[0].began_ms);
  });

  test("say why they failed and what to look at; never a text", async () => {
    await using open = await opened();
    const sent = await open.post({ model: "fake-down", input: "a very secret text" });
    const { request } = await read(open, `/requests/${sent.headers.get("x-request-id")}`);
    expect(request).toMatchObject({
      state: "failed",
      status: 503,
      kind: "unavailable",
      code: "upstream_unavailable",
    });
    expect(request.cause).toBeString();
    expect(request.calls.length).toBeGreaterThan(1);
    for (const path of ["/requests", `/requests/${request.request}`, "/audit", "/routes", "/notices"])
      expect(JSON.stringify(await read(open, path))).not.toContain("secret");
  });
});

describe("sums", () => {
  test("of series, usage and the invoice agree", async () => {
    await using open = await opened();
    const asked = ["a b", "a b", "c d e", "a b"];
    for (const input of asked) await open.post({ model: "priced", input, metadata: { team: "x" } });
    await open.post({ model: "fake-down", input: "x" });
    const { total, groups } = await read(open, "/series?by=model,provider&unit=minute&since=10m");
    // "a b" was a cache hit twice.
    expect(total).toMatchObject({
      requests: 5,
      failed: 1,
      tokens: 9,
      tokens_cached: 4,
      cache_hits: 2,
      cost_usd: "0.000005",
    });
    expect(total.saved_usd).toBe("0.000004");
    expect(groups.map(({ names }: { names: object }) => names)).toEqual([
      { model: "priced", provider: "fake" },
      // No provider was called.
      { model: "priced", provider: "" },
      { model: "fake-down", provider: "fake" },
    ]);
    expect(groups[2].errors).toEqual([
      { kind: "unavailable", code: "upstream_unavailable", status: 503, requests: 1 },
    ]);
    expect(groups[0].points.requests.reduce((sum: number, one: number) => sum + one, 0)).toBe(2);
    const { lines } = await read(open, "/usage?by=workspace");
    expect(lines).toMatchObject([
      { groups: { workspace: "default" }, requests: 5, tokens: 9, cost_usd: "0.000005" },
    ]);
    const byTeam = await read(open, "/series?by=metadata&metadata_key=team");
    expect(byTeam.groups[0]).toMatchObject({
      names: { metadata: "x" },
      total: { requests: 4, cost_usd: "0.000005" },
    });
    const month = new Date().toISOString().slice(0, 7);
    const invoice = await read(open, `/workspaces/default/invoices/${month}`);
    expect(invoice.total).toMatchObject({ requests: 4, tokens_billed: 5, cost_usd: "0.000005" });
    const csv = await open.send(`${API}/workspaces/default/invoices/${month}?format=csv`);
    expect(csv.headers.get("content-type")).toBe("text/csv; charset=utf-8");
    expect(csv.text.split("\n").length).toBe(2);
  });

  test("beyond the groups that are kept apart are one more group", async () => {
    await using open = await opened();
    for (const model of ["priced", "fake", "fake-8"]) await open.post({ model, input: "x" });
    const { groups, total } = await read(open, "/series?by=model&top=1");
    expect(groups.map(({ is_rest }: { is_rest: boolean }) => is_rest)).toEqual([false, true]);
    expect(groups[1].total.requests).toBe(2);
    expect(total.requests).toBe(3);
  });
});

describe("changes", () => {
  test("of a key: its secret is shown once, and each change is in the audit trail without it", async () => {
    await using open = await opened();
    const made = await change(open, "POST", "/keys", {
      name: "ci",
      workspace: "acme",
      create_workspace: true,
    });
    const { key, secret } = Object(made.json);
    expect(made.status).toBe(201);
    expect(
      (await open.post({ model: "fake", input: "a" }, { authorization: `Bearer ${secret}` })).status,
    ).toBe(200);
    const rotated = Object(
      (await change(open, "POST", `/keys/${key.id}/rotate`, { grace_seconds: 60 })).json,
    );
    expect(rotated.secret).not.toBe(secret);
    expect(rotated.key.old_secret_until).toBeString();
    expect(Object((await change(open, "DELETE", `/keys/${key.id}`)).json).key.revoked_at).toBeString();
    const audit = await read(open, `/audit?target=${key.id}`);
    expect(audit.entries.map(({ action }: { action: string }) => action)).toEqual([
      "keys.revoke",
      "keys.rotate",
      "keys.create",
    ]);
    for (const path of ["/audit", "/keys", `/keys/${key.id}`]) {
      const text = JSON.stringify(await read(open, path));
      expect(text).not.toContain(secret);
      expect(text).not.toContain(rotated.secret);
    }
  });

  test("of a workspace: settings, credits, renaming and deletion", async () => {
    await using open = await opened();
    await change(open, "POST", "/workspaces", {
      name: "acme",
      credits: "1.5",
      settings: { cap_usd_per_day: 2 },
    });
    const set = await change(open, "PATCH", "/workspaces/acme", { settings: { cap_usd_per_day: null } });
    expect(Object(set.json).workspace.settings.cap_usd_per_day).toEqual({ value: null, from: null });
    const granted = await change(open, "POST", "/workspaces/acme/credits", {
      amount: "-0.5",
      note: "too much",
    });
    expect(granted.json).toMatchObject({
      credits: "1",
      history: [{ change: "1.5" }, { change: "-0.5", note: "too much" }],
    });
    expect((await change(open, "POST", "/workspaces/acme/credits", { amount: "-2" })).status).toBe(400);
    expect((await change(open, "POST", "/workspaces/acme/rename", { name: "apex" })).status).toBe(200);
    expect((await change(open, "DELETE", "/workspaces/apex")).json).toEqual({
      workspace: "apex",
      revoked_keys: 0,
    });
    const { entries } = await read(open, "/audit");
    expect(
      entries.map(({ action, target }: { action: string; target: string }) => `${action} ${target}`),
    ).toEqual([
      "workspaces.delete apex",
      "workspaces.rename acme",
      "credits.change acme",
      "workspaces.set acme",
      "workspaces.create acme",
    ]);
    expect(entries[3]).toMatchObject({ before: { cap_usd_per_day: 2 }, after: { cap_usd_per_day: null } });
  });

  test("that were refused are not in the audit trail", async () => {
    await using open = await opened();
    await change(open, "POST", "/workspaces", { name: "acme" });
    expect((await change(open, "POST", "/workspaces", { name: "acme" })).status).toBe(400);
    expect((await change(open, "POST", "/workspaces/acme/credits", { amount: "1" })).status).toBe(400);
    expect((await read(open, "/audit")).entries.length).toBe(1);
  });
});

describe("what runs", () => {
  test("routes show circuit breaker, queue and space; notices show what needs a human", async () => {
    await using open = await opened({ now: () => Date.UTC(2027, 0, 1) });
    const { routes } = await read(open, "/routes");
    expect(routes.find(({ model }: { model: string }) => model === "fake-8")).toMatchObject({
      provider: "fake",
      state: "serving",
      circuit: "closed",
      queue_interactive: 0,
      queue_bulk: 0,
      rests_for_ms: 0,
    });
    for (let i = 0; i < 3; i++) await open.post({ model: "fake-down", input: "x" });
    const { notices } = await read(open, "/notices");
    expect(notices).toMatchObject([
      { kind: "circuit_open", severity: "error", model: "fake-down" },
      { kind: "end_of_life", severity: "warning", model: "old" },
    ]);
    const { model } = await read(open, "/models/old");
    expect(model).toMatchObject({
      end_of_life: "2027-03-01",
      end_of_life_days: 59,
      end_of_life_stage: "ending",
    });
  });
});

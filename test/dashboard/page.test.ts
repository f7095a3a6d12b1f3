/** The dashboard as people use it, in a real Chromium: every view with data and without, keys, errors, the live view, the playground. */

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import type { Browser, Page } from "playwright-core";
import { usdOf } from "../../src/books/money";
import { FAKE_YAML, openGateway } from "../gateway";
import { query } from "../stores/query";
import { CHROMIUM, DESK, launch, PHONE, type Shown, show } from "./browser";
import { openWorld, type World } from "./world";

const VIEWS = [
  ["well", /need|well|look/, "Routes"],
  ["money", "Money", "Caps and credits"],
  ["requests", "Requests", "Latest first"],
  ["access", "Workspaces and keys", "Workspaces"],
  ["models", "Models", "Models of the routing file"],
  ["playground", "Playground", undefined],
] as const;

describe.skipIf(CHROMIUM === undefined)("the dashboard", () => {
  let browser: Browser;
  let world: World;

  beforeAll(async () => {
    [browser, world] = await Promise.all([launch(), openWorld("planted")]);
  });
  afterAll(async () => {
    await browser.close();
    await world[Symbol.asyncDispose]();
  });

  const isQuiet = ({ complaints, hosts }: Shown, url: string) => {
    expect(complaints).toEqual([]);
    expect([...hosts]).toEqual([new URL(url).host]);
  };

  test.each(VIEWS)("the view '%s', for every reader", async (view, heading, table) => {
    await using shown = await show(browser, world.url, PHONE, world.adminKey);
    // Few rows are like many.
    await shown.goTo(view === "requests" ? "#/requests?status=failed&since=60m" : `#/${view}`, heading);
    if (table !== undefined) await shown.page.getByRole("region", { name: table, exact: true }).waitFor();
    await shown.page.evaluate(() => {
      for (const details of [...document.querySelectorAll("details")].slice(0, 1)) details.open = true;
    });
    await shown.checkAccess();
    expect(await tablesWithoutCsv(shown.page)).toEqual([]);
    isQuiet(shown, world.url);
  });

  test("a table that the Admin API has no CSV of is downloaded as it is shown, with exact amounts", async () => {
    await using shown = await show(browser, world.url, DESK, world.adminKey);
    const { page } = shown;
    await shown.goTo("#/access", "Workspaces and keys");
    const [file] = await Promise.all([
      page.waitForEvent("download"),
      page.getByRole("link", { name: "CSV of Workspaces" }).click(),
    ]);
    const [heads, ...lines] = (await Bun.file(await file.path()).text()).split("\n");
    expect([file.suggestedFilename(), heads]).toEqual([
      "Workspaces.csv",
      "Workspace,Keys,Today,Day cap,Month,Month cap,Credits,Requests a minute,Tokens a minute",
    ]);
    const usage = await world.open.gateway.ledger.usage(0, "workspace");
    const spent = usdOf(usage.find(({ group }) => group === "search")?.cost_pico_usd ?? 0n);
    expect(lines.find((line) => line.startsWith("search,"))).toContain(`,${spent},$40.00,`);
    isQuiet(shown, world.url);
  });

  test("each view without any data", async () => {
    await using open = await openGateway({ yaml: FAKE_YAML });
    await using server = serving(open.gateway.door);
    await using shown = await show(browser, server.url, DESK);
    for (const [view, heading] of VIEWS) {
      await shown.goTo(`#/${view}`, heading);
      await shown.checkAccess();
    }
    await shown.goTo("#/well", "All is well");
    await shown.page.getByText("Nobody has asked for anything in the last hour").waitFor();
    isQuiet(shown, server.url);
  });

  test("a slow provider, a space that drifted and a workspace that spends too fast are named on the first page", async () => {
    await using shown = await show(browser, world.url, DESK, world.adminKey);
    const notices = shown.page.getByRole("list", { name: "What needs you" });
    await notices.getByText("'eu' is slow for text-embedding-3-small").waitFor();
    await notices.getByText("'spare' for support-articles, lowest cosine").waitFor();
    await notices.getByText(/'batch-import' spends .* times as much as usual/).waitFor();
    await shown.page
      .locator("tr.ill")
      .filter({ hasText: "spare" })
      .getByText(/^differs/)
      .waitFor();
  });

  test("a key is created, used, rotated and revoked", async () => {
    await using shown = await show(browser, world.url, DESK, world.adminKey);
    const { page } = shown;
    await shown.goTo("#/access/search", "Workspaces and keys");
    await page.getByLabel("Name", { exact: true }).fill("from-the-page");
    await page.getByRole("button", { name: "Create key" }).click();
    const dialog = page.getByRole("dialog");
    const first = (await dialog.locator("code").textContent()) ?? "";
    await shown.checkAccess();
    await dialog.getByRole("button", { name: "I have stored it" }).click();
    expect(await use(world.url, first)).toBe(200);

    await page.getByRole("button", { name: "Rotate from-the-page" }).click();
    await dialog.getByLabel("The old secret ends").selectOption("at once");
    await dialog.getByRole("button", { name: "Rotate" }).click();
    await dialog.getByText("The secret of from-the-page").waitFor();
    const second = (await dialog.locator("code").textContent()) ?? "";
    await dialog.getByRole("button", { name: "I have stored it" }).click();
    expect([await use(world.url, first), await use(world.url, second)]).toEqual([401, 200]);

    await page.getByRole("button", { name: "Revoke from-the-page" }).click();
    await dialog.getByRole("button", { name: "Revoke" }).click();
    await page.getByText("Show 1 revoked").waitFor();
    expect(await use(world.url, second)).toBe(401);
    isQuiet(shown, world.url);
  });

  test("limits are saved, credits granted with a note; errors are shown", async () => {
    await using shown = await show(browser, world.url, DESK, world.adminKey);
    const { page } = shown;
    await shown.goTo("#/access/support-bot", "Workspaces and keys");
    await page.getByLabel("Cap a month, USD").fill("12.5");
    await page.getByRole("button", { name: "Save limits" }).click();
    await page.getByText("Saved").waitFor();
    expect((await world.open.gateway.workspaces.show("support-bot")).settings).toMatchObject({
      cap_usd_per_month: 12.5,
      requests_per_minute: 600,
    });
    await page.getByLabel("Credits to grant").fill("7.5");
    await page.getByLabel("Note").fill("invoice 118");
    await page.getByRole("button", { name: "Grant" }).click();
    await page.getByRole("region", { name: "Credits of support-bot" }).getByText("invoice 118").waitFor();
    isQuiet(shown, world.url);
    await page.getByLabel("Credits to grant").fill("many");
    await page.getByRole("button", { name: "Grant" }).click();
    await page.getByRole("alert").getByText("'amount' must be a number of credits").waitFor();
  });

  test("a key without admin rights, and an unknown one, are refused with a message", async () => {
    const page = await browser.newPage();
    await page.goto(world.url);
    for (const [key, words] of [
      [world.callerKey, "needs an admin key"],
      ["eg-no-such-key", "Incorrect API key"],
    ] as const) {
      await page.getByLabel("Admin key").fill(key);
      await page.getByRole("button", { name: "Sign in" }).click();
      await page.getByRole("alert").getByText(words).waitFor();
    }
    await page.close();
  });

  test("after creating the first key in open mode one continues with it, and signs out", async () => {
    await using open = await openGateway({ yaml: FAKE_YAML });
    await using server = serving(open.gateway.door);
    await using shown = await show(browser, server.url, DESK);
    const { page } = shown;
    await shown.goTo("#/access", "Workspaces and keys");
    await page.getByText("make an admin key first").waitFor();
    await page.getByLabel("Name", { exact: true }).fill("ops");
    await page.getByRole("button", { name: "Create key" }).click();
    await page.getByRole("dialog").getByRole("button", { name: "I have stored it" }).click();
    await page.getByRole("button", { name: "Sign out" }).click();
    await page.getByText("You have signed out.").waitFor();
    expect(await page.title()).toBe("Sign in · embedgate");
    await shown.checkAccess();
    isQuiet(shown, server.url);
  });

  test("names that callers chose are shown as text, whatever they contain", async () => {
    const name = '<img src="/x" onerror="alert(1)">';
    const { key } = await world.open.gateway.keys.create(name, "search");
    const body = JSON.stringify({
      model: "all-MiniLM-L6-v2",
      input: "a",
      user: name,
      metadata: { [name]: name },
    });
    const headers = { authorization: `Bearer ${key}`, "content-type": "application/json" };
    const { headers: answered } = await world.open.post(body, headers);
    await using shown = await show(browser, world.url, DESK, world.adminKey);
    for (const hash of ["#/access/search", `#/requests/${answered.get("x-request-id")}`]) {
      await shown.page.evaluate((to) => {
        location.hash = to;
      }, hash);
      await shown.page.getByText(name).first().waitFor();
      expect(await shown.page.locator("img").count()).toBe(0);
    }
    isQuiet(shown, world.url);
  });

  test("the live view shows new requests, and asks nothing while the page is hidden", async () => {
    await using shown = await show(browser, world.url, DESK, world.adminKey);
    const { page, asked } = shown;
    await page.clock.install();
    await shown.goTo("#/requests?workspace=search&status=200", "Requests");
    const rows = page.getByRole("region", { name: "Latest first" }).getByRole("row");
    await rows.nth(1).waitFor();
    await world.ask("search", "docs", ["a text that nobody has asked for yet"]);
    await page.clock.runFor(2_500);
    await rows.nth(1).getByText("docs").waitFor();
    await page.evaluate(() => {
      Object.defineProperty(document, "hidden", { configurable: true, value: true });
      document.dispatchEvent(new Event("visibilitychange"));
    });
    const before = asked.length;
    await page.clock.runFor(60_000);
    expect(asked.slice(before)).toEqual([]);
    await page.evaluate(() => {
      Object.defineProperty(document, "hidden", { configurable: true, value: false });
      document.dispatchEvent(new Event("visibilitychange"));
    });
    await page.waitForResponse(/\/requests/);
    await rows.nth(1).getByRole("link").click();
    await page
      .getByRole("region", { name: "Calls to providers" })
      .getByRole("cell", { name: "the provider", exact: true })
      .waitFor();
    await shown.checkAccess();
    isQuiet(shown, world.url);
  });

  test("the gateway's own probes are shown if they are asked for", async () => {
    await using shown = await show(browser, world.url, DESK, world.adminKey);
    const { page } = shown;
    await shown.goTo("#/requests?until=1m", "Requests");
    const own = page.getByRole("cell", { name: "embedgate (its own probes)" });
    await page.getByRole("region", { name: "Latest first" }).waitFor();
    expect(await own.count()).toBe(0);
    await page.getByLabel("The gateway's own probes, too").check();
    await own.first().waitFor();
    await page.getByRole("button", { name: "Clear the filters" }).click();
    await own.first().waitFor({ state: "detached" });
    expect(await page.evaluate(() => document.activeElement?.localName)).toBe("select");
  });

  test("a session that has ended is told, and the page goes on where it was", async () => {
    const { key, id } = await world.open.gateway.keys.create("short", "default", true);
    await using shown = await show(browser, world.url, DESK, key);
    await shown.goTo("#/models", "Models");
    await world.open.gateway.keys.revoke(id);
    await shown.page.getByRole("link", { name: "Money" }).click();
    await shown.page.getByText("The session has ended: sign in again.").waitFor();
    await shown.page.getByLabel("Admin key").fill(world.adminKey);
    await shown.page.keyboard.press("Enter");
    await shown.page.getByRole("heading", { level: 1, name: "Money" }).waitFor();
  });

  test("older requests come page by page, without a gap", async () => {
    await using shown = await show(browser, world.url, DESK, world.adminKey);
    await shown.goTo("#/requests?until=1m", "Requests");
    const rows = shown.page.getByRole("region", { name: "Latest first" }).getByRole("rowheader");
    await rows.nth(49).waitFor();
    await shown.page.getByRole("button", { name: "Older" }).click();
    await rows.nth(99).waitFor();
    const ids = await rows
      .getByRole("link")
      .evaluateAll((links) => links.map((link) => link.getAttribute("href")));
    expect(new Set(ids).size).toBe(100);
  });

  test("sums on the page are the ledger's", async () => {
    await using shown = await show(browser, world.url, DESK, world.adminKey);
    await shown.goTo("#/money", "Money");
    const said = await shown.page.getByText("this month").first().getAttribute("title");
    const [sums] = await query<{ readonly cost: bigint }>(
      world.open.folder,
      `SELECT sum(cost_pico_usd) AS cost FROM ledger WHERE started_at >= ${monthStart()}`,
      { safeIntegers: true },
    );
    expect(said).toBe(`${usdOf(sums?.cost ?? 0n)} USD`);
  });

  test("the playground embeds with two models, maps, compares and searches", async () => {
    await using shown = await show(browser, world.url, DESK, world.adminKey);
    const { page } = shown;
    await shown.goTo("#/playground", "Playground");
    await page.getByLabel("Or a file, dropped or chosen").setInputFiles({
      name: "texts.csv",
      mimeType: "text/csv",
      buffer: Buffer.from(
        'id,text\n1,"How do I get my money back, please?"\n2,Refunds take five working days.\n3,The battery is empty.\n',
      ),
    });
    await page.getByLabel("Model", { exact: true }).selectOption("all-MiniLM-L6-v2");
    await page.getByLabel("Beside it").selectOption("support-articles");
    await page.getByLabel("A caller's key").fill(world.callerKey);
    await page.getByRole("button", { name: "Embed 3 lines" }).click();
    await page.getByRole("region", { name: "Similarities of all-MiniLM-L6-v2" }).waitFor();
    await page.getByRole("status").getByText("3 lines are embedded.").waitFor({ state: "attached" });
    await page.getByLabel("Query").fill("how long a refund takes");
    await page.getByRole("button", { name: "Search" }).click();
    const found = page
      .getByRole("region", { name: "“how long a refund takes” by all-MiniLM-L6-v2" })
      .getByRole("rowheader");
    expect(await found.first().textContent()).toContain("Refunds take five working days.");
    await page.getByRole("radio", { name: "Python" }).check();
    await page.getByText("client.embeddings.create(").waitFor();
    await shown.checkAccess();
    isQuiet(shown, world.url);
  });
});

function monthStart(): number {
  const now = new Date();
  return Date.UTC(now.getUTCFullYear(), now.getUTCMonth());
}

interface Door {
  handle(request: Request): Promise<Response>;
}

function serving(door: Door): { readonly url: string } & AsyncDisposable {
  const server = Bun.serve({ port: 0, hostname: "127.0.0.1", fetch: (request) => door.handle(request) });
  return { url: `http://127.0.0.1:${server.port}`, [Symbol.asyncDispose]: () => server.stop(true) };
}

async function use(url: string, key: string): Promise<number> {
  const { status } = await fetch(`${url}/v1/embeddings`, {
    method: "POST",
    headers: { authorization: `Bearer ${key}`, "content-type": "application/json" },
    body: JSON.stringify({ model: "all-MiniLM-L6-v2", input: "a" }),
  });
  return status;
}

/** Tables without a CSV, except those of plots, which have theirs next to them. */
const tablesWithoutCsv = (page: Page) =>
  page.evaluate(() =>
    [...document.querySelectorAll("section.scroll > table")].flatMap(({ parentElement: region }) => {
      const beside = region?.closest("details") ?? region?.previousElementSibling;
      return beside?.textContent?.includes("CSV") ? [] : [region?.getAttribute("aria-label")];
    }),
  );

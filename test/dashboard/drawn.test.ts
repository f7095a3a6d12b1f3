/**
 * What the pages draw, read from a real Chromium: totals, cells, the table behind each plot and each CSV are the sums of the ledger's rows.
 * sums.test.ts has the Admin API's figures, with more filters.
 */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { OWN_WORKSPACE } from "../../src/books/ledger";
import { creditsOf, usdOf } from "../../src/books/money";
import { count, credits, share, usd } from "../../src/dashboard/page/say";
import { CHROMIUM } from "./browser";
import {
  type Cells,
  type Dashboard,
  type Drawn,
  type Line,
  NOW,
  openDashboard,
  type Row,
  WORKSPACES,
  ZONED,
} from "./drawn";

describe.skipIf(CHROMIUM === undefined)("what the dashboard draws is the ledger's:", () => {
  let dashboard: Dashboard;

  beforeAll(async () => {
    dashboard = await openDashboard();
  });
  afterAll(async () => {
    await dashboard?.[Symbol.asyncDispose]();
    expect(dashboard?.complaints).toEqual([]);
  });

  for (const [range, unit, since] of [
    ["hour", "minute", NOW - 3_600_000],
    ["day", "hour", NOW - 86_400_000],
    ["week", "hour", NOW - 7 * 86_400_000],
  ] as const)
    test(`the first page, of the last ${range}`, async () => {
      const { page, sumsBy, sumOf, goTo, table, csvOf, facts, legend } = dashboard;
      const step = unit === "minute" ? 60_000 : 3_600_000;
      const from = since - (since % step);
      await goTo(`#/well?range=${range}`, /well|need|look/);
      const all = sumOf(from);
      await page.getByText(`${count(Number(all.requests))} requests`).waitFor();
      const said = await facts();
      for (const words of [
        `${share(Number(all.failed), Number(all.requests))} failed`,
        `${count(Number(all.tokens))} tokens`,
        `${usd(exactUsd(all.cost))} cost`,
        `${share(Number(all.hits), Number(all.inputs))} from the cache`,
      ])
        expect(said).toContain(words);

      const own = sumsBy("workspace", from, `workspace <> '${OWN_WORKSPACE}'`);
      const drawn = await table("Workspaces");
      // Those that are kept apart, and one row of all others.
      expect(drawn).toHaveLength(Math.min(7, own.length));
      for (const line of drawn.filter(({ Workspace }) => Workspace?.text !== "all others")) {
        const row = own.find(({ name }) => name === line.Workspace?.text);
        expect(textsOf(line, ["Workspace", "Tokens", "Requests", "Failed"])).toEqual([
          String(row?.name),
          count(Number(row?.tokens)),
          count(Number(row?.requests)),
          share(Number(row?.failed), Number(row?.requests)),
        ]);
        expect(line.Cost).toEqual(drawnUsd(row?.cost));
      }
      expect(sumOfExact(drawn, "Cost")).toBeCloseTo(Number(exactUsd(all.cost)), 9);

      const titles = [`Requests a ${unit}`, `Cost a ${unit}, by workspace`] as const;
      const byTime = new Map(
        sumsBy(`started_at / ${step} * ${step}`, from).map((row) => [Number(row.name), row]),
      );
      const behind = await table(titles[0]);
      expect(behind).toHaveLength(Math.floor(NOW / step) - from / step + 1);
      // The latest first.
      for (const [i, line] of behind.entries()) {
        const time = Math.floor(NOW / step) * step - i * step;
        const row = byTime.get(time);
        expect(textsOf(line, ["Time", "all", "failed"])).toEqual([
          dayAndClockIn("America/New_York", time),
          count(Number(row?.requests ?? 0)),
          count(Number(row?.failed ?? 0)),
        ]);
      }
      expect(await legend(titles[0])).toEqual([
        ["all", count(Number(all.requests))],
        ["failed", count(Number(all.failed))],
      ]);
      const costs = await legend(titles[1]);
      expect(costs).toHaveLength(Math.min(6, own.length));
      for (const [name = "", words] of costs) {
        const others = costs.map(([other]) => other);
        const rows = own.filter((row) =>
          name === "all others" ? !others.includes(String(row.name)) : row.name === name,
        );
        expect([name, words]).toEqual([name, usd(exactUsd(sumIn(rows, "cost")))]);
      }
      const errors = await table("What failed");
      expect(errors.reduce((sum, line) => sum + Number(line.Requests?.text), 0)).toBe(Number(all.failed));

      const csv = await csvOf("Workspaces");
      expect(sumOfCells(csv, "requests")).toBe(Number(all.requests));
      expect(sumOfCells(csv, "tokens")).toBe(Number(all.tokens));
      expect(sumOfCells(csv, "cost_usd")).toBeCloseTo(Number(exactUsd(all.cost)), 9);
    });

  const MONTH = Date.UTC(2026, 10, 1);
  const TODAY = Date.UTC(2026, 10, 3);
  const GROUPS = {
    workspace: "workspace",
    model: "iif(model = 'nobody-has-it', '', model)",
    key: "(SELECT name FROM keys WHERE id = key_id)",
    metadata: "coalesce(metadata ->> '$.team', '')",
  };

  for (const [by, column] of Object.entries(GROUPS))
    test(`money by ${by}, of days and of the month in UTC`, async () => {
      const { page, sumsBy, sumOf, goTo, table, csvOf, facts } = dashboard;
      await goTo(`#/money?by=${by}`, "Money");
      const own = sumsBy(column, MONTH);
      const title = `Cost a day, by ${by === "metadata" ? "team" : by}`;
      await page.getByRole("heading", { name: title }).waitFor();
      const month = sumOf(MONTH);
      const said = await facts();
      for (const words of [
        `${usd(exactUsd(sumOf(TODAY).cost))} today`,
        `${usd(exactUsd(month.cost))} this month`,
        `${usd(exactUsd(month.owed))} owed to providers`,
        `${usd(exactUsd(month.saved))} saved by the cache`,
        `${share(Number(month.hits), Number(month.inputs))} of inputs from the cache`,
      ])
        expect(said).toContain(words);

      const drawn = await table("This month (UTC)");
      expect(drawn).toHaveLength(own.length);
      const today = new Map(sumsBy(column, TODAY).map((row) => [row.name, row]));
      for (const line of drawn) {
        const name = nameIn(line["Who or what"]?.text ?? "");
        const row = own.find((one) => one.name === name);
        expect([name, ...textsOf(line, ["Today", "Billed tokens", "Requests"])]).toEqual([
          name,
          usd(exactUsd(today.get(name)?.cost)),
          count(Number(row?.billed)),
          count(Number(row?.requests)),
        ]);
        expect([line.Month, line.Owed, line.Saved]).toEqual([
          drawnUsd(row?.cost),
          drawnUsd(row?.owed),
          drawnUsd(row?.saved),
        ]);
      }
      const csv = await csvOf("This month (UTC)");
      expect(sumOfCells(csv, "requests")).toBe(Number(month.requests));
      expect(sumOfCells(csv, "tokens_billed")).toBe(Number(month.billed));
      expect(sumOfCells(csv, "cost_usd")).toBeCloseTo(Number(exactUsd(month.cost)), 9);

      // Days of the plot are the ledger's, whatever day it is where the page is read.
      const behind = await table(title);
      expect(behind.map(({ Time }) => Time?.text)).toEqual(["3 Nov 2026", "2 Nov 2026", "1 Nov 2026"]);
      const names = Object.keys(behind[0] ?? {}).slice(1);
      expect(names).toHaveLength(Math.min(6, own.length));
      for (const [i, line] of behind.entries()) {
        const begins = TODAY - i * 86_400_000;
        const rows = sumsBy(column, begins, "true", begins + 86_400_000 - 1);
        for (const name of names) {
          const those = rows.filter((row) =>
            name === "all others" ? !names.map(nameIn).includes(String(row.name)) : row.name === nameIn(name),
          );
          expect([begins, name, line[name]?.text]).toEqual([
            begins,
            name,
            usd(exactUsd(sumIn(those, "cost"))),
          ]);
        }
      }
    });

  test("invoices by model and by day, of this month and of the one before", async () => {
    const { page, sumsBy, goTo, table } = dashboard;
    await goTo("#/money", "Money");
    for (const [month, from, until] of [
      ["2026-11", MONTH, NOW],
      ["2026-10", Date.UTC(2026, 9, 1), MONTH - 1],
    ] as const) {
      await page.getByLabel("Workspace", { exact: true }).last().selectOption("birch");
      await page.getByLabel("Month (UTC)", { exact: true }).selectOption(month);
      for (const [by, column] of [
        ["model", "model"],
        ["day", "date(started_at / 1000, 'unixepoch')"],
      ] as const) {
        await page.getByRole("radio", { name: `By ${by}`, exact: true }).check({ force: true });
        const head = by === "day" ? "Day" : "Model";
        const own = sumsBy(column, from, "workspace = 'birch' AND status = 200", until);
        const [total] = sumsBy("'Total'", from, "workspace = 'birch' AND status = 200", until);
        const region = page.getByRole("region", { name: `birch, ${month}` });
        await region.getByRole("rowheader", { name: String(own[0]?.name), exact: true }).waitFor();
        await region.locator("tr.total").getByTitle(drawnUsd(total?.cost).exact, { exact: true }).waitFor();
        const drawn = await table(`birch, ${month}`);
        expect(drawn).toHaveLength(own.length + 1);
        for (const row of [...own, total ?? {}]) {
          const line = drawn.find((one) => one[head]?.text === row.name);
          expect([row.name, line?.Answered?.text, line?.["Billed tokens"]?.text, line?.Cost]).toEqual([
            row.name,
            count(Number(row.requests)),
            Number(row.billed).toLocaleString("en-US"),
            drawnUsd(row.cost),
          ]);
          // A fraction of a micro-credit is charged in the line where the sum reaches a whole one.
          const off = Number(line?.Credits?.exact) - Number(exactCredits(row.credits));
          expect(Math.abs(off)).toBeLessThan(0.000_002);
        }
        const sum = drawn.at(-1)?.Credits?.exact;
        expect(sum).toBe(exactCredits(total?.credits));
        expect(sumOfExact(drawn.slice(0, -1), "Credits")).toBeCloseTo(Number(sum), 9);
      }
    }
  });

  test("caps and credits, each day in its workspace's own time zone", async () => {
    const { rowsOf, sumOf, goTo, table } = dashboard;
    await goTo("#/money", "Money");
    const drawn = await table("Caps and credits");
    const spent = (workspace: string, from: number) =>
      usd(exactUsd(sumOf(from, `workspace = '${workspace}'`).cost));
    // In New York the day began at 05:00 UTC.
    const zoned = spent(ZONED, Date.UTC(2026, 10, 2, 5));
    expect(zoned).not.toBe(spent(ZONED, TODAY));
    const used = Object.fromEntries(drawn.map((line) => [line.Workspace?.text, line.Used?.text]));
    const [birch] = rowsOf("SELECT micro_credits AS left FROM workspaces WHERE name = 'birch'");
    const left = creditsOf(BigInt(birch?.left ?? 0));
    expect(used).toEqual({
      "ambercap a day": `${spent("amber", TODAY)} of $500.00`,
      "zonedcap a day": `${zoned} of $300.00`,
      birchcredits: `${credits(left)} left`,
    });

    await goTo("#/access/birch", "Workspaces and keys");
    const all = await table("Workspaces");
    for (const name of WORKSPACES) {
      const line = all.find(({ Workspace }) => Workspace?.text === name);
      const where = `workspace = '${name}'`;
      expect([name, line?.Today, line?.Month]).toEqual([
        name,
        drawnUsd(sumOf(TODAY, where).cost),
        drawnUsd(sumOf(MONTH, where).cost),
      ]);
    }
    const history = await table("Credits of birch");
    expect(history[0]?.Balance).toEqual({ text: credits(left), exact: left });
    const charged = sumOf(0, "workspace = 'birch'").credits;
    const changes = history.map(({ Change }) => Number(Change?.exact));
    expect(changes.reduce((sum, one) => sum + one, 0)).toBeCloseTo(Number(left), 6);
    expect(changes.filter((one) => one < 0).reduce((sum, one) => sum - one, 0)).toBeCloseTo(
      Number(creditsOf(BigInt(charged ?? 0))),
      6,
    );
  });

  for (const [query, where] of [
    ["", `workspace <> '${OWN_WORKSPACE}'`],
    ["workspace=coral", "workspace = 'coral'"],
    ["model=cheap&status=failed", "model = 'cheap' AND status <> 200"],
    ["metadata=team%3Dteam-3", "metadata ->> '$.team' = 'team-3'"],
    ["since=24h", `started_at >= ${NOW - 86_400_000} AND workspace <> '${OWN_WORKSPACE}'`],
  ] as const)
    test(`requests, with the filter '${query}'`, async () => {
      const { page, rowsOf, goTo, table, csvOf } = dashboard;
      await goTo(`#/requests?${query}`, "Requests");
      const own = rowsOf(
        `SELECT count(*) AS rows, sum(tokens) AS tokens, sum(inputs) AS inputs, sum(cache_hits) AS hits, sum(cost_pico_usd) AS cost
         FROM ledger WHERE ${where}`,
      )[0];
      const older = page.getByRole("button", { name: "Older" });
      const rows = page.getByRole("region", { name: "Latest first" }).locator("tbody tr");
      for (let shown = 0; shown < Number(own?.rows); ) {
        await rows.nth(Math.min(shown + 50, Number(own?.rows)) - 1).waitFor();
        shown = await rows.count();
        if (shown < Number(own?.rows)) await older.click();
      }
      const drawn = await table("Latest first");
      const sum = (head: string) =>
        drawn.reduce((total, line) => total + Number(line[head]?.text.replaceAll(",", "")), 0);
      expect([drawn.length, sum("Inputs"), sum("Cached"), sum("Tokens")]).toEqual([
        Number(own?.rows),
        Number(own?.inputs),
        Number(own?.hits),
        Number(own?.tokens),
      ]);
      expect(sumOfExact(drawn, "Cost")).toBeCloseTo(Number(exactUsd(own?.cost)), 9);
      const csv = await csvOf("Latest first");
      expect([csv.length, sumOfCells(csv, "tokens")]).toEqual([Number(own?.rows), Number(own?.tokens)]);
    });
});

const exactUsd = (picoUsd: Row[string] | undefined) => usdOf(BigInt(picoUsd ?? 0));
const drawnUsd = (picoUsd: Row[string] | undefined): Drawn => ({
  text: usd(exactUsd(picoUsd)),
  exact: `${exactUsd(picoUsd)} USD`,
});
const exactCredits = (micro: Row[string] | undefined) => creditsOf(BigInt(micro ?? 0));
const sumIn = (rows: readonly Row[], name: string) =>
  rows.reduce((sum, row) => sum + BigInt(row[name] ?? 0), 0n);
const textsOf = (line: Line, heads: readonly string[]) => heads.map((head) => line[head]?.text);
const sumOfExact = (lines: readonly Line[], head: string) =>
  lines.reduce((sum, line) => sum + Number.parseFloat(line[head]?.exact ?? ""), 0);
const sumOfCells = (lines: readonly Cells[], head: string) =>
  lines.reduce((sum, line) => sum + Number(line[head]), 0);

/** The ledger's names of what the page calls otherwise. */
const nameIn = (drawn: string) => (drawn === "none" ? "" : drawn);

const dayAndClockIn = (timeZone: string, at: number) =>
  new Date(at).toLocaleString("en-GB", {
    day: "numeric",
    month: "short",
    hour: "2-digit",
    minute: "2-digit",
    timeZone,
  });

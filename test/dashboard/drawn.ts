/**
 * A ledger with rows at the ends of days, months and hours, and its pages in a real Chromium, in a time zone where the clock was just set back:
 * for drawn.test.ts. The clock of both stands still.
 */
import { Database } from "bun:sqlite";
import { join } from "node:path";
import type { Page } from "playwright-core";
import { OWN_WORKSPACE } from "../../src/books/ledger";
import { openGateway } from "../gateway";
import { launch } from "./browser";

export type Value = string | number | bigint | null;
export type Row = Readonly<Record<string, Value>>;

/** In New York still the evening of the 2nd; there the clock was set back on the 1st, at 06:00 UTC. */
export const NOW = Date.UTC(2026, 10, 3, 4, 40, 20);
const NOON_UTC = ["2026-11-01T12:00:00Z", "2026-11-02T12:00:00Z"];
const MOMENTS = [
  // The end of another month, and the first moment of this one.
  "2026-10-31T23:59:59.999Z",
  "2026-11-01T00:00:00Z",
  // The hour that the clock shows twice.
  "2026-11-01T05:30:00Z",
  "2026-11-01T06:30:00Z",
  ...NOON_UTC,
  "2026-11-02T23:59:59.999Z",
  "2026-11-03T00:00:00Z",
  // Within the last hour; the running minute.
  "2026-11-03T03:50:00Z",
  "2026-11-03T04:39:59.999Z",
  "2026-11-03T04:40:10Z",
].map((text) => Date.parse(text));

export const WORKSPACES = ["amber", "birch", "coral", "delta", "ember", "flint", "grove", "hazel"];
export const ZONED = "zoned";

export interface Drawn {
  readonly text: string;
  /** Of an amount that the page rounds. */
  readonly exact: string;
}
export type Line = Readonly<Record<string, Drawn>>;
export type Cells = Readonly<Record<string, string>>;

export interface Dashboard extends AsyncDisposable {
  readonly page: Page;
  readonly complaints: readonly string[];
  rowsOf(text: string, ...values: (string | number)[]): Row[];
  /** Sums of the ledger by an expression. @param until inclusive */
  sumsBy(column: string, from: number, where?: string, until?: number): Row[];
  sumOf(from: number, where?: string): Row;
  goTo(hash: string, heading: RegExp | string): Promise<void>;
  /** Lines of a table by its caption, also of one that is folded. */
  table(caption: string): Promise<readonly Line[]>;
  /** The CSV as it is downloaded. No cell of these has a comma. */
  csvOf(caption: string): Promise<readonly Cells[]>;
  /** The sums below a page's heading. */
  facts(): Promise<string>;
  /** Names of a plot's lines, each with its figure. */
  legend(title: string): Promise<(readonly string[])[]>;
}

export async function openDashboard(): Promise<Dashboard> {
  let now = MOMENTS[0] ?? 0;
  let calls = 0;
  const open = await openGateway({
    yaml: YAML,

    outside: {
      now: () => now,
      monotonic: () => now,
      sleep: async () => undefined,
      async fetch(_, { body }) {
        const { input }: { input: string[] } = JSON.parse(String(body));
        if (input.some((text) => text.startsWith("fail")))
          return Response.json({ error: { message: "No." } }, { status: 400 });
        calls += 1;
        const data = input.map((_text, index) => ({ index, embedding: [0.6, 0.8] }));
        return Response.json({ data, usage: { prompt_tokens: 31 * input.length + calls } });
      },
    },
  });
  const { gateway } = open;
  const secrets = new Map<string, string>();
  for (const name of [...WORKSPACES, ZONED]) {
    await gateway.workspaces.create(
      name,
      {
        ...(name === "amber" && { cap_usd_per_day: 500 }),
        ...(name === ZONED && { cap_usd_per_day: 300, cap_time_zone: "America/New_York" }),
      },
      name === "birch" ? 900_000_000n : null,
    );
    secrets.set(name, (await gateway.keys.create(`key-of-${name}`, name)).key);
  }
  const { key } = await gateway.keys.create("ops", "default", true);
  for (const [i, moment] of MOMENTS.entries()) {
    now = moment;
    for (const [place, name] of [...WORKSPACES, ZONED].entries()) {
      if ((i + place) % 3 === 2) continue;
      const headers = { authorization: `Bearer ${secrets.get(name)}` };
      const metadata = { team: `team-${(i + place) % 8}` };
      const model = place % 2 === 0 ? "dear" : "cheap";
      await open.post({ model, input: textOf(i, name), metadata }, headers);
      // From the cache.
      if (place === 1) await open.post({ model, input: [textOf(i, name), "more"], metadata }, headers);
      if (place === 3) await open.post({ model, input: `fail ${i}`, metadata }, headers);
      if (place === 5) await open.post({ model: "nobody-has-it", input: "x", metadata }, headers);
    }
  }
  now = NOW;
  const server = Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    fetch: (request) => gateway.door.handle(request),
  });
  const url = `http://127.0.0.1:${server.port}`;
  const ledger = new Database(join(open.folder, "data/embedgate.db"), { readonly: true, safeIntegers: true });
  const browser = await launch();
  const page = await browser.newPage({
    viewport: { width: 1_440, height: 900 },
    timezoneId: "America/New_York",
  });
  const complaints: string[] = [];
  page.on("pageerror", ({ message }) => complaints.push(message));
  await page.clock.setFixedTime(NOW);
  await page.goto(url);
  await page.getByLabel("Admin key").fill(key);
  await page.getByRole("button", { name: "Sign in" }).click();
  await page.getByRole("navigation").waitFor();

  const rowsOf = (text: string, ...values: (string | number)[]) =>
    ledger.query<Row, (string | number)[]>(text).all(...values);
  const sumsBy = (column: string, from: number, where = "true", until = NOW) =>
    rowsOf(
      `SELECT ${column} AS name, ${SUMS} FROM (SELECT *, workspace <> '${OWN_WORKSPACE}' AS asks FROM ledger WHERE status <> 0)
       WHERE started_at >= ? AND started_at < ? AND ${where} GROUP BY 1`,
      from,
      until + 1,
    );
  const sumOf = (from: number, where?: string) => sumsBy("''", from, where)[0] ?? {};

  async function goTo(hash: string, heading: RegExp | string): Promise<void> {
    await page.evaluate((to) => {
      location.hash = to;
    }, hash);
    // Otherwise the data of before stay until the new ones are there.
    await page.reload();
    await page.getByRole("heading", { level: 1, name: heading }).waitFor();
    await page.getByText("Loading …").first().waitFor({ state: "detached" });
  }

  /** The cells of a table by its caption, with exact amounts where the page rounds them, as in its CSV. */
  async function table(caption: string): Promise<readonly Readonly<Record<string, Drawn>>[]> {
    const region = page.getByRole("region", { name: caption, exact: true, includeHidden: true });
    await region.waitFor({ state: "attached" });
    const rows = await region.locator("table").evaluate((one: HTMLTableElement) =>
      [...one.rows].map(({ cells }) =>
        [...cells].map((cell) => ({
          text: cell.textContent ?? "",
          exact: cell.querySelector("[title]")?.getAttribute("title") ?? "",
        })),
      ),
    );
    const [heads = [], ...lines] = rows;
    return lines.map((cells) =>
      Object.fromEntries(heads.map(({ text }, i) => [text, cells[i] ?? { text: "", exact: "" }])),
    );
  }

  async function csvOf(caption: string): Promise<readonly Readonly<Record<string, string>>[]> {
    const [file] = await Promise.all([
      page.waitForEvent("download"),
      page.getByRole("link", { name: `CSV of ${caption}` }).click(),
    ]);
    const [heads = "", ...lines] = (await Bun.file(await file.path()).text()).trimEnd().split(/\r?\n/);
    return lines.map((line) => {
      const cells = line.split(",");
      return Object.fromEntries(heads.split(",").map((head, i) => [head, cells[i] ?? ""]));
    });
  }

  const facts = async () => ((await page.locator("p.facts").textContent()) ?? "").replaceAll(/\s+/g, " ");
  const legend = (title: string) =>
    page
      .locator("figure.plot")
      .filter({ has: page.getByRole("heading", { name: title }) })
      .locator("ul.legend li")
      .evaluateAll((items) =>
        items.map((item) =>
          [item.childNodes[1], item.querySelector("b")].map((part) => part?.textContent?.trim() ?? ""),
        ),
      );

  return {
    page,
    complaints,
    rowsOf,
    sumsBy,
    sumOf,
    goTo,
    table,
    csvOf,
    facts,
    legend,
    async [Symbol.asyncDispose]() {
      await browser.close();
      ledger.close();
      await server.stop(true);
      await open[Symbol.asyncDispose]();
    },
  };
}

const SUMS = `sum(iif(asks, coalesce(refusals, 1), 0)) AS requests, sum(iif(asks AND status <> 200, coalesce(refusals, 1), 0)) AS failed,
  sum(iif(asks, inputs, 0)) AS inputs, sum(cache_hits) AS hits, sum(tokens) AS tokens, sum(tokens_billed) AS billed, sum(cost_pico_usd) AS cost,
  sum(micro_credits) AS credits, sum(saved_pico_usd) AS saved, sum(upstream_pico_usd) AS owed`;

const textOf = (i: number, name: string) => `${"some words ".repeat(20)} ${i} of ${name}`;

const YAML = `
providers:
  one: { plugin: openai, base_url: "http://one.example/v1" }
models:
  dear: { dimensions: 2, price: 900, uncounted: send, routes: [ { provider: one } ] }
  cheap: { dimensions: 2, price: 0.7, uncounted: send, routes: [ { provider: one } ] }
space_probe: false
cache: { memory_mb: 16 }
`;

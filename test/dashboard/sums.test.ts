/**
 * Every figure that the dashboard's pages ask for, and each CSV, against the ledger's rows: by each group, with each filter, in each unit of time,
 * and in workspaces' own time zones.
 */
import { Database } from "bun:sqlite";
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { join } from "node:path";
import { OWN_WORKSPACE } from "../../src/books/ledger";
import { creditsOf, usdOf } from "../../src/books/money";
import { openWorld, type World } from "./world";

type Value = string | number | bigint | null;
type Row = Readonly<Record<string, Value>>;

let world: World;
let ledger: Database;

beforeAll(async () => {
  world = await openWorld("planted", 300);
  ledger = new Database(join(world.open.folder, "data/embedgate.db"), { readonly: true, safeIntegers: true });
});
afterAll(async () => {
  ledger.close();
  await world[Symbol.asyncDispose]();
});

const rowsOf = (text: string, values: readonly (string | number)[] = []) =>
  ledger.query<Row, (string | number)[]>(text).all(...values);

async function told(address: string): Promise<ReturnType<typeof Object>> {
  const { status, json, text } = await world.open.send(`/admin/v1${address}`, {
    headers: { authorization: `Bearer ${world.adminKey}` },
  });
  if (status !== 200) throw new Error(`${address}: ${status} ${text}`);
  return Object(json);
}

/** Lines of a CSV by its heads. No cell of these has a comma. */
async function csvOf(address: string): Promise<readonly Readonly<Record<string, string>>[]> {
  const { text } = await world.open.send(
    `/admin/v1${address}${address.includes("?") ? "&" : "?"}format=csv`,
    {
      headers: { authorization: `Bearer ${world.adminKey}` },
    },
  );
  const [heads = "", ...lines] = text.trimEnd().split(/\r?\n/);
  return lines.map((line) => {
    const cells = line.split(",");
    return Object.fromEntries(heads.split(",").map((head, i) => [head, cells[i] ?? ""]));
  });
}

const AMOUNTS = `sum(iif(asks, coalesce(refusals, 1), 0)) AS requests, sum(iif(asks AND status <> 200, coalesce(refusals, 1), 0)) AS failed,
  sum(iif(asks, inputs, 0)) AS inputs, sum(cache_hits) AS cache_hits, sum(tokens) AS tokens, sum(tokens_billed) AS tokens_billed,
  sum(cost_pico_usd) AS cost, sum(micro_credits) AS credits, sum(saved_pico_usd) AS saved, sum(tokens_upstream) AS tokens_upstream,
  sum(upstream_pico_usd) AS owed`;
const FROM = `FROM (SELECT *, workspace <> '${OWN_WORKSPACE}' AS asks FROM ledger WHERE status <> 0 OR error IS NOT NULL)`;

const COLUMN: Readonly<Record<string, string>> = {
  workspace: "workspace",
  key: "coalesce(key_id, '')",
  model: "model",
  status: "cast(status AS text)",
  code: "coalesce(error, '')",
  kind: "coalesce(kind, '')",
  metadata: "coalesce(metadata ->> '$.team', '')",
};

const sumsIn = (row: Row, isShared = false) => ({
  requests: Number(row.requests),
  failed: Number(row.failed),
  inputs: Number(row.inputs),
  cache_hits: Number(row.cache_hits),
  tokens: Number(row.tokens),
  tokens_billed: Number(row.tokens_billed),
  cost_usd: usdOf(BigInt(row.cost ?? 0)),
  credits: creditsOf(BigInt(row.credits ?? 0)),
  saved_usd: usdOf(BigInt(row.saved ?? 0)),
  ...(!isShared && {
    tokens_upstream: Number(row.tokens_upstream),
    upstream_usd: usdOf(BigInt(row.owed ?? 0)),
  }),
});

const isSomething = (row: Row) =>
  Object.entries(row).some(([name, value]) => name !== "name" && Number(value) !== 0);

const RANGES = [
  ["day", "40d"],
  ["hour", "24h"],
  ["hour", "7d"],
  ["minute", "1h"],
] as const;

describe("series", () => {
  for (const [unit, since] of RANGES)
    test(`of the last ${since} by ${unit} are the ledger's, in every group and filter, and so is their CSV`, async () => {
      const filters = [
        "",
        "&workspace=search",
        "&model=support-articles",
        ...rowsOf("SELECT key_id AS id FROM ledger WHERE workspace = 'support-bot' LIMIT 1").map(
          ({ id }) => `&key_id=${id}`,
        ),
      ];
      for (const by of Object.keys(COLUMN))
        for (const filter of filters) {
          const more = by === "metadata" ? "&metadata_key=team" : "";
          const columns = "requests,failed,tokens,cost_usd,saved_usd";
          const address = `/series?unit=${unit}&since=${since}&by=${by}&top=100&columns=${columns}${filter}${more}`;
          const said = await told(address);
          const where = filter === "" ? "" : "AND ".concat(filter.slice(1).replace("=", " = '"), "'");
          const from = Date.parse(said.since);
          const until = Date.parse(said.until);
          const own = rowsOf(
            `SELECT ${COLUMN[by]} AS name, ${AMOUNTS} ${FROM} WHERE started_at >= ? AND started_at < ? ${where} GROUP BY 1`,
            [from, until],
          ).filter(isSomething);
          const groups = Object.fromEntries(
            said.groups.map((one: ReturnType<typeof Object>) => [Object.values(one.names)[0], one.total]),
          );
          expect(Object.keys(groups).sort()).toEqual(own.map(({ name }) => String(name)).sort());
          for (const row of own)
            expect([address, groups[String(row.name)]]).toMatchObject([address, sumsIn(row)]);
          const [all] = rowsOf(
            `SELECT ${AMOUNTS} ${FROM} WHERE started_at >= ? AND started_at < ? ${where}`,
            [from, until],
          );
          expect([address, said.total]).toMatchObject([address, sumsIn(all ?? {})]);
          const lines = await csvOf(address);
          const sum = (name: string) => lines.reduce((total, line) => total + Number(line[name]), 0);
          expect([sum("requests"), sum("failed"), sum("tokens")]).toEqual([
            said.total.requests,
            said.total.failed,
            said.total.tokens,
          ]);
          expect(sum("cost_usd")).toBeCloseTo(Number(said.total.cost_usd), 9);
          // What the plots draw.
          const points = said.groups.flatMap(
            (one: ReturnType<typeof Object>) => one.points.requests as number[],
          );
          expect(points.reduce((total: number, one: number) => total + one, 0)).toBe(said.total.requests);
        }
    });

  test("by provider owe each what it counted, also where several answered one request", async () => {
    const said = await told("/series?unit=day&since=40d&by=provider&top=100");
    const own = rowsOf(`SELECT coalesce(iif(by_provider IS NULL, provider, share.value ->> 0), '') AS name,
        sum(iif(by_provider IS NULL, tokens_upstream, share.value ->> 1)) AS tokens, sum(iif(by_provider IS NULL, upstream_pico_usd, share.value ->> 2)) AS owed
      FROM ledger LEFT JOIN json_each(by_provider) AS share WHERE status <> 0 OR error IS NOT NULL GROUP BY 1`);
    const of = (one: ReturnType<typeof Object>) => [
      one.names.provider,
      one.total.tokens_upstream,
      one.total.upstream_usd,
    ];
    expect(said.groups.map(of).sort()).toEqual(
      own.map(({ name, tokens, owed }) => [name, Number(tokens), usdOf(BigInt(owed ?? 0))]).sort(),
    );
  });
});

test("usage is the ledger's, with metadata too", async () => {
  for (const filter of [
    "",
    "&workspace=search",
    "&metadata=team=web",
    "&workspace=search&metadata=team=app",
  ]) {
    const address = `/usage?since=30d&by=model,workspace${filter}`;
    const { lines, since, until } = await told(address);
    const [workspace, team] = [/workspace=(\w+)/, /team=(\w+)/].map((part) => part.exec(filter)?.[1]);
    const where = [
      workspace && `AND workspace = '${workspace}'`,
      team && `AND metadata ->> '$.team' = '${team}'`,
    ]
      .filter(Boolean)
      .join(" ");
    const own = rowsOf(
      `SELECT model || ' ' || workspace AS name, ${AMOUNTS} ${FROM} WHERE started_at >= ? AND started_at < ? ${where} GROUP BY 1`,
      [Date.parse(since), Date.parse(until)],
    );
    const byName = Object.fromEntries(
      lines.map((line: ReturnType<typeof Object>) => [`${line.groups.model} ${line.groups.workspace}`, line]),
    );
    for (const row of own.filter(isSomething)) {
      const { saved_usd: _, ...sums } = sumsIn(row);
      expect([address, byName[String(row.name)]]).toMatchObject([address, sums]);
    }
    const cells = await csvOf(address);
    expect(
      cells.map(({ model, workspace: of, cost_usd, tokens }) => [model, of, cost_usd, tokens]).sort(),
    ).toEqual(
      lines
        .map((line: ReturnType<typeof Object>) => [
          line.groups.model,
          line.groups.workspace,
          line.cost_usd,
          String(line.tokens),
        ])
        .sort(),
    );
  }
});

test("every request is in the list once, with each filter, in its CSV as on the page", async () => {
  const teams = "metadata ->> '$.team'";
  for (const [query, where] of [
    ["", "true"],
    ["workspace=search", "workspace = 'search'"],
    ["model=support-articles&status=failed", "model = 'support-articles' AND status <> 200"],
    ["status=200&metadata=team=web", `status = 200 AND ${teams} = 'web'`],
    ["status=4xx", "status BETWEEN 400 AND 499"],
    ["since=2h&until=1h", "started_at >= :since AND started_at < :until"],
  ] as const) {
    const now = Date.now();
    const own = rowsOf(
      `SELECT count(*) AS requests, sum(tokens) AS tokens, sum(cost_pico_usd) AS cost FROM ledger WHERE ${where
        .replace(":since", String(now - 7_200_000))
        .replace(":until", String(now - 3_600_000))}`,
    )[0];
    const all: Row[] = [];
    const lines: Row[] = [];
    for (let cursor: string | null = ""; cursor !== null; ) {
      const address = `/requests?limit=500&${query}${cursor === "" ? "" : `&cursor=${encodeURIComponent(cursor)}`}`;
      const page = await told(address);
      all.push(...page.requests);
      lines.push(...(await csvOf(address)));
      cursor = page.next;
    }
    const cost = (rows: readonly Row[]) =>
      rows.reduce((sum, row) => sum + BigInt(Math.round(Number(row.cost_usd) * 1e12)), 0n);
    const tokens = (rows: readonly Row[]) => rows.reduce((sum, row) => sum + Number(row.tokens), 0);
    const expected = [Number(own?.requests), Number(own?.tokens), BigInt(own?.cost ?? 0)];
    expect([query, new Set(all.map(({ request }) => request)).size, tokens(all), cost(all)]).toEqual([
      query,
      ...expected,
    ]);
    expect([query, lines.length, tokens(lines), cost(lines)]).toEqual([query, ...expected]);
  }
});

describe("money", () => {
  test("invoices and credits are the ledger's", async () => {
    const month = new Date().toISOString().slice(0, 7);
    for (const workspace of ["search", "support-bot", "batch-import"])
      for (const by of ["model", "day"] as const) {
        const address = `/workspaces/${workspace}/invoices/${month}?by=${by}`;
        const { total } = await told(address);
        const [own] = rowsOf(
          `SELECT sum(status = 200) AS requests, sum(tokens_billed) AS tokens, sum(cost_pico_usd) AS cost, sum(micro_credits) AS credits
           FROM ledger WHERE workspace = ? AND started_at >= ?`,
          [workspace, monthStart()],
        );
        expect([address, total]).toMatchObject([
          address,
          {
            requests: Number(own?.requests),
            tokens_billed: Number(own?.tokens),
            cost_usd: usdOf(BigInt(own?.cost ?? 0)),
            micro_credits: String(own?.credits),
          },
        ]);
        const lines = await csvOf(address);
        expect(lines.reduce((sum, line) => sum + BigInt(line.micro_credits ?? 0), 0n)).toBe(
          BigInt(own?.credits ?? 0),
        );
        expect(lines.reduce((sum, line) => sum + Number(line.tokens_billed), 0)).toBe(Number(own?.tokens));
      }
    const { history } = await told("/workspaces/support-bot/credits");
    const [account] = rowsOf("SELECT micro_credits AS left FROM workspaces WHERE name = 'support-bot'");
    expect(history.at(-1).balance).toBe(creditsOf(BigInt(account?.left ?? 0)));
    const lines = await csvOf("/workspaces/support-bot/credits");
    expect(lines.at(-1)?.balance).toBe(history.at(-1).balance);
  });

  test("what a workspace spent today is of the day in its time zone", async () => {
    const { workspaces, keys } = world.open.gateway;
    for (const zone of ["UTC", "Asia/Kolkata", "America/St_Johns", "Pacific/Kiritimati"]) {
      const name = zone.toLowerCase().replace("/", "-");
      await workspaces.create(name, { cap_time_zone: zone, cap_usd_per_day: 9 }, null);
      const { key } = await keys.create("zone", name);
      const body = { model: "bge-m3", input: `some words for ${zone}` };
      // The provider of this model fails now and then.
      for (let i = 0; i < 6; i++)
        await world.open.post({ ...body, input: `${body.input} ${i}` }, { authorization: `Bearer ${key}` });
      const { workspaces: all } = await told("/workspaces");
      const said = all.find((one: ReturnType<typeof Object>) => one.name === name);
      const ends = Date.parse(said.day_ends_at);
      const [own] = rowsOf(
        "SELECT sum(cost_pico_usd) AS cost FROM ledger WHERE workspace = ? AND started_at >= ? AND started_at < ?",
        [name, ends - 86_400_000, ends],
      );
      const clock = new Date(ends).toLocaleTimeString("en-GB", { timeZone: zone });
      expect([zone, clock, said.spent_today_usd]).toEqual([zone, "00:00:00", usdOf(BigInt(own?.cost ?? 0))]);
    }
  });
});

function monthStart(): number {
  const now = new Date();
  return Date.UTC(now.getUTCFullYear(), now.getUTCMonth());
}

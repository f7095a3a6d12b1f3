/**
 * deploy/grafana/ is valid: the gateway has every metric and label that a panel or an alert names, and Prometheus' own tool accepts
 * the rules, their tests, and the real output of /metrics.
 */
import { describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { type TProperties, Type } from "@sinclair/typebox";
import { Value } from "@sinclair/typebox/value";
import { parse } from "yaml";
import { FAMILIES } from "../../src/admin/metric-families";
import { FAKE_YAML, openGateway } from "../gateway";
import { temporaryFolder } from "../serving";
import { ROOT } from "./blocks";

const FOLDER = join(ROOT, "deploy/grafana");
const text = (path: string) => readFileSync(join(FOLDER, path), "utf8");

/**
 * The part of Grafana's own schema (grafana-foundation-sdk, `UnmarshalJSONStrict` of its dashboards) that is used here: nothing is missing that it
 * requires, and nothing is there that it does not know. What else a panel needs is a further member.
 */
const exact = <Properties extends TProperties>(properties: Properties) =>
  Type.Object(properties, { additionalProperties: false });
const oneOf = <const Words extends readonly string[]>(...words: Words) =>
  Type.Union(words.map((word) => Type.Literal(word)));
const DataSource = exact({ type: Type.Literal("prometheus"), uid: Type.Literal("${datasource}") });
const GridPos = exact({
  x: Type.Integer({ minimum: 0, maximum: 23 }),
  y: Type.Integer({ minimum: 0 }),
  w: Type.Integer({ minimum: 1, maximum: 24 }),
  h: Type.Integer({ minimum: 1 }),
});
const panelOf = <Properties extends TProperties>(properties: Properties) =>
  exact({
    id: Type.Integer({ minimum: 1 }),
    title: Type.String({ minLength: 1 }),
    gridPos: GridPos,
    ...properties,
  });
const Target = exact({
  refId: Type.String({ pattern: "^[A-Z]$" }),
  expr: Type.String({ minLength: 1 }),
  legendFormat: Type.String(),
  datasource: DataSource,
  instant: Type.Optional(Type.Boolean()),
  format: Type.Optional(oneOf("table", "time_series")),
});
const PANEL = {
  description: Type.String(),
  datasource: DataSource,
  fieldConfig: exact({
    defaults: exact({
      unit: oneOf("reqps", "percentunit", "s", "d", "short", "bytes", "currencyUSD"),
      min: Type.Optional(Type.Literal(0)),
      thresholds: Type.Optional(
        exact({
          mode: Type.Literal("absolute"),
          steps: Type.Array(exact({ color: Type.String(), value: Type.Union([Type.Null(), Type.Number()]) })),
        }),
      ),
    }),
    overrides: Type.Tuple([]),
  }),
  targets: Type.Array(Target, { minItems: 1 }),
};
const Panel = Type.Union([
  panelOf({
    type: Type.Literal("row"),
    collapsed: Type.Boolean(),
    panels: Type.Tuple([]),
    targets: Type.Optional(Type.Undefined()),
  }),
  panelOf({ type: Type.Literal("stat"), ...PANEL }),
  panelOf({
    type: Type.Literal("table"),
    ...PANEL,
    transformations: Type.Array(
      exact({
        id: Type.Literal("organize"),
        options: exact({
          excludeByName: Type.Record(Type.String(), Type.Boolean()),
          renameByName: Type.Record(Type.String(), Type.String()),
        }),
      }),
    ),
  }),
  panelOf({
    type: Type.Literal("timeseries"),
    ...PANEL,
    options: exact({
      legend: exact({
        displayMode: oneOf("list", "table", "hidden"),
        placement: oneOf("bottom", "right"),
        showLegend: Type.Boolean(),
        calcs: Type.Array(Type.String()),
      }),
      tooltip: exact({ mode: oneOf("single", "multi", "none"), sort: oneOf("asc", "desc", "none") }),
    }),
  }),
]);
const Current = exact({ text: Type.String(), value: Type.String() });
const Dashboard = exact({
  uid: Type.String({ maxLength: 40 }),
  title: Type.String(),
  description: Type.String(),
  tags: Type.Array(Type.String()),
  schemaVersion: Type.Integer({ minimum: 36 }),
  version: Type.Integer(),
  editable: Type.Boolean(),
  refresh: Type.String(),
  time: exact({ from: Type.String(), to: Type.String() }),
  timezone: Type.String(),
  templating: exact({
    list: Type.Array(
      Type.Union([
        exact({
          name: Type.Literal("datasource"),
          label: Type.String(),
          type: Type.Literal("datasource"),
          query: Type.Literal("prometheus"),
          current: Current,
        }),
        exact({
          name: Type.String(),
          label: Type.String(),
          type: Type.Literal("query"),
          datasource: DataSource,
          query: exact({ query: Type.String(), refId: Type.String() }),
          definition: Type.String(),
          includeAll: Type.Boolean(),
          multi: Type.Boolean(),
          allValue: Type.String(),
          current: Current,
          refresh: Type.Integer({ minimum: 0, maximum: 2 }),
          sort: Type.Integer({ minimum: 0, maximum: 8 }),
        }),
      ]),
    ),
  }),
  annotations: exact({
    list: Type.Array(
      exact({
        name: Type.String(),
        enable: Type.Boolean(),
        iconColor: Type.String(),
        datasource: DataSource,
        expr: Type.String(),
      }),
    ),
  }),
  panels: Type.Array(Panel),
});
const Rules = Type.Object({
  groups: Type.Array(
    Type.Object({
      rules: Type.Array(
        Type.Object({
          alert: Type.String(),
          expr: Type.String(),
          labels: Type.Object({ severity: Type.Union([Type.Literal("page"), Type.Literal("ticket")]) }),
          annotations: Type.Object({ summary: Type.String(), description: Type.String() }),
        }),
      ),
    }),
  ),
});

/** Throws for what it does not know; Value.Parse would leave it out. */
const dashboard = Value.Decode(Dashboard, JSON.parse(text("dashboards/embedgate.json")));
const rules = Value.Parse(Rules, parse(text("rules.yaml"))).groups.flatMap((group) => group.rules);
const expressions = [
  ...dashboard.panels.flatMap(({ targets = [], title }) => targets.map(({ expr }) => [title, expr] as const)),
  ...rules.map(({ alert, expr }) => [alert, expr] as const),
];

/** By the name in queries: the labels that it has in addition to Prometheus' own. */
const known = new Map<string, readonly string[]>(
  Object.values(FAMILIES).flatMap(({ name, type, labels }): [string, readonly string[]][] =>
    type === "histogram"
      ? [
          [`${name}_bucket`, [...labels, "le"]],
          [`${name}_sum`, labels],
          [`${name}_count`, labels],
        ]
      : [[name, labels]],
  ),
);
const PROMETHEUS = ["job", "instance"];

describe("the dashboard and the alerts", () => {
  test.each(expressions)("%s uses existing metrics and labels", (_, expression) => {
    const metrics = [...expression.matchAll(/\b(?:embedgate|process)_\w+|\bup\b/g)].map(([name]) => name);
    expect(metrics.length).toBeGreaterThan(0);
    for (const name of metrics) if (name !== "up") expect([name, known.has(name)]).toEqual([name, true]);
    const labels = new Set([...PROMETHEUS, ...metrics.flatMap((name) => known.get(name) ?? [])]);
    const asked = [
      ...[...expression.matchAll(/(\w+)(?==~?"|!=|!~)/g)].map(([, label = ""]) => label),
      ...[...expression.matchAll(/by \(([\w, ]+)\)/g)].flatMap(([, list = ""]) => list.split(", ")),
    ];
    for (const label of asked) expect([label, labels.has(label)]).toEqual([label, true]);
  });

  test("show every metric of the gateway's own, except those that make no plot", () => {
    const all = expressions.map(([, expression]) => expression).join("\n");
    const unseen = Object.values(FAMILIES).flatMap(({ name }) => (all.includes(name) ? [] : [name]));
    expect(unseen).toEqual(["embedgate_rate_limits_degraded_total", "embedgate_build_info"]);
  });

  test("have panels that do not overlap", () => {
    const { panels } = dashboard;
    expect(new Set(panels.map(({ id }) => id)).size).toBe(panels.length);
    const cells = panels.flatMap(({ gridPos: { x, y, w, h } }) =>
      Array.from({ length: w * h }, (_, i) => `${x + (i % w)} ${y + Math.floor(i / w)}`),
    );
    expect(new Set(cells).size).toBe(cells.length);
    for (const { x, w } of panels.map(({ gridPos }) => gridPos)) expect(x + w).toBeLessThanOrEqual(24);
  });

  test("use variables that the dashboard has, and Grafana's own", () => {
    const variables = new Set(["__rate_interval", ...dashboard.templating.list.map(({ name }) => name)]);
    const asked = [...text("dashboards/embedgate.json").matchAll(/\$\{?(\w+)/g)].map(([, name = ""]) => name);
    expect(asked.filter((name) => !variables.has(name) && name !== "__all")).toEqual([]);
    for (const { targets = [] } of dashboard.panels)
      expect(new Set(targets.map(({ refId }) => refId)).size).toBe(targets.length);
  });

  test("each fire when they must, and do not when they must not", () => {
    const tried = [...text("rules.test.yaml").matchAll(/alertname: (\w+)(, exp_alerts: \[\])?/g)];
    const names = rules.map(({ alert }) => alert).sort();
    const of = (isQuiet: boolean) =>
      tried.flatMap(([, name = "", quiet]) => ((quiet !== undefined) === isQuiet ? [name] : [])).sort();
    expect([of(true), of(false)]).toEqual([names, names]);
  });
});

/** From Debian's package `prometheus`. */
describe.skipIf(Bun.which("promtool") === null)("promtool", () => {
  async function promtool(args: readonly string[], input = ""): Promise<{ code: number; said: string }> {
    const child = Bun.spawn(["promtool", ...args], {
      cwd: FOLDER,
      stdin: new Blob([input]),
      stdout: "pipe",
      stderr: "pipe",
    });
    const [code, out, errors] = await Promise.all([
      child.exited,
      new Response(child.stdout).text(),
      new Response(child.stderr).text(),
    ]);
    return { code, said: out + errors };
  }

  test.each([
    "check rules rules.yaml",
    "test rules rules.test.yaml",
    "check config --syntax-only prometheus.yaml",
  ])("%s: takes what is there", async (line) => {
    const { code, said } = await promtool(line.split(" "));
    expect([code, said]).toEqual([0, expect.stringContaining("SUCCESS")]);
  });

  test("promtool parses the query of each panel", async () => {
    const rule = ([title, expression]: readonly [string, string], i: number) => ({
      record: `panel:${i}`,
      expr: expression.replaceAll("$__rate_interval", "5m").replaceAll(/\$\w+/g, ".*"),
      labels: { title },
    });
    using folder = temporaryFolder({
      "panels.yml": JSON.stringify({ groups: [{ name: "panels", rules: expressions.map(rule) }] }),
    });
    const { code, said } = await promtool(["check", "rules", join(folder.path, "panels.yml")]);
    expect([code, said]).toEqual([0, expect.stringContaining(`${expressions.length} rules found`)]);
  });

  test("promtool check metrics has no complaints about /metrics", async () => {
    const ending = FAKE_YAML.replace("price: 0.02", 'price: 0.02, end_of_life: "2027-03-01"');
    await using open = await openGateway({ yaml: `${ending}cache: {}\n` });
    for (const model of ["fake", "docs", "nobody-has-it"]) await open.post({ model, input: ["a", "b"] });
    const { text } = await open.send("/metrics");
    for (const { name } of Object.values(FAMILIES)) expect(text).toContain(`# TYPE ${name} `);
    expect(await promtool(["check", "metrics"], text)).toEqual({ code: 0, said: "" });
  });
});

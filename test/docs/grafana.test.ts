/**
 * deploy/grafana/ is valid: the gateway has every metric and label that a panel or an alert names, and Prometheus' own tool accepts
 * the rules, their tests, and the real output of /metrics.
 */
import { describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { Type } from "@sinclair/typebox";
import { Value } from "@sinclair/typebox/value";
import { parse } from "yaml";
import { FAMILIES } from "../../src/admin/metric-families";
import { FAKE_YAML, openGateway } from "../gateway";
import { ROOT } from "./blocks";

const FOLDER = join(ROOT, "deploy/grafana");
const text = (path: string) => readFileSync(join(FOLDER, path), "utf8");

const Dashboard = Type.Object({
  uid: Type.String(),
  panels: Type.Array(
    Type.Object({
      id: Type.Integer(),
      type: Type.String(),
      title: Type.String({ minLength: 1 }),
      gridPos: Type.Object({ x: Type.Integer(), y: Type.Integer(), w: Type.Integer(), h: Type.Integer() }),
      targets: Type.Optional(Type.Array(Type.Object({ expr: Type.String() }))),
    }),
  ),
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

const dashboard = Value.Parse(Dashboard, JSON.parse(text("dashboards/embedgate.json")));
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

  test("promtool check metrics has no complaints about /metrics", async () => {
    const ending = FAKE_YAML.replace("price: 0.02", 'price: 0.02, end_of_life: "2027-03-01"');
    await using open = await openGateway({ yaml: `${ending}cache: {}\n` });
    for (const model of ["fake", "docs", "nobody-has-it"]) await open.post({ model, input: ["a", "b"] });
    const { text } = await open.send("/metrics");
    for (const { name } of Object.values(FAMILIES)) expect(text).toContain(`# TYPE ${name} `);
    expect(await promtool(["check", "metrics"], text)).toEqual({ code: 0, said: "" });
  });
});

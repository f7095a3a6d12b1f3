/**
 * Turns the Admin API's answers into what `embedgate top` shows, as values and as a page. A new column is a member here and a cell of its table.
 */
import { type Static, Type } from "@sinclair/typebox";
import { Value } from "@sinclair/typebox/value";
import { fitted, folded } from "../terminal/fit";
import type { Screen } from "../terminal/screen";
import { type Cell, table } from "../terminal/table";

const Sums = Type.Object({
  requests: Type.Number(),
  failed: Type.Number(),
  inputs: Type.Number(),
  cache_hits: Type.Number(),
  tokens: Type.Number(),
  cost_usd: Type.String(),
  p50_ms: Type.Union([Type.Number(), Type.Null()]),
  p99_ms: Type.Union([Type.Number(), Type.Null()]),
});
const Gateway = Type.Object({
  version: Type.String(),
  now: Type.String(),
  started_at: Type.String(),
  requests_in_flight: Type.Number(),
  database_bytes: Type.Number(),
});
const Series = Type.Object({
  since: Type.String(),
  groups: Type.Array(
    Type.Object({
      names: Type.Record(Type.String(), Type.String()),
      is_rest: Type.Boolean(),
      total: Sums,
      errors: Type.Array(
        Type.Object({ code: Type.String(), status: Type.Number(), requests: Type.Number() }),
      ),
    }),
  ),
  total: Sums,
});
const Routes = Type.Object({
  routes: Type.Array(
    Type.Object({
      model: Type.String(),
      provider: Type.String(),
      state: Type.String(),
      circuit: Type.String(),
      queue_interactive: Type.Number(),
      queue_bulk: Type.Number(),
      rests_for_ms: Type.Number(),
      verdict: Type.String(),
      held_back_because: Type.Union([Type.String(), Type.Null()]),
      last_error: Type.Union([Type.Object({ at: Type.String(), message: Type.String() }), Type.Null()]),
    }),
  ),
});

const Notices = Type.Object({
  notices: Type.Array(
    Type.Object({
      kind: Type.String(),
      severity: Type.Union([Type.Literal("error"), Type.Literal("warning")]),
      message: Type.String(),
      command: Type.Union([Type.String(), Type.Null()]),
    }),
  ),
});

type Sums = Static<typeof Sums>;

export interface Figures extends Sums {
  readonly requests_per_second: number;
}

export interface Overview {
  readonly gateway: Static<typeof Gateway>;
  readonly seconds: number;
  /** Problems that need attention, errors first. */
  readonly notices: Static<typeof Notices>["notices"];
  readonly total: Figures;
  /** Routes that were or may be called, the most called first. */
  readonly routes: readonly (Figures & {
    readonly model: string;
    readonly provider: string;
    readonly now: Static<typeof Routes>["routes"][number] | null;
  })[];
  readonly workspaces: readonly (Figures & { readonly workspace: string })[];
  readonly errors: readonly { readonly status: number; readonly code: string; readonly requests: number }[];
}

const NONE: Sums = {
  requests: 0,
  failed: 0,
  inputs: 0,
  cache_hits: 0,
  tokens: 0,
  cost_usd: "0",
  p50_ms: null,
  p99_ms: null,
};
const REST = "(rest)";
/** Models that callers asked for and the routing file does not have: the sums do not keep their names. */
const UNKNOWN = "(unknown)";

/** @param bodies the answers of /gateway, /series by model and provider, /series by workspace, /routes, and /notices */
export function overviewOf(bodies: readonly unknown[]): Overview | undefined {
  const [gateway, byRoute, byWorkspace, now, needs] = bodies;
  if (!Value.Check(Gateway, gateway) || !Value.Check(Series, byRoute) || !Value.Check(Series, byWorkspace))
    return undefined;
  if (!Value.Check(Routes, now) || !Value.Check(Notices, needs)) return undefined;
  const seconds = Math.max(1, (Date.parse(gateway.now) - Date.parse(byRoute.since)) / 1_000);
  const figures = (sums: Sums): Figures => ({
    ...sums,
    requests_per_second: sums.requests / seconds,
  });
  const asked = byRoute.groups.map(({ names, is_rest, total }) => {
    const { model = "", provider = "" } = is_rest ? { model: REST } : names;
    const found = now.routes.find((one) => one.model === model && one.provider === provider);
    return { model, provider, now: found ?? null, ...figures(total) };
  });
  const others = now.routes
    .filter((one) => !asked.some(({ now }) => now === one))
    .map((one) => ({ model: one.model, provider: one.provider, now: one, ...figures(NONE) }));
  return {
    gateway,
    seconds,
    notices: needs.notices,
    total: figures(byRoute.total),
    routes: [...asked.map((one) => ({ ...one, model: one.model || UNKNOWN })), ...others],
    workspaces: byWorkspace.groups.map(({ names, is_rest, total }) => ({
      workspace: is_rest ? REST : (names.workspace ?? ""),
      ...figures(total),
    })),
    errors: errorsIn(byWorkspace.groups),
  };
}

function errorsIn(groups: Static<typeof Series>["groups"]): Overview["errors"] {
  const sums = new Map<string, Overview["errors"][number]>();
  for (const { status, code, requests } of groups.flatMap(({ errors }) => errors)) {
    const name = `${status} ${code}`;
    sums.set(name, { status, code, requests: requests + (sums.get(name)?.requests ?? 0) });
  }
  return [...sums.values()].sort((a, b) => b.requests - a.requests);
}

/** Columns that are left out on a narrow terminal, in this order. Problems are listed above the table. */
const LEAST = ["TROUBLE", "QUEUE", "P50 MS", "TOKENS", "SPACE", "USD", "CIRCUIT", "REQ/S", "PROVIDER"];

export function pageOf({ gateway, total, seconds, ...of }: Overview, base: string, screen: Screen): string {
  const { paint, columns } = screen;
  const up = lasting(Date.parse(gateway.now) - Date.parse(gateway.started_at));
  const hits = total.inputs === 0 ? 0 : total.cache_hits / total.inputs;
  const rest = ["REQ/S", "P50 MS", "P99 MS", "FAILED", "TOKENS", "USD"];
  const routes: Cell[][] = of.routes.map(({ model, provider, now, ...sums }) => [
    model,
    provider,
    ...cells(sums),
    now?.circuit.replaceAll("_", " ") ?? "",
    right(now === null ? "" : `${now.queue_interactive}/${now.queue_bulk}`),
    now?.verdict ?? "",
    now === null ? "" : troubleOf(now),
  ]);
  const workspaces: Cell[][] = of.workspaces.map(({ workspace, ...sums }) => [workspace, ...cells(sums)]);
  const errors: Cell[][] = of.errors.map(({ status, code, requests }) => [
    String(status),
    code,
    right(requests),
  ]);
  const under = (head: Cell[], rows: Cell[][]) =>
    rows.length === 0 ? [] : ["", table(fitted([head, ...rows], LEAST, columns), screen)];
  const about = [
    base,
    `up ${up}`,
    `in flight ${gateway.requests_in_flight}`,
    `database ${megabytes(gateway.database_bytes)}`,
  ];
  const sums = [
    `last ${lasting(seconds * 1_000)}: ${rate(total)} requests/s`,
    `${share(total)} failed`,
    `p50 ${total.p50_ms ?? "-"} ms`,
    `p99 ${total.p99_ms ?? "-"} ms`,
    `${total.tokens} tokens`,
    `$${total.cost_usd}`,
    `${percent(hits)} of inputs from the cache`,
  ];
  const needs = of.notices.map(({ severity, kind, message }) => {
    const says = `${severity === "error" ? "NOW " : "SOON"} ${kind.replaceAll("_", " ")}: ${message}`;
    return severity === "error" ? paint.red(says) : says;
  });
  return [
    folded([paint.bold(`embedgate ${gateway.version}`), ...about], "  ", columns),
    folded(sums, ", ", columns),
    ...(needs.length === 0 ? [] : ["", ...needs]),
    ...under(["MODEL", "PROVIDER", ...rest, "CIRCUIT", "QUEUE", "SPACE", "TROUBLE"], routes),
    ...under(["WORKSPACE", ...rest], workspaces),
    ...under(["STATUS", "ERROR", "REQUESTS"], errors),
  ].join("\n");
}

const right = (value: string | number): Cell => ({ right: String(value) });
const percent = (part: number) => `${(part * 100).toFixed(1)} %`;
const share = ({ failed, requests }: Sums) => percent(requests === 0 ? 0 : failed / requests);
const rate = ({ requests_per_second }: Figures) => requests_per_second.toFixed(2);
const megabytes = (bytes: number) => `${(bytes / 1e6).toFixed(1)} MB`;

const cells = (figures: Figures): Cell[] => [
  right(rate(figures)),
  right(figures.p50_ms ?? "-"),
  right(figures.p99_ms ?? "-"),
  right(share(figures)),
  right(figures.tokens),
  right(figures.cost_usd),
];

function troubleOf(now: NonNullable<Overview["routes"][number]["now"]>): string {
  if (now.held_back_because !== null) return now.held_back_because;
  if (now.rests_for_ms > 0) return `the provider asked to wait, ${lasting(now.rests_for_ms)} more`;
  return now.last_error === null ? "" : `${now.last_error.at.slice(11, 19)} ${now.last_error.message}`;
}

function lasting(ms: number): string {
  const seconds = Math.round(ms / 1_000);
  if (seconds < 60) return `${seconds}s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return `${minutes}m ${seconds % 60}s`;
  const hours = Math.floor(minutes / 60);
  return hours < 48 ? `${hours}h ${minutes % 60}m` : `${Math.floor(hours / 24)}d ${hours % 24}h`;
}

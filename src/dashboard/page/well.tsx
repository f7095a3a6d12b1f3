/** "Is it well": notices, every route as a row, and requests, failures, latency and cost over time. */
import type { AdminNotices } from "../../admin/api/notices";
import type { AdminSeries } from "../../admin/api/series";
import { useAnswer } from "./answer";
import { addressOf, session } from "./api";
import { now } from "./browser";
import { finished, finishedPoints } from "./finished";
import { linesOf } from "./lines";
import { Choice, Command, Problem, Waiting } from "./pieces";
import { goTo, linkTo, place } from "./place";
import { Plot } from "./plot";
import { RANGES, type Range, rangeIn } from "./ranges";
import { RouteTable } from "./routes";
import { count, milliseconds, share, usd } from "./say";
import { Spark } from "./spark";
import { Table } from "./table";

const REFRESH_SECONDS = 5;

export function Well() {
  const range = rangeIn(place.value.query.range);
  const { since, unit } = RANGES[range];
  const notices = useAnswer("/notices", {}, REFRESH_SECONDS);
  const routes = useAnswer("/routes", {}, REFRESH_SECONDS);
  const seriesBy = (by: string | undefined, top?: string) => ({ query: { since, unit, by, top } });
  const all = useAnswer("/series", seriesBy(undefined), REFRESH_SECONDS);
  const byRoute = useAnswer("/series", seriesBy("model,provider", "100"), REFRESH_SECONDS);
  const byWorkspace = useAnswer("/series", seriesBy("workspace", "6"), REFRESH_SECONDS);
  const found = distinct(notices.said?.notices ?? []);
  const routeSeries = byRoute.said && finished(byRoute.said, now());
  const workspaceSeries = byWorkspace.said && finished(byWorkspace.said, now());
  return (
    <>
      <Headline notices={notices.problem ? undefined : notices.said && found} all={all.said} range={range} />
      <Problem text={notices.problem ?? routes.problem ?? all.problem} />
      <Notices notices={found} />
      {routes.said && routeSeries ? (
        <RouteTable
          routes={routes.said.routes}
          series={routeSeries}
          notices={notices.said?.notices ?? []}
          range={range}
        />
      ) : (
        <Waiting />
      )}
      {all.said?.total.requests === 0 ? (
        <FirstSteps range={range} model={routes.said?.routes[0]?.model} />
      ) : all.said && byWorkspace.said && workspaceSeries ? (
        <>
          <Plots all={all.said} byWorkspace={byWorkspace.said} unit={unit} />
          <div class="columns">
            <div>
              <WorkspaceTable
                series={workspaceSeries}
                csv={addressOf("/series", { query: { since, unit, by: "workspace", format: "csv" } })}
              />
            </div>
            <div>
              <ErrorTable series={all.said} since={since} />
            </div>
          </div>
        </>
      ) : null}
    </>
  );
}

/** A provider that ends a model says so for each of its routes. */
const distinct = (notices: AdminNotices["notices"]) => [
  ...new Map(notices.map((notice) => [notice.message, notice])).values(),
];

function Headline({
  notices,
  all,
  range,
}: {
  readonly notices: AdminNotices["notices"] | undefined;
  readonly all: AdminSeries | undefined;
  readonly range: Range;
}) {
  const errors = notices?.filter(({ severity }) => severity === "error").length ?? 0;
  const warnings = (notices?.length ?? 0) - errors;
  const words =
    notices === undefined
      ? "Is it well?"
      : errors > 0
        ? `${errors === 1 ? "One thing needs" : `${errors} things need`} you now`
        : warnings > 0
          ? `It serves; ${warnings === 1 ? "one thing needs" : `${warnings} things need`} a look`
          : "All is well";
  const total = all?.total;
  return (
    <header class="headline">
      <div>
        <h1 class={errors > 0 ? "bad" : undefined} aria-live="polite">
          {words}
        </h1>
        {total ? (
          <p class="facts">
            <span>
              <b>{count(total.requests)}</b> {total.requests === 1 ? "request" : "requests"}
            </span>
            <span>
              <b>{share(total.failed, total.requests)}</b> failed
            </span>
            <span>
              p50 <b>{milliseconds(total.p50_ms)}</b>
            </span>
            <span>
              p99 <b>{milliseconds(total.p99_ms)}</b>
            </span>
            <span>
              <b>{count(total.tokens)}</b> tokens
            </span>
            <span title={`${total.cost_usd} USD`}>
              <b>{usd(total.cost_usd)}</b> cost
            </span>
            <span title={`${total.saved_usd} USD`}>
              <b>{share(total.cache_hits, total.inputs)}</b> from the cache
            </span>
          </p>
        ) : null}
      </div>
      <Choice
        label="Time"
        value={range}
        options={[
          ["hour", RANGES.hour.words],
          ["day", RANGES.day.words],
          ["week", RANGES.week.words],
        ]}
        choose={(value) => goTo(linkTo("well", "", { range: value }))}
      />
    </header>
  );
}

const KINDS: Readonly<Record<AdminNotices["notices"][number]["kind"], string>> = {
  space: "Embedding space",
  circuit_open: "Circuit breaker",
  not_configured: "Not configured",
  end_of_life: "End of life",
  slow: "Slow provider",
  failing: "Failing provider",
  rate_limited: "Rate limit",
  database: "Database",
  spending: "Spending",
};

function Notices({ notices }: { readonly notices: AdminNotices["notices"] }) {
  if (notices.length === 0) return null;
  return (
    <ul class="notices" aria-label="What needs you">
      {notices.map(({ kind, severity, message, command, model, provider }) => (
        <li key={`${kind} ${model} ${provider} ${message}`} class={severity}>
          <strong>{KINDS[kind]}</strong>
          <p>{message}</p>
          {command ? <Command text={command} /> : null}
        </li>
      ))}
    </ul>
  );
}

/** Instead of empty charts. */
function FirstSteps({ range, model }: { readonly range: Range; readonly model: string | undefined }) {
  const key = session.value?.mode === "open" ? "" : ' -H "authorization: Bearer $KEY"';
  const body = JSON.stringify({ model: model ?? "MODEL", input: "Hello, world" });
  return (
    <section>
      <div class="caption">
        <h2>Nobody has asked for anything {RANGES[range].during}</h2>
      </div>
      <p class="lead">
        Try it in the <a href={linkTo("playground")}>playground</a>, or from a terminal:
      </p>
      <Command text={`curl ${location.origin}/v1/embeddings${key} --json '${body}'`} />
    </section>
  );
}

function Plots({
  all,
  byWorkspace,
  unit,
}: {
  readonly all: AdminSeries;
  readonly byWorkspace: AdminSeries;
  readonly unit: string;
}) {
  const points = all.groups[0]?.points ?? {};
  const drawn = finishedPoints(all, now());
  const sum = (say: (value: number) => string) => (values: readonly (number | null)[]) =>
    say(values.reduce<number>((total, value) => total + (value ?? 0), 0));
  const { total } = all;
  return (
    <div class="plots">
      <Plot
        title={`Requests a ${unit}`}
        times={all.times}
        drawn={drawn}
        say={count}
        lines={[
          { name: "all", values: points.requests ?? [], colour: "--one", says: count(total.requests) },
          { name: "failed", values: points.failed ?? [], colour: "--bad", says: count(total.failed) },
        ]}
      />
      <Plot
        title="Latency of answers"
        times={all.times}
        drawn={drawn}
        say={milliseconds}
        lines={[
          { name: "p50", values: points.p50_ms ?? [], colour: "--one", says: milliseconds(total.p50_ms) },
          { name: "p99", values: points.p99_ms ?? [], colour: "--two", says: milliseconds(total.p99_ms) },
        ]}
      />
      <Plot
        title={`Cost a ${unit}, by workspace`}
        times={byWorkspace.times}
        drawn={finishedPoints(byWorkspace, now())}
        say={usd}
        total={sum(usd)}
        lines={linesOf(askers(byWorkspace), "cost_usd", ({ names, is_rest }) =>
          is_rest ? "all others" : (names.workspace ?? ""),
        )}
      />
    </div>
  );
}

/** The gateway's own probes have their own workspace and are no client requests. */
const askers = ({ groups }: AdminSeries) => groups.filter(({ total }) => total.requests > 0);

function WorkspaceTable({ series, csv }: { readonly series: AdminSeries; readonly csv: string }) {
  return (
    <Table
      caption="Workspaces"
      csv={csv}
      rows={askers(series)}
      keyOf={({ names, is_rest }) => (is_rest ? "\n" : (names.workspace ?? ""))}
      empty="Nobody has asked for anything."
      columns={[
        {
          head: "Workspace",
          isName: true,
          cell: ({ names, is_rest }) =>
            is_rest ? "all others" : <a href={linkTo("access", names.workspace)}>{names.workspace}</a>,
        },
        {
          head: "Cost over time",
          isWide: true,
          cell: ({ points }) => <Spark values={points.cost_usd ?? []} />,
        },
        {
          head: "Cost",
          isNumber: true,
          cell: ({ total }) => <span title={`${total.cost_usd} USD`}>{usd(total.cost_usd)}</span>,
        },
        { head: "Tokens", isNumber: true, cell: ({ total }) => count(total.tokens) },
        { head: "Requests", isNumber: true, cell: ({ total }) => count(total.requests) },
        { head: "Failed", isNumber: true, cell: ({ total }) => share(total.failed, total.requests) },
      ]}
    />
  );
}

function ErrorTable({ series, since }: { readonly series: AdminSeries; readonly since: string }) {
  return (
    <Table
      caption="What failed"
      rows={series.groups[0]?.errors ?? []}
      keyOf={({ kind, code, status }) => `${kind} ${code} ${status}`}
      empty="Nothing failed."
      columns={[
        {
          head: "Error",
          isName: true,
          cell: ({ code, kind }) => (
            <a href={linkTo("requests", "", { code, kind, since })}>{code || kind}</a>
          ),
        },
        { head: "Kind", isWide: true, cell: ({ kind }) => kind },
        { head: "Status", isNumber: true, cell: ({ status }) => status || "–" },
        { head: "Requests", isNumber: true, cell: ({ requests }) => count(requests) },
      ]}
    />
  );
}

/** Every route as a row: requests, latency, failures, and whether it may serve. */
import type { AdminNotices } from "../../admin/api/notices";
import type { AdminRoutes } from "../../admin/api/routes";
import type { AdminSeries } from "../../admin/api/series";
import { addressOf } from "./api";
import { linkTo } from "./place";
import { RANGES, type Range } from "./ranges";
import { dayAndClock, duration, milliseconds, rate, share } from "./say";
import { Spark } from "./spark";
import { Table } from "./table";

type Route = AdminRoutes["routes"][number];
type Notice = AdminNotices["notices"][number];
type Group = AdminSeries["groups"][number];

interface Row {
  readonly route: Route;
  readonly group: Group | undefined;
  /** Whether it has nothing to be compared with. */
  readonly isAlone: boolean;
  readonly notices: readonly Notice[];
}

export function RouteTable({
  routes,
  series,
  notices,
  range,
}: {
  readonly routes: readonly Route[];
  readonly series: AdminSeries;
  readonly notices: readonly Notice[];
  readonly range: Range;
}) {
  const { since, minutes } = RANGES[range];
  const rows = routes.map(
    (route): Row => ({
      route,
      isAlone: routes.filter(({ space }) => space === route.space).length === 1,
      group: series.groups.find(
        ({ names }) => names.model === route.model && names.provider === route.provider,
      ),
      notices: notices.filter(
        ({ model, provider }) =>
          provider === route.provider && (model === route.model || model === route.upstream_model),
      ),
    }),
  );
  return (
    <Table
      caption="Routes"
      csv={addressOf("/routes", { query: { format: "csv" } })}
      rows={rows}
      keyOf={({ route }) => `${route.model} ${route.provider} ${route.upstream_model}`}
      classOf={({ notices }) => classOf(notices)}
      empty={
        <>
          No model has a route. Write one into the routing file, then run <code>embedgate check</code>.
        </>
      }
      columns={[
        { head: "Route", isName: true, cell: (row) => <Name {...row} /> },
        {
          head: "Requests",
          cell: ({ group }) => (
            <Spark values={group?.points.requests ?? []} bad={group?.points.failed ?? []} />
          ),
        },
        {
          head: "A minute",
          isNumber: true,
          isDesk: true,
          cell: ({ group }) => rate((group?.total.requests ?? 0) / minutes),
        },
        {
          head: "p50",
          isNumber: true,
          isDesk: true,
          cell: ({ group }) => milliseconds(group?.total.p50_ms),
        },
        {
          head: "p99",
          isNumber: true,
          cell: (row) => <Latency ms={row.group?.total.p99_ms} notices={row.notices} />,
        },
        {
          head: "Failed",
          isNumber: true,
          cell: ({ route, group }) => <Failed route={route} group={group} since={since} />,
        },
        { head: "Circuit", isWide: true, cell: ({ route }) => <Circuit route={route} /> },
        { head: "Queue", isNumber: true, isDesk: true, cell: ({ route }) => <Queue route={route} /> },
        { head: "Space", isWide: true, cell: (row) => <Space {...row} /> },
        { head: "Last error", isDesk: true, cell: ({ route }) => <LastError route={route} /> },
      ]}
    />
  );
}

function classOf(notices: readonly Notice[]): string {
  const urgent = notices.filter(({ kind }) => kind !== "end_of_life");
  if (urgent.some(({ severity }) => severity === "error")) return "ill";
  return urgent.length > 0 ? "ailing" : "";
}

const Name = ({ route, notices }: Row) => (
  <span class="two">
    <b>{route.model}</b>
    <small>
      {route.provider}
      {route.upstream_model === route.model ? "" : ` · ${route.upstream_model}`}
      {route.place > 0 ? " · fallback" : ""}
    </small>
    {/* On narrow screens the columns for it are left out. */}
    {notices.length === 0 ? null : (
      <span class="narrow">
        {notices.map(({ kind, severity }) => (
          <span key={kind} class={`mark ${severity}`}>
            {SHORT[kind]}
          </span>
        ))}
      </span>
    )}
  </span>
);

const SHORT: Readonly<Record<Notice["kind"], string>> = {
  space: "space differs",
  circuit_open: "circuit open",
  not_configured: "not configured",
  end_of_life: "ends soon",
  slow: "slow",
  failing: "failing",
  rate_limited: "rate limited",
  database: "database",
  spending: "spending",
};

function Latency({
  ms,
  notices,
}: {
  readonly ms: number | null | undefined;
  readonly notices: readonly Notice[];
}) {
  const isSlow = notices.some(({ kind }) => kind === "slow");
  return <span class={isSlow ? "warn" : undefined}>{milliseconds(ms)}</span>;
}

function Failed({
  route,
  group,
  since,
}: {
  readonly route: Route;
  readonly group: Group | undefined;
  readonly since: string;
}) {
  if (!group || group.total.failed === 0) return <span class="quiet">0</span>;
  const { failed, requests } = group.total;
  const worst = group.errors[0];
  return (
    <a
      class={failed / requests > 0.01 ? "bad" : undefined}
      href={linkTo("requests", "", { model: route.model, provider: route.provider, status: "failed", since })}
      title={worst ? `${worst.requests} × ${worst.code}` : undefined}
    >
      {share(failed, requests)}
    </a>
  );
}

function Circuit({ route: { circuit, circuit_open_for_ms, rests_for_ms } }: { readonly route: Route }) {
  if (circuit === "open") return <span class="mark error">open, {duration(circuit_open_for_ms)}</span>;
  if (circuit === "half_open") return <span class="mark warning">testing</span>;
  if (rests_for_ms > 0) return <span class="mark warning">rests {duration(rests_for_ms)}</span>;
  return <span class="quiet">closed</span>;
}

const Queue = ({ route }: { readonly route: Route }) => {
  const { queue_interactive, queue_bulk, calls_in_flight, places } = route;
  const waiting = queue_interactive + queue_bulk;
  return (
    <span
      class={waiting > 0 ? undefined : "quiet"}
      title={`waiting: ${queue_interactive} interactive, ${queue_bulk} bulk; ${calls_in_flight} of ${places} calls in flight`}
    >
      {waiting > 0 ? `${waiting} wait · ` : ""}
      {calls_in_flight}/{places}
    </span>
  );
};

function Space({ route: { verdict, cosine, state }, isAlone }: Row) {
  const by = cosine === null ? "" : ` ${cosine.toFixed(cosine > 0.999 ? 5 : 3)}`;
  if (verdict === "differs" || state === "held_back") return <span class="mark error">differs{by}</span>;
  if (verdict === "unmeasured") return <span class="quiet">{isAlone ? "only route" : "not measured"}</span>;
  return <span class="quiet">agrees{by}</span>;
}

const LastError = ({ route: { last_error } }: { readonly route: Route }) =>
  last_error === null ? (
    <span class="quiet">–</span>
  ) : (
    <span class="cut quiet" title={`${last_error.at}: ${last_error.message}`}>
      {dayAndClock(last_error.at)}: {last_error.message}
    </span>
  );

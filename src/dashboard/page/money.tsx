/** "Money": a month by workspace, model, key or any metadata key; how fast caps are used up; what the cache saved; invoices. */

import { useSignal } from "@preact/signals";
import type { AdminSeries } from "../../admin/api/series";
import { useAnswer } from "./answer";
import { addressOf } from "./api";
import { Caps } from "./caps";
import { into } from "./into";
import { Invoice } from "./invoice";
import { linesOf } from "./lines";
import { monthStart } from "./months";
import { Bar, Choice, Field, Problem, Waiting } from "./pieces";
import { goTo, linkTo, place } from "./place";
import { Plot } from "./plot";
import { count, share, usd, workspaceName } from "./say";
import { Table } from "./table";

const GROUPS = [
  ["workspace", "Workspace"],
  ["model", "Model"],
  ["key", "Key"],
  ["provider", "Provider"],
  ["metadata", "Metadata"],
] as const;
type GroupName = (typeof GROUPS)[number][0];

const REFRESH_SECONDS = 30;
const COLUMNS = ["cost_usd", "tokens_billed", "requests", "saved_usd", "upstream_usd"];

const groupIn = (text: string | undefined): GroupName =>
  GROUPS.find(([name]) => name === text)?.[0] ?? "workspace";

export function Money() {
  const { query } = place.value;
  const by = groupIn(query.by);
  const metadataKey = useSignal(query.metadata_key ?? "team");
  const asked = { unit: "day", since: monthStart(0).toISOString(), by, top: "50" };
  const at = {
    query: {
      ...asked,
      columns: COLUMNS.join(","),
      metadata_key: by === "metadata" ? (query.metadata_key ?? "team") : undefined,
    },
  };
  const series = useAnswer("/series", at, REFRESH_SECONDS);
  const keys = useAnswer("/keys");
  const nameOf = (group: AdminSeries["groups"][number]) => {
    if (group.is_rest) return "all others";
    const own = Object.values(group.names)[0] ?? "";
    if (by === "key") return keys.said?.keys.find(({ id }) => id === own)?.name ?? (own || "no key");
    if (by === "workspace") return workspaceName(own);
    return own || "none";
  };
  const { said } = series;
  return (
    <>
      <header class="headline">
        <div>
          <h1>Money</h1>
          {said ? <Totals series={said} /> : null}
        </div>
        <div class="row">
          <Choice
            label="By"
            value={by}
            options={GROUPS}
            choose={(value) => goTo(linkTo("money", "", { by: value }))}
          />
          {by === "metadata" ? (
            <form
              onSubmit={(event) => {
                event.preventDefault();
                goTo(linkTo("money", "", { by, metadata_key: metadataKey.value }));
              }}
            >
              <Field label="Metadata key">
                <input value={metadataKey.value} onInput={into(metadataKey)} />
              </Field>
            </form>
          ) : null}
        </div>
      </header>
      <Problem text={series.problem} />
      {said ? (
        <>
          <Plot
            title={`Cost a day, by ${by === "metadata" ? (query.metadata_key ?? "team") : by}`}
            times={said.times}
            say={usd}
            total={(values) => usd(values.reduce<number>((sum, value) => sum + (value ?? 0), 0))}
            isDaily
            lines={linesOf(dearestFirst(said), "cost_usd", nameOf)}
          />
          <Groups
            series={said}
            nameOf={nameOf}
            csv={addressOf("/series", { query: { ...at.query, format: "csv" } })}
          />
        </>
      ) : (
        <Waiting />
      )}
      {/* Not before: what is seen first is asked for first. */}
      {said ? (
        <>
          <Caps />
          <Invoice />
        </>
      ) : null}
    </>
  );
}

const dearestFirst = ({ groups }: AdminSeries) =>
  groups.toSorted((a, b) => Number(b.total.cost_usd) - Number(a.total.cost_usd));

function Totals({ series: { total, groups } }: { readonly series: AdminSeries }) {
  const today = groups.reduce((sum, { points }) => sum + (points.cost_usd?.at(-1) ?? 0), 0);
  return (
    <p class="facts">
      <span>
        <b>{usd(today)}</b> today
      </span>
      <span title={`${total.cost_usd} USD`}>
        <b>{usd(total.cost_usd)}</b> this month
      </span>
      <span title={`${total.upstream_usd} USD`}>
        <b>{usd(total.upstream_usd)}</b> owed to providers
      </span>
      <span title={`${total.saved_usd} USD`}>
        <b>{usd(total.saved_usd)}</b> saved by the cache
      </span>
      <span>
        <b>{share(total.cache_hits, total.inputs)}</b> of inputs from the cache
      </span>
    </p>
  );
}

interface GroupsProperties {
  readonly series: AdminSeries;
  readonly nameOf: (group: AdminSeries["groups"][number]) => string;
  readonly csv: string;
}

function Groups({ series, nameOf, csv }: GroupsProperties) {
  const rows = dearestFirst(series);
  const most = Number(rows[0]?.total.cost_usd ?? 0);
  return (
    <Table
      caption="This month (UTC)"
      csv={csv}
      rows={rows}
      keyOf={(group) => (group.is_rest ? "\n" : Object.values(group.names).join())}
      empty="Nothing was asked for this month."
      columns={[
        { head: "Who or what", isName: true, cell: nameOf },
        { head: "Today", isNumber: true, cell: ({ points }) => usd(points.cost_usd?.at(-1) ?? 0) },
        {
          head: "Month",
          isNumber: true,
          cell: ({ total }) => <b title={`${total.cost_usd} USD`}>{usd(total.cost_usd)}</b>,
        },
        {
          head: "Share",
          isWide: true,
          cell: ({ total }) => (
            <Bar share={most > 0 ? Number(total.cost_usd) / most : 0}>
              {share(Number(total.cost_usd), Number(series.total.cost_usd))}
            </Bar>
          ),
        },
        { head: "Billed tokens", isNumber: true, cell: ({ total }) => count(total.tokens_billed) },
        { head: "Requests", isNumber: true, isWide: true, cell: ({ total }) => count(total.requests) },
        {
          head: "Owed",
          isNumber: true,
          isWide: true,
          cell: ({ total }) => <span title={`${total.upstream_usd} USD`}>{usd(total.upstream_usd)}</span>,
        },
        {
          head: "Saved",
          isNumber: true,
          isWide: true,
          cell: ({ total }) => <span title={`${total.saved_usd} USD`}>{usd(total.saved_usd)}</span>,
        },
      ]}
    />
  );
}

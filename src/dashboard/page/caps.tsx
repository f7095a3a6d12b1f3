/** How fast each workspace uses its caps and credits, and when they run out at this rate. */
import type { AdminSeries } from "../../admin/api/series";
import type { AdminWorkspaces } from "../../admin/api/workspaces";
import { useAnswer } from "./answer";
import { now } from "./browser";
import { Bar, Problem, Waiting } from "./pieces";
import { linkTo } from "./place";
import { credits, dayAndClock, duration, usd } from "./say";
import { Table } from "./table";

type Workspace = AdminWorkspaces["workspaces"][number];

interface Limit {
  readonly workspace: string;
  readonly what: string;
  readonly used: string;
  /** Null: `used` is what is left. */
  readonly of: string | null;
  readonly share: number;
  readonly perHour: string;
  /** Milliseconds until it is used up; null: not before it resets. */
  readonly left: number | null;
}

const HOUR_MS = 3_600_000;
/** Of the last hours, for what ends with the day; and for what lasts longer. */
const SHORT_HOURS = 3;
const LONG_HOURS = 24;
/** Of the hour that has begun. */
const LAST_MS_MIN = 600_000;
const FAR_MS = 90 * 24 * HOUR_MS;

export function Caps() {
  const workspaces = useAnswer("/workspaces", {}, 30);
  const series = useAnswer(
    "/series",
    { query: { unit: "hour", since: "24h", by: "workspace", top: "100", columns: "cost_usd,credits" } },
    30,
  );
  if (!workspaces.said || !series.said)
    return workspaces.problem ? <Problem text={workspaces.problem} /> : <Waiting />;
  const { said } = series;
  const limits = workspaces.said.workspaces.flatMap((workspace) => limitsOf(workspace, said));
  return (
    <Table
      caption="Caps and credits"
      rows={limits}
      keyOf={({ workspace, what }) => `${workspace} ${what}`}
      empty={
        <>
          No workspace has a spending cap or credits. Set them at a <a href={linkTo("access")}>workspace</a>.
        </>
      }
      classOf={({ left, share }) =>
        share >= 1 ? "ill" : left !== null && left < 24 * HOUR_MS ? "ailing" : ""
      }
      columns={[
        {
          head: "Workspace",
          isName: true,
          cell: ({ workspace, what }) => (
            <span class="two">
              <a href={linkTo("access", workspace)}>{workspace}</a>
              <small>{what}</small>
            </span>
          ),
        },
        {
          head: "Used",
          isNumber: true,
          cell: ({ used, of }) => (of === null ? `${used} left` : `${used} of ${of}`),
        },
        {
          head: "Share",
          isDesk: true,
          cell: ({ share, of }) =>
            of === null ? null : <Bar share={share}>{Math.round(share * 100)} %</Bar>,
        },
        { head: "An hour", isNumber: true, isWide: true, cell: ({ perHour }) => perHour },
        { head: "Used up", cell: ({ left, share }) => <UsedUp left={left} isOver={share >= 1} /> },
      ]}
    />
  );
}

function UsedUp({ left, isOver }: { readonly left: number | null; readonly isOver: boolean }) {
  if (isOver) return <span class="mark error">now</span>;
  if (left === null) return <span class="quiet">not at this rate</span>;
  if (left > FAR_MS) return <span class="quiet">not within 90 days</span>;
  return (
    <span class={left < 24 * HOUR_MS ? "warn" : undefined} title={`in ${duration(left)}`}>
      {dayAndClock(now() + left)}
    </span>
  );
}

function limitsOf(workspace: Workspace, series: AdminSeries): Limit[] {
  const { name, settings, spent_today_usd, spent_this_month_usd, day_ends_at, month_ends_at } = workspace;
  const points = series.groups.find(({ names }) => names.workspace === name)?.points ?? {};
  const perHour = (column: "cost_usd" | "credits", hours: number) =>
    (points[column] ?? []).slice(-hours).reduce<number>((sum, value) => sum + (value ?? 0), 0) / hours;
  /** At the speed of now, where that is more, as in the notices of the first page. */
  const fastest = (column: "cost_usd" | "credits") => {
    const [before = 0, last = 0] = (points[column] ?? []).slice(-2);
    const elapsed = Math.max(LAST_MS_MIN, now() % HOUR_MS);
    const hours = column === "credits" ? LONG_HOURS : SHORT_HOURS;
    return Math.max(perHour(column, hours), before ?? 0, ((last ?? 0) * HOUR_MS) / elapsed);
  };
  const found: Limit[] = [];
  const cap = (setting: string, what: string, spent: string, ends: string, hours: number) => {
    const value = settings[setting]?.value;
    if (typeof value !== "number") return;
    const rate = hours === SHORT_HOURS ? fastest("cost_usd") : perHour("cost_usd", hours);
    const left = rate > 0 ? ((value - Number(spent)) / rate) * HOUR_MS : Number.POSITIVE_INFINITY;
    found.push({
      workspace: name,
      what,
      used: usd(spent),
      of: usd(value),
      share: value > 0 ? Number(spent) / value : 1,
      perHour: usd(rate),
      left: left < Date.parse(ends) - now() ? Math.max(0, left) : null,
    });
  };
  cap("cap_usd_per_day", "cap a day", spent_today_usd, day_ends_at, SHORT_HOURS);
  cap("cap_usd_per_month", "cap a month", spent_this_month_usd, month_ends_at, LONG_HOURS);
  if (workspace.credits !== null) {
    const rate = fastest("credits");
    const value = Number(workspace.credits);
    found.push({
      workspace: name,
      what: "credits",
      used: credits(workspace.credits),
      of: null,
      share: value > 0 ? 0 : 1,
      perHour: `${credits(String(rate))} credits`,
      left: rate > 0 ? (value / rate) * HOUR_MS : null,
    });
  }
  return found;
}

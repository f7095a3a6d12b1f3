/**
 * Notices from the sums of the last minutes: a provider that became slow or fails often, a workspace that spends much faster
 * than before, or is about to reach its cap. A further notice is a function of `recentNotices`.
 */
import { LATENCY_BOUNDS_MS } from "../../books/latency-bounds";
import { usdOf } from "../../books/money";
import { periodAt } from "../../books/periods";
import type { SeriesFound } from "../../books/series";
import type { Workspace } from "../../callers/workspaces";
import type { AdminParts } from "./parts";
import { quoted } from "./quoted";

export interface RecentNotice {
  readonly kind: "slow" | "failing" | "spending";
  readonly severity: "error" | "warning";
  readonly model: string | null;
  readonly provider: string | null;
  readonly space: null;
  readonly workspace: string | null;
  readonly message: string;
  readonly command: string;
}

type Group = SeriesFound["groups"][number];

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
export const RECENT_MINUTES = 10;
/** The last hour is compared with the day before it. */
const USUAL_HOURS = 24;

/** Least number of answers and failures for a notice; fewer may be chance. In one minute alone there must be more. */
const ANSWERS_MIN = 5;
export const FAILURES_MIN = 5;
const ANSWERS_OF_A_MINUTE_MIN = 10;
/** What changed just now is not in the middle of ten minutes yet: the last minutes are looked at by themselves too. */
const LAST_MINUTES = 2;
/** What a workspace spends now. */
const SPEED_MINUTES = 5;
const SLOWER_TIMES = 3;
const SLOWER_MS_MIN = 250;
/** So many providers that become slow together are not the cause. */
const SLOW_AT_ONCE_MIN = 3;
/** Used if there is no day before to compare with. */
const SLOW_MS = 3_000;
export const FAILING_SHARE = 0.1;
const FASTER_TIMES = 5;
/** An hour's spending below it gives no notice, however much it grew: $0.50. */
const SPENDING_PICO_USD_MIN = 500_000_000_000n;

export async function recentNotices(parts: AdminParts): Promise<readonly RecentNotice[]> {
  const { series, outside, workspaces } = parts;
  const now = outside.now();
  const recently = { unit: "minute", since: now - RECENT_MINUTES * MINUTE_MS, until: now, top: 100 } as const;
  const usually = {
    unit: "hour",
    since: now - (USUAL_HOURS + 1) * HOUR_MS,
    until: now - HOUR_MS,
    top: 100,
  } as const;
  const ofRoutes = await series.over({ ...recently, by: ["model", "provider"] });
  const ofWorkspaces = await series.over({ ...recently, by: ["workspace"] });
  if (ofRoutes.total.requests === 0n) return [];
  const usualRoutes = await series.over({ ...usually, by: ["model", "provider"] });
  const usualWorkspaces = await series.over({ ...usually, by: ["workspace"] });
  const found: RecentNotice[] = [];
  for (const group of told(ofRoutes)) found.push(...ofRoute(group, sameOf(usualRoutes, group)));
  for (const group of told(ofWorkspaces)) {
    const [name = ""] = group.names;
    // The gateway's own probes belong to no customer.
    if (!(await workspaces.exists(name))) continue;
    const notice = await ofSpending(
      await workspaces.show(name),
      { recent: group, usual: sameOf(usualWorkspaces, group) },
      parts,
    );
    if (notice) found.push(notice);
  }
  return allAtOnce(found, told(ofRoutes));
}

/** Where most providers became slow together, it is not they who changed. */
function allAtOnce(found: readonly RecentNotice[], routes: readonly Group[]): readonly RecentNotice[] {
  const of = (providers: readonly (string | null | undefined)[]) =>
    [...new Set(providers)].filter(Boolean).sort();
  const slow = of(found.flatMap(({ kind, provider }) => (kind === "slow" ? [provider] : [])));
  const judged = of(routes.flatMap(({ names, total }) => (hasAnswers(total, ANSWERS_MIN) ? [names[1]] : [])));
  if (slow.length < SLOW_AT_ONCE_MIN || slow.length * 2 < judged.length) return found;
  return [
    ...found.filter(({ kind }) => kind !== "slow"),
    {
      kind: "slow",
      severity: "warning",
      model: null,
      provider: null,
      space: null,
      workspace: null,
      message: `${slow.map((name) => `'${name}'`).join(", ")} became slow at the same time: probably this machine or its network is overloaded. Look at its processors, and at what else runs there.`,
      command: "embedgate top",
    },
  ];
}

const told = ({ groups }: SeriesFound) => groups.filter(({ isRest }) => !isRest);

const sameOf = (series: SeriesFound, { names }: Group) =>
  told(series).find((one) => one.names.every((name, i) => name === names[i]));

function ofRoute({ names, total, errors, points }: Group, usual: Group | undefined): RecentNotice[] {
  const [model = "", provider = ""] = names;
  // Answered from the cache, or refused: says nothing of a provider.
  if (provider === "") return [];
  const about = { model, provider, space: null, workspace: null };
  const found: RecentNotice[] = [];
  const answers = Number(total.requests - total.failed);
  const before = usual?.total.p50_ms ?? null;
  const ofAll = answers >= ANSWERS_MIN ? total.p50_ms : null;
  const ofLast = lastMinute(points);
  const isSlowNow = ofAll === null || !isSlow(ofAll, before);
  const ms = isSlowNow ? ofLast : ofAll;
  if (ms !== null && isSlow(ms, isSlowNow ? (before ?? minutesBefore(points)) : before))
    found.push({
      ...about,
      kind: "slow",
      severity: "warning",
      message: `'${provider}' is slow for ${model}: half of its answers take longer than ${words(surely(ms))} in the last ${isSlowNow ? "minute" : `${RECENT_MINUTES} minutes`}${before === null ? "" : `, ${words(before)} before`}. Put another provider before it in the model's routes, or set hedge_after_ms.`,
      command: `embedgate requests list --model ${quoted(model)} --provider ${quoted(provider)}`,
    });
  const failures = errors
    .filter(({ status }) => status >= 500)
    .reduce((sum, { requests }) => sum + requests, 0);
  if (!isOver(points) && failures >= FAILURES_MIN && failures >= Number(total.requests) * FAILING_SHARE)
    found.push({
      ...about,
      kind: "failing",
      severity: failures * 2 >= Number(total.requests) ? "error" : "warning",
      message: `'${provider}' failed ${failures} of ${total.requests} requests for ${model} in the last ${RECENT_MINUTES} minutes. Give the model a second route, or ask the provider.`,
      command: `embedgate requests list --model ${quoted(model)} --provider ${quoted(provider)} --status failed`,
    });
  return found;
}

const isSlow = (ms: number, before: number | null) =>
  before === null ? ms >= SLOW_MS : ms >= before * SLOWER_TIMES && ms - before >= SLOWER_MS_MIN;

const hasAnswers = ({ requests, failed }: Group["total"], least: number) =>
  requests - failed >= BigInt(least);

/** The sums know only between which bounds a latency lies. */
const surely = (ms: number) => LATENCY_BOUNDS_MS.findLast((bound) => bound < ms) ?? ms;

/** Nothing fails any more: there would be no more to do. */
function isOver(points: Group["points"]): boolean {
  const last = points.slice(-LAST_MINUTES);
  const requests = last.reduce((sum, minute) => sum + minute.requests, 0n);
  return requests >= BigInt(ANSWERS_OF_A_MINUTE_MIN) && last.every(({ failed }) => failed === 0n);
}

/** Half of the answers of the latest minute that has enough of them were faster. */
const lastMinute = (points: Group["points"]): number | null =>
  points.slice(-LAST_MINUTES).findLast((minute) => hasAnswers(minute, ANSWERS_OF_A_MINUTE_MIN))?.p50_ms ??
  null;

/** The same of the fastest minute before those, where there is no day before to compare with. */
function minutesBefore(points: Group["points"]): number | null {
  const earlier = points
    .slice(0, -LAST_MINUTES)
    .flatMap((minute) => (hasAnswers(minute, ANSWERS_MIN) ? (minute.p50_ms ?? []) : []));
  return earlier.length === 0 ? null : Math.min(...earlier);
}

const words = (ms: number) => (ms >= 1_000 ? `${(ms / 1_000).toFixed(1)} s` : `${Math.round(ms)} ms`);

/** The most severe notice of a workspace. */
async function ofSpending(
  { name, settings, micro_credits }: Workspace,
  { recent, usual }: { readonly recent: Group; readonly usual: Group | undefined },
  { config, statements, outside }: AdminParts,
): Promise<RecentNotice | undefined> {
  const defaults = config().workspaceDefaults;
  const now = outside.now();
  const perHour = speedOf(recent, "cost_pico_usd");
  const creditsPerHour = speedOf(recent, "micro_credits");
  const ofDay = perHourUsually(usual);
  const usualPerHour = ofDay > 0n ? ofDay : perHourBefore(recent.points);
  const notice = (severity: "error" | "warning", message: string, command: string): RecentNotice => ({
    kind: "spending",
    severity,
    model: null,
    provider: null,
    space: null,
    workspace: name,
    message,
    command,
  });
  const grew =
    usualPerHour > 0n && perHour >= usualPerHour * BigInt(FASTER_TIMES)
      ? `, ${perHour / usualPerHour} times as much as ${ofDay > 0n ? "usual" : "minutes before"}`
      : "";
  const speed = `'${name}' spends ${rounded(perHour)} an hour${grew}`;

  const refused = (code: string) =>
    isOver(recent.points) ? 0 : (recent.errors.find((one) => one.code === code)?.requests ?? 0);
  const overCap = refused("cap_exceeded");
  if (overCap > 0)
    return notice(
      "error",
      `'${name}' has reached a spending cap: ${refusals(overCap)}.`,
      `embedgate workspaces show ${quoted(name)}`,
    );
  const withoutCredit = refused("insufficient_credit");
  if (withoutCredit > 0)
    return notice(
      "error",
      `'${name}' has no credits left: ${refusals(withoutCredit)}.`,
      `embedgate credits grant ${quoted(name)} 100`,
    );
  const cap = settings.cap_usd_per_day ?? defaults.cap_usd_per_day;
  if (typeof cap === "number" && perHour > 0n) {
    const zone = settings.cap_time_zone ?? defaults.cap_time_zone;
    const { today } = await statements.spent(name, now, zone);
    const hoursLeft = Number(BigInt(Math.round(cap * 1e6)) * 1_000_000n - today) / Number(perHour);
    const command = `embedgate workspaces set ${quoted(name)} --cap-usd-per-day ${cap * 2}`;
    if (hoursLeft * HOUR_MS < periodAt(now, zone).dayEndsAt - now)
      return notice(
        hoursLeft < 1 ? "error" : "warning",
        `${speed}: it reaches its cap of $${cap} a day in ${until(hoursLeft)}.`,
        command,
      );
  }
  if (micro_credits !== null && creditsPerHour > 0n) {
    const hoursLeft = Number(micro_credits) / Number(creditsPerHour);
    if (hoursLeft < 24)
      return notice(
        hoursLeft < 1 ? "error" : "warning",
        `${speed}: its credits last for ${until(hoursLeft)}.`,
        `embedgate credits grant ${quoted(name)} 100`,
      );
  }
  if (grew !== "" && perHour >= SPENDING_PICO_USD_MIN)
    return notice("warning", `${speed}.`, `embedgate workspaces set ${quoted(name)} --cap-usd-per-day 10`);
  return undefined;
}

/** An hour's amount at the speed of some minutes, or of the last ones where that is more. */
function speedOf({ points }: Group, name: "cost_pico_usd" | "micro_credits"): bigint {
  const [some, last] = [SPEED_MINUTES, LAST_MINUTES].map(
    (minutes) =>
      (points.slice(-minutes).reduce((sum, point) => sum + point[name], 0n) * 60n) / BigInt(minutes),
  );
  return (last ?? 0n) > (some ?? 0n) ? (last ?? 0n) : (some ?? 0n);
}

/** Of the hours of the day before in which it spent anything: a nightly batch is as fast each night. */
function perHourUsually(usual: Group | undefined): bigint {
  const hours = usual?.points.filter(({ cost_pico_usd }) => cost_pico_usd > 0n).length ?? 0;
  return hours === 0 ? 0n : (usual?.total.cost_pico_usd ?? 0n) / BigInt(hours);
}

/** An hour's amount at the speed of the dearest minute before the last ones, where there is no day before to compare with. */
function perHourBefore(points: Group["points"]): bigint {
  let dearest = 0n;
  for (const { cost_pico_usd } of points.slice(0, -LAST_MINUTES))
    if (cost_pico_usd > dearest) dearest = cost_pico_usd;
  return dearest * 60n;
}

const refusals = (requests: number) =>
  `${requests} ${requests === 1 ? "request was" : "requests were"} refused in the last ${RECENT_MINUTES} minutes`;

const rounded = (picoUsd: bigint) => {
  const usd = Number(usdOf(picoUsd));
  return `$${usd >= 1 ? usd.toFixed(2) : usd.toPrecision(2)}`;
};

const until = (hours: number) =>
  hours < 1.5 ? `${Math.max(1, Math.round(hours * 60))} minutes` : `${Math.round(hours)} hours`;

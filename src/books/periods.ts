/**
 * Days and months of spending caps, in UTC or in the workspace's own time zone: the day of a moment, and when that day ends.
 * A new length of a cap is a further member of `Period`.
 */

/** The day of a moment. */
export interface Period {
  /** For example 2026-11-28. */
  readonly day: string;
  /** The first day of the month. */
  readonly monthBegins: string;
  /** Milliseconds since 1970. */
  readonly dayEndsAt: number;
  monthEndsAt(): number;
}

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
/** Some days have 25 hours, and in one time zone the clock once went back by a day. */
const DAY_MS_MAX = 50 * HOUR_MS;
const MONTH_MS_MAX = 34 * DAY_MS;

/** The last result for each time zone: it stays the same for the whole day. */
const lastDays = new Map<string, Period & { readonly from: number }>();

export const UTC = "UTC";

/** @param timeZone a name of the IANA database, such as Europe/Berlin */
export function periodAt(at: number, timeZone = UTC): Period {
  const last = lastDays.get(timeZone);
  if (last && at >= last.from && at < last.dayEndsAt) return last;
  const localDay = dayReader(timeZone);
  const day = localDay(at);
  const month = (moment: number) => localDay(moment).slice(0, 7);
  const period = {
    day,
    monthBegins: `${day.slice(0, 8)}01`,
    from: at,
    dayEndsAt: firstMoment(at, at + DAY_MS_MAX, (moment) => localDay(moment) !== day),
    monthEndsAt: () => firstMoment(at, at + MONTH_MS_MAX, (moment) => month(moment) !== day.slice(0, 7)),
  };
  lastDays.set(timeZone, period);
  return period;
}

/** In UTC. */
export const dayOf = (at: number): string => periodAt(at).day;

/** Whether this machine knows the time zone. */
export function isTimeZone(name: string): boolean {
  try {
    return new Intl.DateTimeFormat("en", { timeZone: name }).format(0) !== "";
  } catch {
    return false;
  }
}

function dayReader(timeZone: string): (moment: number) => string {
  if (timeZone === UTC) return (moment) => new Date(moment).toISOString().slice(0, 10);
  const format = new Intl.DateTimeFormat("en-US", {
    timeZone,
    calendar: "gregory",
    year: "numeric",
    month: "2-digit",
    day: "2-digit",
  });
  return (moment) => {
    const parts = new Map(format.formatToParts(moment).map(({ type, value }) => [type, value]));
    return `${parts.get("year")}-${parts.get("month")}-${parts.get("day")}`;
  };
}

/** A time zone's clock may jump, so the end is searched for rather than computed. */
function firstMoment(from: number, to: number, isOver: (moment: number) => boolean): number {
  let [before, after] = [from, to];
  while (after - before > 1) {
    const middle = Math.floor((before + after) / 2);
    if (isOver(middle)) after = middle;
    else before = middle;
  }
  return after;
}

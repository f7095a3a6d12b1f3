/** Formats numbers, amounts and times for people. Amounts come as decimal text; the shown value is rounded, the exact one is in the `title`. */

const EM_DASH = "–";

export function count(value: number): string {
  const size = Math.abs(value);
  if (size >= 1e9) return `${digits(value / 1e9)} G`;
  if (size >= 1e6) return `${digits(value / 1e6)} M`;
  if (size >= 1e4) return `${digits(value / 1e3)} k`;
  return value.toLocaleString("en-US", { maximumFractionDigits: size < 10 ? 2 : 0 });
}

/** Of requests a minute: one digit after the point for all. */
export const rate = (value: number) =>
  value >= 1e4 ? count(value) : value > 0 && value < 0.05 ? "< 0.1" : value.toFixed(1);

const digits = (value: number) => (Math.abs(value) >= 100 ? value.toFixed(0) : value.toFixed(1));

/** @param amount a decimal number as text, or a number of a chart */
export function usd(amount: string | number): string {
  const value = Number(amount);
  if (value === 0) return "$0";
  const size = Math.abs(value);
  const sign = value < 0 ? "−" : "";
  if (size >= 10_000) return `${sign}$${count(size)}`;
  const places = size >= 1 ? 2 : Math.min(12, Math.max(2, 1 - Math.floor(Math.log10(size))));
  return `${sign}$${size.toLocaleString("en-US", { minimumFractionDigits: 2, maximumFractionDigits: places })}`;
}

export function credits(amount: string | null): string {
  if (amount === null) return "no limit";
  const value = Number(amount);
  return value.toLocaleString(
    "en-US",
    Math.abs(value) >= 1 ? { maximumFractionDigits: 2 } : { maximumSignificantDigits: 2 },
  );
}

export function milliseconds(value: number | null | undefined): string {
  if (value === null || value === undefined) return EM_DASH;
  if (value < 1_000) return `${Math.round(value)} ms`;
  if (value < 60_000) return `${(value / 1_000).toFixed(value < 10_000 ? 1 : 0)} s`;
  return duration(value);
}

export function share(part: number, whole: number): string {
  if (whole === 0 || part === 0) return "0 %";
  const percent = (part / whole) * 100;
  return percent < 0.1 ? "< 0.1 %" : `${percent < 10 ? percent.toFixed(1) : percent.toFixed(0)} %`;
}

export function duration(ms: number): string {
  const minutes = ms / 60_000;
  if (minutes < 1) return `${Math.max(0, Math.round(ms / 1_000))} s`;
  if (minutes < 90) return `${Math.round(minutes)} min`;
  if (minutes < 48 * 60) return `${Math.round(minutes / 60)} h`;
  return `${Math.round(minutes / 1_440)} days`;
}

/** In this browser's time zone, as all times of day. */
export const clock = (at: string | number) =>
  new Date(at).toLocaleTimeString("en-GB", { hour: "2-digit", minute: "2-digit", second: "2-digit" });

export const dayAndClock = (at: string | number) =>
  new Date(at).toLocaleString("en-GB", {
    day: "numeric",
    month: "short",
    hour: "2-digit",
    minute: "2-digit",
  });

export const moment = (at: string) =>
  new Date(at).toLocaleString("en-GB", { dateStyle: "medium", timeStyle: "medium" });

/** Of today the time of day alone. @param today milliseconds since 1970 */
export const recent = (at: string, today: number) =>
  dayShort(Date.parse(at), false) === dayShort(today, false) ? clock(at) : dayAndClock(at);

export const hourAndMinute = (at: number) =>
  new Date(at).toLocaleTimeString("en-GB", { hour: "2-digit", minute: "2-digit" });

export const dayShort = (at: number, isUtc: boolean) =>
  new Date(at).toLocaleDateString("en-GB", {
    day: "numeric",
    month: "short",
    ...(isUtc && { timeZone: "UTC" }),
  });

export const day = (at: string | number) =>
  new Date(at).toLocaleDateString("en-GB", {
    day: "numeric",
    month: "short",
    year: "numeric",
    timeZone: "UTC",
  });

export const bytes = (value: number) =>
  value >= 1e9
    ? `${digits(value / 1e9)} GB`
    : value >= 1e6
      ? `${digits(value / 1e6)} MB`
      : `${Math.ceil(value / 1e3)} kB`;

/** The workspace of the gateway's own requests, which measure embedding spaces (src/books/ledger.ts). */
export const OWN_WORKSPACE = "embedgate";
export const workspaceName = (name: string) => (name === OWN_WORKSPACE ? "embedgate (its own probes)" : name);

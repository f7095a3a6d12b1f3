/**
 * The results: as tables for people and as one JSON object for programs, with the same figures.
 * A new figure is a row of `figures` and a member of `asJson`.
 */

import { visible } from "../domain/control-characters";
import { counted } from "../domain/counted";
import { type Cell, table } from "../terminal/table";
import type { Check } from "./judge";
import { percentile } from "./load";
import type { Result } from "./measure";
import type { Load } from "./under-load";

const SHARES = [
  ["p50", 0.5],
  ["p90", 0.9],
  ["p99", 0.99],
  ["max", 1],
] as const;

export function forPeople({ settings, load, checks, requests_sent }: Result): string {
  const parts = [];
  if (load)
    parts.push(`${settings.url.href}  ${settings.model}`, figures(load, settings.inputs), latencies(load));
  if (load && load.failures.length > 0) parts.push(failures(load));
  parts.push(checks.map(inWords).join("\n"), `${summary(checks)} ${counted(requests_sent, "request")} sent.`);
  return parts.join("\n\n");
}

export function asJson({ settings, load, checks, requests_sent }: Result): object {
  const { url, key: _, seconds, requests, ...others } = settings;
  const limits = { seconds: finite(seconds), requests: finite(requests) };
  return {
    url: url.href,
    ...others,
    limits,
    load: load && {
      requests: load.sent,
      right: load.right,
      seconds: load.seconds,
      rested_seconds: load.rested_seconds,
      requests_per_second: perSecond(load, load.right),
      texts_per_second: perSecond(load, load.right * settings.inputs),
      tokens: load.tokens ?? null,
      tokens_per_second: load.tokens === undefined ? null : perSecond(load, load.tokens),
      bytes: load.bytes,
      bytes_per_second: perSecond(load, load.bytes),
      latency_ms: load.right === 0 ? null : Object.fromEntries(quantiles(load)),
      failures: load.failures,
    },
    checks,
    requests_sent,
  };
}

/** JSON has no infinity: null means no limit. */
const finite = (value: number) => (Number.isFinite(value) ? value : null);
const perSecond = ({ seconds }: Load, amount: number) => (seconds > 0 ? amount / seconds : 0);
const quantiles = ({ latencies_ms }: Load) =>
  SHARES.map(([name, share]) => [name, percentile(latencies_ms, share)] as const);

function figures(load: Load, inputs: number): string {
  const row = (name: string, amount: number): Cell[] => [
    name,
    { right: whole(amount) },
    { right: short(perSecond(load, amount)) },
  ];
  const rested =
    load.rested_seconds > 0 ? `, ${short(load.rested_seconds)} of them paused for Retry-After` : "";
  return table([
    [`in ${short(load.seconds)} s${rested}`, { right: "TOTAL" }, { right: "PER SECOND" }],
    row("valid replies", load.right),
    row("texts (vectors)", load.right * inputs),
    ...(load.tokens === undefined ? [] : [row("tokens (usage)", load.tokens)]),
    row("bytes of replies", load.bytes),
  ]);
}

function latencies(load: Load): string {
  const of = quantiles(load);
  return table([
    ["latency", ...of.map(([name]) => ({ right: name }))],
    ["ms", ...of.map(([, value]) => ({ right: load.right === 0 ? "-" : value.toFixed(1) }))],
  ]);
}

function failures({ failures }: Load): string {
  return table([
    ["FAILED", { right: "REQUESTS" }, "THE FIRST"],
    ...failures.map(({ kind, count, message }) => [kind, { right: whole(count) }, message]),
  ]);
}

const SIGNS = { right: "ok   ", wrong: "WRONG", skipped: "-    " } as const;

function inWords({ check, outcome, why }: Check): string {
  const words = outcome === "skipped" ? ` (not tried: ${why})` : why === undefined ? "" : `: ${why}`;
  return `${SIGNS[outcome]}  ${check}${visible(words)}`;
}

function summary(checks: readonly Check[]): string {
  const count = (which: Check["outcome"]) => checks.filter(({ outcome }) => outcome === which).length;
  return `${count("right")} right, ${count("wrong")} wrong, ${count("skipped")} not tried.`;
}

const whole = (value: number) => Math.round(value).toLocaleString("en-US");
const short = (value: number) => (value >= 100 ? whole(value) : value.toFixed(1));

/**
 * Gauges: metrics that are read at the time of the scrape, such as the state of providers and the memory of processes. Each process writes its
 * own, so that the process that answers /metrics can show all of them, with the other processes' last values.
 * To add a gauge, add a line to `now`, and a row to FAMILIES in metric-families.ts.
 */
import type { ProviderState } from "../domain/provider-state";
import type { ProcessFigures } from "../machine/process-figures";
import type { ConnectionFigures } from "../stores/stores";
import type { Counts } from "./counts";

export type GaugeName =
  | "breakersOpen"
  | "callsInFlight"
  | "callsWaiting"
  | "sharedOpen"
  | "connectionsInUse"
  | "connectionsMost"
  | "connectionsWaiting"
  | "connectionWait"
  | "cpu"
  | "memory"
  | "descriptors"
  | "startTime";

export interface GaugeSample {
  readonly name: GaugeName;
  /** The values of the family's labels, in order. */
  readonly values: readonly string[];
  readonly value: number;
}

export interface Gauges {
  /** Writes this process's gauges; only once in a while, unless `isNow`. */
  write(isNow: boolean): void;
  /** Called when a process has ended: removes its gauges, except its processor time. */
  ended(process: string): void;
  /** Sums over all processes. */
  samples(): readonly GaugeSample[];
}

export interface GaugesParts {
  readonly counts: Counts;
  /** The process's own name among several. */
  readonly process: string | null;
  readonly providers: () => readonly ProviderState[];
  /** The shared servers, by their use; left out if there are none. */
  readonly shared?: () => readonly { readonly use: string; readonly isOpen: boolean }[];
  /** The connection pool of the database; left out if there is none. */
  readonly connections?: (() => ConnectionFigures) | undefined;
  readonly figures: () => ProcessFigures;
  /** Milliseconds since 1970. */
  readonly startedAt: number;
  readonly monotonic: () => number;
}

/** A count's name begins with this, then the process, the gauge and its labels. */
const PREFIX = "gauge";
const BETWEEN = "\n";
const WRITE_EVERY_MS = 1_000;
/** Limits labels, so that a count's name fits its slot. */
const LABEL_LENGTH_MAX = 80;
/** Gauges that are kept after a process has ended. */
const KEPT: readonly string[] = ["cpu"];

export function createGauges({
  counts,
  process,
  providers,
  shared,
  connections,
  figures,
  startedAt,
  monotonic,
}: GaugesParts): Gauges {
  let writtenAt = Number.NEGATIVE_INFINITY;
  /** Each name takes a slot for ever, so values that were always 0 are not written. */
  const written = new Set<string>();

  function now(): readonly GaugeSample[] {
    const { cpuMicroseconds, residentBytes, openDescriptors } = figures();
    const ofProviders = providers().flatMap(({ provider: name, breakersOpen, callsInFlight, waiting }) => {
      const provider = name.slice(0, LABEL_LENGTH_MAX);
      return [
        { name: "breakersOpen" as const, values: [provider], value: breakersOpen },
        { name: "callsInFlight" as const, values: [provider], value: callsInFlight },
        { name: "callsWaiting" as const, values: [provider, "interactive"], value: waiting.interactive },
        { name: "callsWaiting" as const, values: [provider, "bulk"], value: waiting.bulk },
      ];
    });
    const ofShared = (shared?.() ?? []).map(({ use, isOpen }) => ({
      name: "sharedOpen" as const,
      values: [use],
      value: isOpen ? 1 : 0,
    }));
    const pool = connections?.();
    const ofPool: readonly (readonly [GaugeName, number])[] = pool
      ? [
          ["connectionsInUse", pool.inUse],
          ["connectionsMost", pool.most],
          ["connectionsWaiting", pool.waiting],
          ["connectionWait", Math.round(pool.longestWaitMs)],
        ]
      : [];
    return [
      ...ofProviders,
      ...ofShared,
      ...ofPool.map(([name, value]) => ({ name, values: [], value })),
      { name: "cpu", values: [], value: cpuMicroseconds },
      { name: "memory", values: [], value: residentBytes },
      ...(openDescriptors === undefined
        ? []
        : [{ name: "descriptors" as const, values: [], value: openDescriptors }]),
      { name: "startTime", values: [], value: startedAt },
    ];
  }

  return {
    write(isNow) {
      const at = monotonic();
      if (!isNow && at - writtenAt < WRITE_EVERY_MS) return;
      writtenAt = at;
      const gone = new Set(written);
      for (const { name, values, value } of now()) {
        const key = [PREFIX, process ?? "", name, ...values].join(BETWEEN);
        gone.delete(key);
        if (value === 0 && !written.has(key)) continue;
        written.add(key);
        counts.set(key, value);
      }
      // Gauges of providers that are no longer in the routing file.
      for (const key of gone) counts.set(key, 0);
    },
    ended(name) {
      for (const key of counts.all().keys()) {
        const [prefix, of, gauge = ""] = key.split(BETWEEN);
        if (prefix === PREFIX && of === name && !KEPT.includes(gauge)) counts.set(key, 0);
      }
    },
    samples() {
      // Every provider of the routing file is listed, even if all its values are 0.
      const sums = new Map<string, number>();
      for (const { name, values } of now()) sums.set([name, ...values].join(BETWEEN), 0);
      for (const [key, value] of counts.all()) {
        const [prefix, , name = "", ...values] = key.split(BETWEEN);
        if (prefix !== PREFIX) continue;
        const gauge = [name, ...values].join(BETWEEN);
        const before = sums.get(gauge) ?? 0;
        // The start time is that of the first process: others only replace processes that have ended.
        if (name === "connectionWait") sums.set(gauge, Math.max(before, value));
        else if (name !== "startTime") sums.set(gauge, before + value);
        else if (value > 0 && (before === 0 || value < before)) sums.set(gauge, value);
      }
      return [...sums].flatMap(([gauge, value]) => {
        const [name = "", ...values] = gauge.split(BETWEEN);
        return isGauge(name) ? [{ name, values, value }] : [];
      });
    },
  };
}

const NAMES: Readonly<Record<GaugeName, true>> = {
  breakersOpen: true,
  callsInFlight: true,
  callsWaiting: true,
  sharedOpen: true,
  cpu: true,
  connectionsInUse: true,
  connectionsMost: true,
  connectionsWaiting: true,
  connectionWait: true,
  memory: true,
  descriptors: true,
  startTime: true,
};

const isGauge = (name: string): name is GaugeName => Object.hasOwn(NAMES, name);

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
  /** Of the family's labels, in their order. */
  readonly values: readonly string[];
  readonly value: number;
}

export interface Gauges {
  /** Writes this process's own down; at most once in a while, unless it must be now. */
  write(isNow: boolean): void;
  /** A process has ended: what it had is gone, but for the time that it took. */
  ended(process: string): void;
  /** Summed up over the processes. */
  samples(): readonly GaugeSample[];
}

export interface GaugesParts {
  readonly counts: Counts;
  /** The process's own name among several. */
  readonly process: string | null;
  readonly providers: () => readonly ProviderState[];
  /** The shared servers, by what they are for. Left out: there are none. */
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
/** So that a count's name fits its place. */
const LABEL_LENGTH_MAX = 80;
/** A process that has ended took its time anyway; the first one began when the gateway did. */
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
  /** Names take places that are never free again: what was 0 all along takes none. */
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
      // Of a provider that is no longer in the routing file.
      for (const key of gone) counts.set(key, 0);
    },
    ended(name) {
      for (const key of counts.all().keys()) {
        const [prefix, of, gauge = ""] = key.split(BETWEEN);
        if (prefix === PREFIX && of === name && !KEPT.includes(gauge)) counts.set(key, 0);
      }
    },
    samples() {
      // Every provider of the routing file is listed, also when nothing is wrong with it.
      const sums = new Map<string, number>();
      for (const { name, values } of now()) sums.set([name, ...values].join(BETWEEN), 0);
      for (const [key, value] of counts.all()) {
        const [prefix, , name = "", ...values] = key.split(BETWEEN);
        if (prefix !== PREFIX) continue;
        const gauge = [name, ...values].join(BETWEEN);
        const before = sums.get(gauge) ?? 0;
        // All began together, but for those that took another's place.
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

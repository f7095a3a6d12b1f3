/**
 * The rows that send the same requests to the gateway and to the baseline: clients, sizes and goals. To add a row, add an entry to ROWS. Rows of
 * another kind are in bench/others.ts.
 */
import type { Goal } from "./goals";
import type { Group } from "./load";
import type { Figures } from "./table";

export interface RowGoal extends Goal {
  readonly figure: keyof Figures;
  /** The figure that the gateway's is divided by: the proxy's, the gateway's own of `beside`, or none. */
  readonly over: "proxy" | "beside" | "nothing";
}

export interface Row {
  readonly name: string;
  readonly says: string;
  readonly groups: readonly Group[];
  /** The `cache` section of the routing file. */
  readonly cache?: string;
  /** The gateway and the proxy call the provider over https. */
  readonly isTls?: boolean;
  /** The first group's clients and the provider of the model `search` never wait for the other programs on this machine. */
  readonly isAhead?: boolean;
  /** Other requests to the gateway, in turns with the row's own. */
  readonly beside?: { readonly name: string; readonly groups: readonly Group[] };
  readonly goals: readonly RowGoal[];
}

const floats: Group = {
  connections: 32,
  inputs: 1,
  encoding: "float",
  model: "text-embedding-3-small",
  repeats: false,
};
const batches: Group = { ...floats, connections: 2, inputs: 2048 };
const query: Group = { ...floats, connections: 1, model: "search" };
const cached = { ...floats, repeats: true };
const CACHE = "{ memory_mb: 512 }";

const cpu = (value: number): RowGoal => ({
  of: "CPU a request over the proxy's",
  figure: "cpuPerThousand_s",
  over: "proxy",
  bound: "at most",
  value,
  unit: "×",
});
/** Compared with the same row without TLS. */
const cpuOverHttp: RowGoal = {
  of: "CPU a request over that of http",
  figure: "cpuPerThousand_s",
  over: "beside",
  bound: "at most",
  value: 1.05,
  unit: "×",
};
const rate = (value: number): RowGoal => ({
  of: "requests/s over the proxy's",
  figure: "perSecond",
  over: "proxy",
  bound: "at least",
  value,
  unit: "×",
});

const memory = (value: number): RowGoal => ({
  of: "peak memory",
  figure: "peak_mb",
  over: "nothing",
  bound: "at most",
  value,
  unit: "MB",
});

export const ROWS: readonly Row[] = [
  {
    name: "A1",
    says: "one text, floats, 1 connection",
    groups: [{ ...floats, connections: 1 }],
    goals: [cpu(1.35)],
  },
  {
    name: "A",
    says: "one text, floats, 32 connections",
    groups: [floats],
    goals: [cpu(1.35), memory(120)],
  },
  {
    name: "B",
    says: "one text, base64, 32 connections",
    groups: [{ ...floats, encoding: "base64" }],
    goals: [cpu(2.7)],
  },
  {
    name: "C",
    says: "64 texts, floats, 8 connections",
    groups: [{ ...floats, connections: 8, inputs: 64 }],
    goals: [cpu(2.2), memory(160)],
  },
  {
    name: "F",
    says: "64 texts, floats, 8 connections, of a provider without base64",
    groups: [{ ...floats, connections: 8, inputs: 64, model: "floats-only" }],
    goals: [],
  },
  {
    name: "D",
    says: "2048 texts, floats, 1 connection",
    groups: [{ ...batches, connections: 1 }],
    goals: [
      cpu(2.2),
      {
        of: "time over the proxy's",
        figure: "p50_ms",
        over: "proxy",
        bound: "at most",
        value: 1.6,
        unit: "×",
      },
      memory(200),
    ],
  },
  {
    name: "H",
    says: "one text, found in the cache, 32 connections",
    groups: [cached],
    cache: CACHE,
    goals: [rate(2)],
  },
  {
    name: "H2",
    says: "2048 texts, found in the cache, 2 connections",
    groups: [{ ...cached, connections: 2, inputs: 2048 }],
    cache: CACHE,
    goals: [rate(2)],
  },
  {
    name: "I",
    says: "one text while two clients send batches of 2048",
    groups: [query, batches],
    isAhead: true,
    beside: { name: "alone", groups: [query] },
    goals: [
      {
        of: "p99 over its own alone",
        figure: "p99_ms",
        over: "beside",
        bound: "at most",
        value: 2.5,
        unit: "×",
      },
    ],
  },
  {
    name: "K",
    says: "one text, 500 connections, 100 ms away",
    groups: [{ ...floats, connections: 500, model: "far" }],
    goals: [
      {
        of: "requests a second",
        figure: "perSecond",
        over: "nothing",
        bound: "at least",
        value: 3500,
        unit: "/s",
      },
      memory(160),
    ],
  },
  ...[
    { name: "TA", says: "as A, over https", group: floats },
    { name: "TB", says: "as B, over https", group: { ...floats, encoding: "base64" as const } },
    { name: "TC", says: "as C, over https", group: { ...floats, connections: 8, inputs: 64 } },
  ].map(
    ({ name, says, group }): Row => ({
      name,
      says,
      groups: [{ ...group, model: "tls" }],
      isTls: true,
      beside: { name: "http", groups: [group] },
      goals: [cpuOverHttp],
    }),
  ),
  {
    name: "TK",
    says: "as K, over https",
    groups: [{ ...floats, connections: 500, model: "tls-far" }],
    isTls: true,
    beside: { name: "http", groups: [{ ...floats, connections: 500, model: "far" }] },
    goals: [
      {
        of: "requests/s over those of http",
        figure: "perSecond",
        over: "beside",
        bound: "at least",
        value: 0.95,
        unit: "×",
      },
    ],
  },
];

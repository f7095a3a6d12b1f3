/**
 * The rows that ask the gateway and the baseline the same: who asks what, and how large. A new one is an entry of ROWS.
 * Rows of another kind are in bench/others.ts.
 */
import type { Group } from "./load";

export interface Row {
  readonly name: string;
  readonly says: string;
  readonly groups: readonly Group[];
  /** The gateway's cache, as the routing file has it. */
  readonly cache?: string;
  /** Also measured without the groups after the first. */
  readonly alone?: boolean;
}

const floats: Group = {
  connections: 32,
  inputs: 1,
  encoding: "float",
  model: "text-embedding-3-small",
  repeats: false,
};
const batches: Group = { ...floats, connections: 2, inputs: 2048 };
const cached = { ...floats, repeats: true };
const CACHE = "{ memory_mb: 512 }";

export const ROWS: readonly Row[] = [
  { name: "A1", says: "one text, floats, 1 connection", groups: [{ ...floats, connections: 1 }] },
  { name: "A", says: "one text, floats, 32 connections", groups: [floats] },
  { name: "B", says: "one text, base64, 32 connections", groups: [{ ...floats, encoding: "base64" }] },
  { name: "C", says: "64 texts, floats, 8 connections", groups: [{ ...floats, connections: 8, inputs: 64 }] },
  {
    name: "F",
    says: "64 texts, floats, 8 connections, of a provider without base64",
    groups: [{ ...floats, connections: 8, inputs: 64, model: "floats-only" }],
  },
  { name: "D", says: "2048 texts, floats, 1 connection", groups: [{ ...batches, connections: 1 }] },
  { name: "H", says: "one text, found in the cache, 32 connections", groups: [cached], cache: CACHE },
  {
    name: "H2",
    says: "2048 texts, found in the cache, 2 connections",
    groups: [{ ...cached, connections: 2, inputs: 2048 }],
    cache: CACHE,
  },
  {
    name: "I",
    says: "one text while two clients send batches of 2048",
    groups: [{ ...floats, connections: 1 }, batches],
    alone: true,
  },
  {
    name: "K",
    says: "one text, 500 connections, 100 ms away",
    groups: [{ ...floats, connections: 500, model: "far" }],
  },
];

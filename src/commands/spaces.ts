/**
 * `embedgate spaces list | show | export | forget`: the fingerprints that routes are measured against, the similarity of each route, and how
 * to accept a changed model.
 */

import { headOf, writeCarried } from "../config/carried-fingerprints";
import { PROBES } from "../domain/probes";
import { withCarried } from "../spaces/carried";
import { insideFingerprints } from "../spaces/inside";
import type { RouteRecord } from "../spaces/records";
import { printTable, screen } from "../terminal/screen";
import { table } from "../terminal/table";
import { json } from "./json";
import { type StoreOptions, withStore } from "./with-store";

export function listSpaces(options: StoreOptions): Promise<number> {
  return withStore(options, async (stores) => {
    const spaces = stores.openFingerprints().list().map(headOf);
    if (options.json) console.log(json(spaces));
    else {
      const rows = spaces.map((one) => [
        one.space,
        one.dimensions,
        one.provider,
        one.model,
        one.measured_at,
        one.confirmed ? "" : "provisional",
      ]);
      printTable([["SPACE", "DIMENSIONS", "FIRST MEASURED AT", "AS", "ON", ""], ...rows]);
    }
    return 0;
  });
}

/** Each route's cosine by kind of probe text at its last measurement, and what probably differs. */
export function showSpace(space: string, options: StoreOptions): Promise<number> {
  return withStore(options, async (stores, config) => {
    const carried = [...insideFingerprints(), ...config.spaceFingerprints];
    const fingerprint = withCarried(stores.openFingerprints(), carried).find(space);
    const records = await stores.openRecords().of(space);
    if (options.json) {
      const routes = records.map(({ measuredAt, claim: _, ...record }) => ({
        ...record,
        measured_at: new Date(measuredAt).toISOString(),
      }));
      console.log(JSON.stringify({ space, measured: fingerprint !== undefined, routes }));
    } else if (records.length === 0) {
      console.error(
        `No route was measured in the space ${space} so far. 'embedgate spaces list' lists those that were measured.`,
      );
    } else {
      if (fingerprint) {
        const { provider, model, measuredAt, confirmed } = fingerprint;
        const first = `${space}: first measured at ${provider} (${model}) on ${new Date(measuredAt).toISOString()}`;
        console.log(confirmed ? first : `${first}; provisional, no other route has agreed yet`);
      }
      for (const record of records) console.log(`\n${inWords(record, space)}`);
      console.log(`\n${table(cosines(records), screen())}`);
    }
    return records.length === 0 ? 1 : 0;
  });
}

function inWords({ provider, model, space, serves, cosine, says }: RouteRecord, asked: string): string {
  const where = space === asked ? "" : `, in the space ${space}`;
  const least = `lowest cosine ${cosine.toFixed(5)}`;
  return `${provider} (${model})${where}: ${serves ? "serves" : "out of service"}; ${least}: ${says}`;
}

function cosines(records: readonly RouteRecord[]): string[][] {
  const kinds = [...new Set(PROBES.map(({ kind }) => kind))];
  return [
    ["KIND OF TEXT", ...records.map(({ provider }) => provider.toUpperCase())],
    ...kinds.map((kind) => [kind, ...records.map((record) => record.cosines[kind]?.toFixed(5) ?? "-")]),
  ];
}

/** Prints a file for `space_fingerprints`. */
export function exportSpaces(options: StoreOptions): Promise<number> {
  return withStore(options, async (stores, config) => {
    const all = withCarried(stores.openFingerprints(), config.spaceFingerprints).list();
    console.log(writeCarried(all));
    return 0;
  });
}

export function forgetSpace(space: string, options: StoreOptions): Promise<number> {
  return withStore(options, async (stores, config) => {
    const forgotten = await stores.forgetSpace(space);
    if (config.spaceFingerprints.some((carried) => carried.space === space))
      console.error(
        `The file of space_fingerprints has reference vectors of ${space} too: remove them there.`,
      );
    if (options.json) console.log(json({ space, forgotten }));
    else if (forgotten)
      console.error(
        `The reference vectors of ${space} are deleted; the next measurement becomes the reference. Vectors that you stored before may not be comparable with new ones.`,
      );
    else console.error(`There is no measured embedding space ${space}: 'embedgate spaces list' shows them.`);
    return forgotten ? 0 : 1;
  });
}

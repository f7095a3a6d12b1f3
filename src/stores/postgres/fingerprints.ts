/** The first measurement of each embedding space, in PostgreSQL with a copy in memory. The interface is in src/spaces/fingerprints.ts. */

import type { Fingerprint } from "../../domain/fingerprint";
import { PROBES_VERSION } from "../../domain/probes";
import { withTaskNames } from "../../spaces/by-task";
import {
  CHOSEN_MAX,
  type FingerprintRow,
  type Fingerprints,
  fingerprintIn,
  joined,
  UNPAID_MS_MAX,
  UNUSED_MS_MAX,
} from "../../spaces/fingerprints";
import { noteChange } from "./audit";
import type { Base } from "./base";
import type { Connection } from "./connection";
import type { Mirror, Part } from "./mirror";

export interface KnownSpaces extends Part {
  readonly byName: ReadonlyMap<string, Fingerprint>;
}

export function createKnownSpaces(): KnownSpaces {
  const byName = new Map<string, Fingerprint>();
  return {
    what: "space",
    byName,
    async read({ query }, names) {
      const rows =
        names === undefined
          ? await query<FingerprintRow>("SELECT * FROM @spaces WHERE probes = $1", [PROBES_VERSION])
          : await query<FingerprintRow>(
              "SELECT * FROM @spaces WHERE probes = $1 AND name IN (SELECT json_array_elements_text($2::text::json))",
              [PROBES_VERSION, JSON.stringify(names)],
            );
      for (const name of names ?? [...byName.keys()]) byName.delete(name);
      for (const row of rows) byName.set(row.name, fingerprintIn(row));
    },
  };
}

export function openPostgresFingerprints(
  { pool }: Base,
  mirror: Mirror,
  { byName }: KnownSpaces,
): Fingerprints {
  async function change<T>(work: (connection: Connection) => Promise<T>): Promise<T> {
    const value = await pool.transact(work);
    await mirror.refresh();
    return value;
  }
  return {
    find: (space) => byName.get(space),
    async keep(fingerprint) {
      const { space, dimensions, provider, model, measuredAt, paidAt, confirmed } = fingerprint;
      await change(async ({ query }) => {
        if (paidAt !== null) {
          await query(
            "DELETE FROM @spaces WHERE paid_at IS NOT NULL AND paid_at < $1 AND (paid_at > 0 OR measured_at < $2)",
            [measuredAt - UNUSED_MS_MAX, measuredAt - UNPAID_MS_MAX],
          );
          await query(
            `DELETE FROM @spaces WHERE name IN
               (SELECT name FROM @spaces WHERE paid_at IS NOT NULL ORDER BY paid_at DESC OFFSET $1)`,
            [CHOSEN_MAX - 1],
          );
        }
        await query("DELETE FROM @spaces WHERE name = $1 AND probes <> $2", [space, PROBES_VERSION]);
        await query(
          `INSERT INTO @spaces (name, dimensions, vectors, provider, model, measured_at, paid_at, confirmed, probes)
           VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) ON CONFLICT (name) DO NOTHING`,
          [
            space,
            dimensions,
            joined(fingerprint),
            provider,
            model,
            measuredAt,
            paidAt,
            confirmed,
            PROBES_VERSION,
          ],
        );
      });
      // Another gateway may have written its own first: that one is used.
      return byName.get(space) ?? fingerprint;
    },
    async paid(space, paidAt) {
      await change(({ query }) => query("UPDATE @spaces SET paid_at = $2 WHERE name = $1", [space, paidAt]));
    },
    async confirm(space) {
      await change(({ query }) => query("UPDATE @spaces SET confirmed = true WHERE name = $1", [space]));
    },
    async drifted(space, at) {
      await change(({ query }) => query("UPDATE @spaces SET drifted_at = $2 WHERE name = $1", [space, at]));
    },
    list: () => [...byName.values()].sort((a, b) => (a.space < b.space ? -1 : 1)),
    async forget(space) {
      const was = byName.has(space);
      const gone = await change(({ query }) =>
        query("DELETE FROM @spaces WHERE name = $1 RETURNING 1", [space]),
      );
      return was || gone.length > 0;
    },
  };
}

/** Deletes a space's fingerprint and the limits learned in it. @returns whether the database had the space */
export async function forgetPostgresSpace(
  { pool, clock }: Base,
  mirror: Mirror,
  space: string,
  actor: string,
): Promise<boolean> {
  const wasThere = await pool.transact(async (connection) => {
    await connection.query("DELETE FROM @route_limits WHERE space = $1", [space]);
    for (const name of withTaskNames(space))
      await connection.query("DELETE FROM @spaces WHERE name = $1", [name]);
    const [before] = await connection.query<{ readonly provider: string; readonly model: string }>(
      "DELETE FROM @spaces WHERE name = $1 RETURNING provider, model",
      [space],
    );
    if (before === undefined) return false;
    await noteChange(connection, clock, {
      actor,
      action: "spaces.forget",
      target: space,
      before,
      after: null,
    });
    return true;
  });
  await mirror.refresh();
  return wasThere;
}

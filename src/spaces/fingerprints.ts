/**
 * The first measurement of each embedding space, kept in the database: what every later measurement is compared with.
 * To accept a space as it is now, its fingerprint is forgotten (`embedgate spaces forget`).
 */
import type { Store } from "../db/open";
import { PROBES, PROBES_VERSION } from "./probes";

export interface Fingerprint {
  readonly space: string;
  /** One for each of PROBES. */
  readonly vectors: readonly Float32Array[];
  readonly dimensions: number;
  /** Who gave it. */
  readonly provider: string;
  readonly model: string;
  readonly measuredAt: number;
}

export interface Fingerprints {
  /** Undefined where the space was not measured, or by other texts. @throws GatewayError database_unavailable */
  find(space: string): Fingerprint | undefined;
  /** Keeps it unless one is there already; @returns the one that is kept. @throws GatewayError database_unavailable */
  keep(fingerprint: Fingerprint): Promise<Fingerprint>;
  list(): readonly Fingerprint[];
  /** @returns whether there was one */
  forget(space: string): Promise<boolean>;
}

interface Row {
  readonly name: string;
  readonly dimensions: bigint;
  readonly vectors: Uint8Array;
  readonly provider: string;
  readonly model: string;
  readonly measured_at: bigint;
}

export function openFingerprints(store: Store): Fingerprints {
  const { database } = store;
  const columns = "name, dimensions, vectors, provider, model, measured_at";
  const one = database.query<Row, { name: string; probes: number }>(
    `SELECT ${columns} FROM spaces WHERE name = $name AND probes = $probes`,
  );
  const all = database.query<Row, { probes: number }>(
    `SELECT ${columns} FROM spaces WHERE probes = $probes ORDER BY name`,
  );
  const dropOutdated = database.query<unknown, { name: string; probes: number }>(
    "DELETE FROM spaces WHERE name = $name AND probes <> $probes",
  );
  const put = database.query<unknown, Record<string, string | number | Uint8Array>>(
    `INSERT INTO spaces (${columns}, probes)
     VALUES ($name, $dimensions, $vectors, $provider, $model, $measured_at, $probes) ON CONFLICT (name) DO NOTHING`,
  );
  const drop = database.query<unknown, { name: string }>("DELETE FROM spaces WHERE name = $name");

  const find = (space: string) => {
    const row = store.read(() => one.get({ name: space, probes: PROBES_VERSION }));
    return row ? fromRow(row) : undefined;
  };
  return {
    find,
    async keep(fingerprint) {
      const { space, dimensions, provider, model, measuredAt } = fingerprint;
      await store.write(() => {
        dropOutdated.run({ name: space, probes: PROBES_VERSION });
        put.run({
          name: space,
          dimensions,
          vectors: joined(fingerprint.vectors),
          provider,
          model,
          measured_at: measuredAt,
          probes: PROBES_VERSION,
        });
      });
      // Another gateway on the same database may have been first.
      return find(space) ?? fingerprint;
    },
    list: () => store.read(() => all.all({ probes: PROBES_VERSION })).map(fromRow),
    forget: (space) => store.write(() => drop.run({ name: space }).changes > 0),
  };
}

function fromRow({ name, dimensions, vectors, provider, model, measured_at }: Row): Fingerprint {
  const size = Number(dimensions);
  // A copy of its own: SQLite's bytes need not lie on a multiple of four.
  const numbers = new Float32Array(Uint8Array.from(vectors).buffer);
  return {
    space: name,
    dimensions: size,
    vectors: PROBES.map((_, i) => numbers.slice(i * size, (i + 1) * size)),
    provider,
    model,
    measuredAt: Number(measured_at),
  };
}

function joined(vectors: readonly Float32Array[]): Uint8Array {
  return Buffer.concat(
    vectors.map(({ buffer, byteOffset, byteLength }) => new Uint8Array(buffer, byteOffset, byteLength)),
  );
}

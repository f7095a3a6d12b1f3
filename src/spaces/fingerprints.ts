/**
 * The first measurement of each embedding space, kept in the database: every later measurement is compared with it.
 * To accept a changed space, forget its fingerprint (`embedgate spaces forget`). carried.ts has fingerprints from files.
 */
import type { Store } from "../db/open";
import type { Fingerprint } from "../domain/fingerprint";
import { PROBES, PROBES_VERSION } from "../domain/probes";

export interface Fingerprints {
  /** undefined if the space was not measured, or was measured with other texts. @throws GatewayError database_unavailable */
  find(space: string): Fingerprint | undefined;
  /**
   * Keeps the fingerprint unless one exists, and forgets fingerprints of caller-chosen ids that no request has paid for.
   * @returns the fingerprint that is kept. @throws GatewayError database_unavailable
   */
  keep(fingerprint: Fingerprint): Promise<Fingerprint>;
  /** @throws GatewayError database_unavailable */
  paid(space: string, paidAt: number | null): Promise<void>;
  /** Records that a second route agrees with the fingerprint. @throws GatewayError database_unavailable */
  confirm(space: string): Promise<void>;
  /** Records that a route left the space. @throws GatewayError database_unavailable */
  drifted(space: string, at: number): Promise<void>;
  list(): readonly Fingerprint[];
  /** @returns whether there was one */
  forget(space: string): Promise<boolean>;
}

/** A fingerprint as a database returns it. */
export interface FingerprintRow {
  readonly name: string;
  readonly dimensions: bigint;
  readonly vectors: Uint8Array;
  readonly provider: string;
  readonly model: string;
  readonly measured_at: bigint;
  readonly paid_at: bigint | null;
  /** 0 or 1 in SQLite. */
  readonly confirmed: bigint | boolean;
  readonly drifted_at: bigint | null;
}

/** For an id that was measured and has had no answered request since. */
export const UNPAID_MS_MAX = 3_600_000;
/** For an id that has had answered requests, but none for this long. */
export const UNUSED_MS_MAX = 30 * 86_400_000;
/** For caller-chosen ids: beyond this many, the least recently paid for are forgotten. At most a hundred megabytes. */
export const CHOSEN_MAX = 2_000;

export function openFingerprints(store: Store, chosenMax = CHOSEN_MAX): Fingerprints {
  const { database } = store;
  const columns = "name, dimensions, vectors, provider, model, measured_at, paid_at, confirmed";
  const one = database.query<FingerprintRow, { name: string; probes: number }>(
    `SELECT ${columns}, drifted_at FROM spaces WHERE name = $name AND probes = $probes`,
  );
  const all = database.query<FingerprintRow, { probes: number }>(
    `SELECT ${columns}, drifted_at FROM spaces WHERE probes = $probes ORDER BY name`,
  );
  const dropOutdated = database.query<unknown, { name: string; probes: number }>(
    "DELETE FROM spaces WHERE name = $name AND probes <> $probes",
  );
  const put = database.query<unknown, Record<string, string | number | Uint8Array | null>>(
    `INSERT INTO spaces (${columns}, probes)
     VALUES ($name, $dimensions, $vectors, $provider, $model, $measured_at, $paid_at, $confirmed, $probes)
     ON CONFLICT (name) DO NOTHING`,
  );
  const dropUnpaid = database.query<unknown, { unpaidSince: number; unusedSince: number }>(
    `DELETE FROM spaces WHERE paid_at IS NOT NULL AND paid_at < $unusedSince AND (paid_at > 0 OR measured_at < $unpaidSince)`,
  );
  const dropOldest = database.query<unknown, { most: number }>(
    `DELETE FROM spaces WHERE rowid IN
       (SELECT rowid FROM spaces WHERE paid_at IS NOT NULL ORDER BY paid_at DESC LIMIT -1 OFFSET $most)`,
  );
  const setPaid = database.query<unknown, { name: string; paid_at: number | null }>(
    "UPDATE spaces SET paid_at = $paid_at WHERE name = $name",
  );
  const confirmed = database.query<unknown, { name: string }>(
    "UPDATE spaces SET confirmed = 1 WHERE name = $name",
  );
  const setDrifted = database.query<unknown, { name: string; at: number }>(
    "UPDATE spaces SET drifted_at = $at WHERE name = $name",
  );
  const drop = database.query<unknown, { name: string }>("DELETE FROM spaces WHERE name = $name");

  const find = (space: string) => {
    const row = store.read(() => one.get({ name: space, probes: PROBES_VERSION }));
    return row ? fingerprintIn(row) : undefined;
  };
  return {
    find,
    async keep(fingerprint) {
      const { space, dimensions, provider, model, measuredAt, paidAt } = fingerprint;
      await store.write(() => {
        if (paidAt !== null) {
          dropUnpaid.run({
            unpaidSince: measuredAt - UNPAID_MS_MAX,
            unusedSince: measuredAt - UNUSED_MS_MAX,
          });
          dropOldest.run({ most: chosenMax - 1 });
        }
        dropOutdated.run({ name: space, probes: PROBES_VERSION });
        put.run({
          name: space,
          dimensions,
          vectors: joined(fingerprint),
          provider,
          model,
          measured_at: measuredAt,
          paid_at: paidAt,
          confirmed: fingerprint.confirmed ? 1 : 0,
          probes: PROBES_VERSION,
        });
      });
      // Another gateway on the same database may have been faster.
      return find(space) ?? fingerprint;
    },
    async paid(space, paidAt) {
      await store.write(() => setPaid.run({ name: space, paid_at: paidAt }));
    },
    async confirm(space) {
      await store.write(() => confirmed.run({ name: space }));
    },
    async drifted(space, at) {
      await store.write(() => setDrifted.run({ name: space, at }));
    },
    list: () => store.read(() => all.all({ probes: PROBES_VERSION })).map(fingerprintIn),
    forget: (space) => store.write(() => drop.run({ name: space }).changes > 0),
  };
}

export function fingerprintIn(row: FingerprintRow): Fingerprint {
  const { name, dimensions, vectors, provider, model, measured_at, paid_at, confirmed, drifted_at } = row;
  const size = Number(dimensions);
  return {
    space: name,
    dimensions: size,
    vectors: vectorsOf(vectors, size),
    provider,
    model,
    measuredAt: Number(measured_at),
    paidAt: paid_at === null ? null : Number(paid_at),
    confirmed: confirmed === true || confirmed === 1n,
    ...(drifted_at !== null && { driftedAt: Number(drifted_at) }),
  };
}

/** The vector of each probe text, from the bytes of all. */
function vectorsOf(bytes: Uint8Array, dimensions: number): Fingerprint["vectors"] {
  // Copied, because the database's bytes may not be aligned to four.
  const numbers = new Float32Array(Uint8Array.from(bytes).buffer);
  return PROBES.map((_, i) => given(numbers.slice(i * dimensions, (i + 1) * dimensions)));
}

/** Zeros mark a text that was refused: no valid vector is all zeros. */
const given = (vector: Float32Array) => (vector.some((value) => value !== 0) ? vector : undefined);

export function joined({ vectors, dimensions }: Fingerprint): Uint8Array {
  const numbers = new Float32Array(PROBES.length * dimensions);
  for (const [i, vector] of vectors.entries()) if (vector) numbers.set(vector, i * dimensions);
  return new Uint8Array(numbers.buffer);
}

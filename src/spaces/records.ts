/**
 * The last measurement of each route, kept in the database for `embedgate spaces show`.
 * A new column is a member of `RouteRecord`, a column in src/db/migrations.ts and a line here.
 */
import { Type } from "@sinclair/typebox";
import { Value } from "@sinclair/typebox/value";
import type { Store } from "../db/open";
import { PROBES_VERSION } from "../domain/probes";

export interface RouteRecord {
  /** The model's identity, as in claims.ts. */
  readonly claim: string;
  /** The space in the routing file. */
  readonly claimed: string;
  readonly provider: string;
  /** The model's name at the provider. */
  readonly model: string;
  /** The space that it was compared with: a different one if two models were measured to differ. */
  readonly space: string;
  readonly serves: boolean;
  /** The lowest over all probe texts. */
  readonly cosine: number;
  readonly cosines: Readonly<Record<string, number>>;
  /** The probable difference. */
  readonly says: string;
  readonly measuredAt: number;
}

export interface RouteRecords {
  /** @throws GatewayError database_unavailable */
  put(record: RouteRecord): Promise<void>;
  /** The records of routes that claim the space or were compared with it. @throws GatewayError database_unavailable */
  of(space: string): Promise<readonly RouteRecord[]>;
}

interface Row {
  readonly claim: string;
  readonly claimed: string;
  readonly provider: string;
  readonly model: string;
  readonly space: string;
  readonly serves: bigint;
  readonly cosine: number;
  readonly cosines: string;
  readonly says: string;
  readonly measured_at: bigint;
}

export const Cosines = Type.Record(Type.String(), Type.Number());

export function openRecords(store: Store): RouteRecords {
  const { database } = store;
  const columns = "claim, claimed, provider, model, space, serves, cosine, cosines, says, measured_at";
  const insert = database.query<unknown, Record<string, string | number>>(
    `INSERT OR REPLACE INTO space_routes (${columns}, probes)
     VALUES ($claim, $claimed, $provider, $model, $space, $serves, $cosine, $cosines, $says, $measured_at, $probes)`,
  );
  const select = database.query<Row, { space: string; probes: number }>(
    `SELECT ${columns} FROM space_routes
     WHERE (claimed = $space OR space = $space) AND probes = $probes ORDER BY claim, provider, model`,
  );
  return {
    async put({ claim, claimed, provider, model, space, serves, cosine, cosines, says, measuredAt }) {
      await store.write(() =>
        insert.run({
          claim,
          claimed,
          provider,
          model,
          space,
          serves: serves ? 1 : 0,
          cosine,
          cosines: JSON.stringify(cosines),
          says,
          measured_at: measuredAt,
          probes: PROBES_VERSION,
        }),
      );
    },
    of: async (space) => store.read(() => select.all({ space, probes: PROBES_VERSION })).map(fromRow),
  };
}

function fromRow({ serves, cosines, measured_at, ...row }: Row): RouteRecord {
  return {
    ...row,
    serves: serves === 1n,
    cosines: Value.Parse(Cosines, JSON.parse(cosines)),
    measuredAt: Number(measured_at),
  };
}

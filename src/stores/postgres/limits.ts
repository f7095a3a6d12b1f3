/** Each route's learned token limit, in PostgreSQL with a copy in memory. The interface is in src/spaces/limits.ts. */
import { type LimitSeen, limitOfBoth, NO_LIMIT_SEEN } from "../../domain/health";
import type { Outside } from "../../domain/outside";
import {
  KEPT_MAX,
  type LimitOf,
  type LimitRow,
  type Limits,
  limitNotices,
  limitSeen,
  rowOfLimit,
} from "../../spaces/limits";
import type { Base } from "./base";
import type { Mirror, Part } from "./mirror";

export interface KnownLimits extends Part {
  readonly rows: () => readonly LimitRow[];
  readonly find: (of: LimitOf) => LimitSeen;
}

const keyOf = ({ provider, model, configuration }: LimitOf) => `${provider}\0${model}\0${configuration}`;

export function createKnownLimits(): KnownLimits {
  let rows: readonly LimitRow[] = [];
  let byKey: ReadonlyMap<string, LimitSeen> = new Map();
  return {
    what: "limit",
    rows: () => rows,
    find: (of) => byKey.get(keyOf(of)) ?? NO_LIMIT_SEEN,
    // There are few, and they seldom change: all are read.
    async read({ query }) {
      rows = await query<LimitRow>(
        'SELECT * FROM @route_limits ORDER BY space COLLATE "C", provider COLLATE "C", model COLLATE "C"',
      );
      byKey = new Map(rows.map((row) => [keyOf(row), limitSeen(row)]));
    },
  };
}

export function openPostgresLimits(
  { pool }: Base,
  mirror: Mirror,
  known: KnownLimits,
  { log, now }: Pick<Outside, "log" | "now">,
): Limits {
  return {
    find: known.find,
    keep(of, seen) {
      const learnedAt = now();
      pool
        .transact(async ({ query }) => {
          // Another process may have learned more meanwhile: the two are combined. The whole table, as FOR UPDATE locks no row that is not there yet.
          await query("LOCK TABLE @route_limits IN SHARE ROW EXCLUSIVE MODE");
          const [before] = await query<LimitRow>(
            "SELECT * FROM @route_limits WHERE provider = $1 AND model = $2 AND configuration = $3",
            [of.provider, of.model, of.configuration],
          );
          const row = rowOfLimit(
            of,
            limitOfBoth(seen, before ? limitSeen(before) : NO_LIMIT_SEEN),
            learnedAt,
          );
          await query(
            `INSERT INTO @route_limits (provider, model, configuration, space, max_input_tokens, learned_by, whole_to, learned_at)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT (provider, model) DO UPDATE SET configuration = excluded.configuration,
               space = excluded.space, max_input_tokens = excluded.max_input_tokens, learned_by = excluded.learned_by,
               whole_to = excluded.whole_to, learned_at = excluded.learned_at`,
            [
              row.provider,
              row.model,
              row.configuration,
              row.space,
              row.max_input_tokens,
              row.learned_by,
              row.whole_to,
              row.learned_at,
            ],
          );
          await query(
            `DELETE FROM @route_limits WHERE (provider, model) IN
               (SELECT provider, model FROM @route_limits ORDER BY learned_at DESC OFFSET $1)`,
            [KEPT_MAX],
          );
        })
        .then(() => mirror.refresh())
        .catch((cause: unknown) =>
          log("warn", "learned input limit cannot be written to the database", { cause: String(cause) }),
        );
    },
    notices: (config) => limitNotices(known.rows(), config),
    async forget(space) {
      await pool.run(({ query }) => query("DELETE FROM @route_limits WHERE space = $1", [space]));
      await mirror.refresh();
    },
  };
}

/**
 * The token limits learned of each route, kept in the database beside the space's fingerprint: a limit from a provider's error, or the place where
 * its server was found to cut. A limit is valid as long as the routing file does not change the route, and is forgotten with the space.
 */
import type { ConfiguredProvider, GatewayConfig } from "../config/gateway-config";
import type { Store } from "../db/open";
import { type LimitSeen, limitOfBoth, NO_LIMIT_SEEN } from "../domain/health";
import type { Outside } from "../domain/outside";
import { cutsTexts, type SpaceNotice } from "./notices";

export interface LimitOf {
  readonly provider: string;
  /** The model's name at the provider. */
  readonly model: string;
  /** The result of `configurationOf`. */
  readonly configuration: string;
}

export interface Limits {
  /** As learned by all processes on this database. NO_LIMIT_SEEN also if the database cannot be read: the limit is then learned again. */
  find(of: LimitOf): LimitSeen;
  /** Does not wait; a failed write is logged. */
  keep(of: LimitOf & { readonly space: string }, seen: LimitSeen): void;
  /** Notices for servers that truncate silently. @throws GatewayError database_unavailable */
  notices(config: GatewayConfig): readonly SpaceNotice[];
  /** Forgets the limits of all routes of a space. @throws GatewayError database_unavailable */
  forget(space: string): Promise<void>;
}

export interface LimitRow {
  readonly provider: string;
  readonly model: string;
  readonly configuration: string;
  readonly space: string;
  readonly max_input_tokens: bigint | null;
  readonly learned_by: LimitSeen["learnedBy"];
  readonly whole_to: bigint;
}

/** Callers choose the names under a pattern, so the oldest are forgotten. */
export const KEPT_MAX = 2_000;

export function openLimits(store: Store, { log, now }: Pick<Outside, "log" | "now">): Limits {
  const { database } = store;
  const columns = "provider, model, configuration, space, max_input_tokens, learned_by, whole_to";
  const one = database.query<LimitRow, { provider: string; model: string; configuration: string }>(
    `SELECT ${columns} FROM route_limits
     WHERE provider = $provider AND model = $model AND configuration = $configuration`,
  );
  const cuts = database.query<LimitRow, []>(
    `SELECT ${columns} FROM route_limits
     ORDER BY space, provider, model`,
  );
  const put = database.query<unknown, Record<string, string | number | null>>(
    `INSERT OR REPLACE INTO route_limits (${columns}, learned_at)
     VALUES ($provider, $model, $configuration, $space, $max_input_tokens, $learned_by, $whole_to, $learned_at)`,
  );
  const dropOldest = database.query<unknown, { most: number }>(
    `DELETE FROM route_limits WHERE (provider, model) IN
       (SELECT provider, model FROM route_limits ORDER BY learned_at DESC LIMIT -1 OFFSET $most)`,
  );
  const drop = database.query<unknown, { space: string }>("DELETE FROM route_limits WHERE space = $space");
  const read = ({ provider, model, configuration }: LimitOf): LimitSeen => {
    const row = one.get({ provider, model, configuration });
    return row ? limitSeen(row) : NO_LIMIT_SEEN;
  };
  const keys = new WeakMap<LimitOf, string>();
  const keyOf = (of: LimitOf) => JSON.stringify([of.provider, of.model, of.configuration]);
  /** Every request reads this, so it is cached for one turn of the event loop; other processes' writes are seen after that. */
  const latest = store.once((key) => {
    const [provider = "", model = "", configuration = ""]: string[] = JSON.parse(key);
    return store.read(() => read({ provider, model, configuration }));
  });
  let isReadable = true;
  return {
    find(of) {
      const key = keys.getOrInsertComputed(of, keyOf);
      try {
        const seen = latest(key);
        isReadable = true;
        return seen;
      } catch (cause) {
        if (isReadable)
          log("warn", "learned input limits cannot be read from the database", { cause: String(cause) });
        isReadable = false;
        return NO_LIMIT_SEEN;
      }
    },
    keep(of, seen) {
      const learned_at = now();
      store
        .write(() => {
          // Keeps what another process has learned meanwhile.
          put.run(rowOfLimit(of, limitOfBoth(seen, read(of)), learned_at));
          dropOldest.run({ most: KEPT_MAX });
        })
        .catch((cause: unknown) =>
          log("warn", "learned input limit cannot be written to the database", {
            cause: String(cause),
          }),
        );
    },
    notices: (config) =>
      limitNotices(
        store.read(() => cuts.all()),
        config,
      ),
    async forget(space) {
      await store.write(() => drop.run({ space }));
    },
  };
}

export const limitSeen = ({ max_input_tokens, learned_by, whole_to }: LimitRow): LimitSeen => ({
  tokens: max_input_tokens === null ? undefined : Number(max_input_tokens),
  learnedBy: learned_by,
  wholeTo: Number(whole_to),
});

/** A limit as a database row. */
export const rowOfLimit = (
  { provider, model, configuration, space }: LimitOf & { readonly space: string },
  { tokens, learnedBy, wholeTo }: LimitSeen,
  at: number,
) => ({
  provider,
  model,
  configuration,
  space,
  max_input_tokens: tokens ?? null,
  learned_by: learnedBy,
  whole_to: Math.min(wholeTo, Number.MAX_SAFE_INTEGER),
  learned_at: at,
});

/** Notices for servers that truncate silently, if the routing file has not changed their route since. */
export function limitNotices(rows: readonly LimitRow[], config: GatewayConfig): readonly SpaceNotice[] {
  return rows
    .filter(({ provider, model, configuration, learned_by, max_input_tokens }) => {
      if (learned_by === "words" || max_input_tokens === null) return false;
      const configured = config.providers.get(provider);
      return configured && configurationOf(config, configured, model) === configuration;
    })
    .map(({ space, provider, model, max_input_tokens }) => ({
      space,
      provider,
      model,
      cosine: 1,
      out_of_service: false,
      message: cutsTexts(Number(max_input_tokens), space),
    }));
}

/** Secret options do not affect the model, and no hash of them is kept. */
const SECRET = /key|token|secret|password|headers/i;

/** A hash of what the routing file says about a model at a provider. */
export function configurationOf(
  { models }: Pick<GatewayConfig, "models">,
  { name, provider, options }: Pick<ConfiguredProvider, "name" | "provider" | "options">,
  model: string,
): string {
  const routed = [...models.values()].flatMap(({ facts, routes }) =>
    routes.some((route) => route.provider === name && (route.model === model || route.model.includes("*")))
      ? [facts]
      : [],
  );
  const own = Object.entries(Object(options)).filter(([key]) => !SECRET.test(key));
  const text = JSON.stringify([provider.id, own, routed]);
  return new Bun.CryptoHasher("sha256").update(text).digest("hex");
}

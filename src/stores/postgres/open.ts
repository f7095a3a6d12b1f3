/**
 * The storage in one PostgreSQL database, for the processes of many machines: opens the pool, the mirror, and the parts that use them.
 */
import { hostname } from "node:os";
import packageJson from "../../../package.json";
import { ACTORS } from "../../books/audit";
import { OWN_WORKSPACE } from "../../books/ledger";
import { sessionsOn } from "../../callers/sessions";
import type { PostgresConfig } from "../../config/gateway-config";
import { GatewayError } from "../../domain/errors";
import type { Outside } from "../../domain/outside";
import type { Stores } from "../stores";
import { addressOf, placeOf } from "./address";
import { openPostgresAudit } from "./audit";
import { openPostgresBatchRecords } from "./batch-records";
import { createClock } from "./clock";
import { createKnownSpaces, forgetPostgresSpace, openPostgresFingerprints } from "./fingerprints";
import { createInstance, routingFilesDiffer } from "./instance";
import { createKnownKeys, openPostgresKeys } from "./keys";
import { openPostgresLedger } from "./ledger";
import { createKnownLimits, openPostgresLimits } from "./limits";
import { listenForChanges } from "./listening";
import { migrate } from "./migrate";
import { createMirror } from "./mirror";
import { createPool } from "./pool";
import { openPostgresRecords } from "./records";
import { openPostgresRegrouping } from "./regrouping";
import { openPostgresRequestPages } from "./request-pages";
import { openPostgresRequests } from "./requests";
import { openPostgresSeries } from "./series";
import { postgresSessions } from "./sessions";
import { openSpool } from "./spool";
import { spoolingLedger } from "./spooling";
import { openPostgresStatements } from "./statements";
import { keepSummed } from "./summing";
import { openPostgresTrimming } from "./trimming";
import { openPostgresUpstreamRecords } from "./upstream-batches";
import { openPostgresWorkspaceNames } from "./workspace-names";
import { createKnownWorkspaces, openPostgresWorkspaces } from "./workspaces";

export interface Opening {
  /** Left out where this process does not serve. A serving one begins rows, and `fenced` is called if others take it for dead. */
  readonly serves?: { readonly process: string | null; readonly fenced: () => void };
  /** A test's clock, in place of the database's. */
  readonly clock?: () => number;
}

const NAME_BYTES = 6;
const SIZE = `SELECT coalesce(sum(pg_total_relation_size(c.oid)), 0)::bigint AS bytes FROM pg_catalog.pg_class c
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = $1 AND c.relkind = 'r'`;
/** While rows are spooled, keys and settings may be this old. */
const SPOOL_MS_MAX = 3_600_000;

/**
 * @param files the path that the names of this machine's own files begin with
 * @throws GatewayError database_unavailable | ledger_unavailable
 */
export async function openPostgres(
  config: PostgresConfig,
  files: string,
  outside: Outside,
  { serves, clock: fixed }: Opening = {},
): Promise<Stores> {
  const address = addressOf(config);
  const pool = createPool(address, config.maxConnections, outside);
  const clock = createClock(outside, fixed);
  const isWithin = (ms: number, since: number | undefined) =>
    since !== undefined && outside.monotonic() - since <= ms;
  const keys = createKnownKeys();
  const workspaces = createKnownWorkspaces();
  const spaces = createKnownSpaces();
  const limits = createKnownLimits();
  const mirror = createMirror(pool, [...keys.parts, workspaces, spaces, limits], {
    ...outside,
    clock,
    mayBeOld: () => config.onOutage === "spool" && isWithin(SPOOL_MS_MAX, pool.downSince()),
  });
  const instance = createInstance(
    serves?.process ?? outside.randomBytes(NAME_BYTES).toHex(),
    {
      machine: hostname(),
      version: packageJson.version,
      connections: config.maxConnections + (config.prepare ? 1 : 0),
    },
    pool,
    outside,
    serves?.fenced ?? (() => undefined),
  );
  const base = { pool, clock };
  let stopListening: () => void = () => undefined;
  let stopSumming: () => void = () => undefined;
  try {
    await migrate(pool, config.schema, outside.monotonic);
    await mirror.start();
    if (serves) await instance.join();
    if (serves) stopSumming = keepSummed(pool, outside);
    if (serves && config.prepare) stopListening = listenForChanges(address, mirror.hint, outside);
  } catch (cause) {
    mirror.stop();
    pool.close();
    throw cannotUse(config.url, cause);
  }
  return {
    openKeys: () => openPostgresKeys(base, mirror, keys, outside),
    openWorkspaces: (defaults) => openPostgresWorkspaces(base, mirror, workspaces, defaults, outside),
    openWorkspaceNames: () => openPostgresWorkspaceNames(base, mirror),
    openLedger(_, configuredModel = () => undefined) {
      const ledger = openPostgresLedger(
        base,
        instance,
        workspaces,
        configuredModel,
        outside,
        serves && config.creditLease,
      );
      if (config.onOutage !== "spool" || serves === undefined) return ledger;
      const spool = openSpool(files, instance.id);
      return spoolingLedger(ledger, { pool, spool, instance, workspaces, path: files, outside });
    },
    openStatements: () => openPostgresStatements(pool),
    openRequestPages: () => openPostgresRequestPages(pool),
    openSeries: () => openPostgresSeries(pool, OWN_WORKSPACE),
    openRegrouping: () => openPostgresRegrouping(pool),
    openTrimming: (keep) => openPostgresTrimming(base, keep),
    openAudit: () => openPostgresAudit(pool),
    openSessions: () => sessionsOn(postgresSessions(base), outside),
    forgetSpace: (space, actor = ACTORS.commandLine) => forgetPostgresSpace(base, mirror, space, actor),
    async size() {
      const [row] = await pool.run(({ query }) => query<{ readonly bytes: bigint }>(SIZE, [config.schema]));
      return Number(row?.bytes ?? 0n);
    },
    openRequests: () => openPostgresRequests(pool),
    openBatchRecords: () => openPostgresBatchRecords(base),
    openUpstreamRecords: () => openPostgresUpstreamRecords(pool),
    openFingerprints: () => openPostgresFingerprints(base, mirror, spaces),
    openRecords: () => openPostgresRecords(pool),
    openLimits: () => openPostgresLimits(base, mirror, limits, outside),
    connections: pool.figures,
    machines: { serving: instance.serving, notices: () => routingFilesDiffer(instance.seen()) },
    check() {
      instance.assertAlive();
      mirror.assertFresh();
    },
    async close() {
      stopListening();
      stopSumming();
      mirror.stop();
      await instance.leave().catch(() => undefined);
      pool.close();
    },
  };
}

/** Names the host, as it is for the operator; a 503 for callers never does. */
function cannotUse(url: string, cause: unknown): GatewayError {
  const reason = cause instanceof GatewayError ? (cause.logged ?? cause.message) : String(cause);
  return new GatewayError("database_unavailable", `The database ${placeOf(url)} cannot be used: ${reason}`, {
    cause,
  });
}

/** The gateway that `embedgate embed` calls: the one at --url; otherwise the routing file's, opened in this process beside a running one. */
import { existsSync } from "node:fs";
import { DEFAULT_WORKSPACE } from "../callers/keys";
import type { GatewayConfig } from "../config/gateway-config";
import { GatewayError } from "../domain/errors";
import type { Outside } from "../domain/outside";
import { createGateway } from "../gateway";
import { openBatched } from "../jobs/batched";
import { openInside } from "../jobs/inside";
import type { Asked, Sender } from "../jobs/sender";
import { clientOf, openThrough } from "../jobs/through";
import { ASIDE, configured } from "../serving/configured";
import { makeRoomForFetches } from "../serving/fetch-limit";
import { ALONE } from "../sharing/place";
import { databaseName } from "../stores/open";
import { WrongUsage } from "../terminal/wrong-usage";

export interface Where {
  readonly url?: string;
  readonly key?: string;
  readonly config?: string;
  readonly workspace?: string;
  readonly via?: "live" | "batch";
}

export interface Opened {
  readonly sender: Sender;
  /** The run's name in the ledger. */
  readonly run: string;
}

/**
 * @param before names of runs that may have been killed: their holds on credits are released
 * @returns undefined if the routing file is invalid; the errors have been printed
 */
export async function openSender(
  where: Where,
  asked: Asked,
  before: readonly string[],
  outside: Outside,
): Promise<Opened | undefined> {
  const run = `embed-${process.pid}-${outside.randomBytes(4).toHex()}`;
  if (where.url !== undefined) {
    const base = baseOf(where.url);
    if (where.config !== undefined || where.workspace !== undefined)
      throw new WrongUsage("--url: the gateway there has its own routing file and workspaces.");
    const key = where.key ?? outside.environment.EMBEDGATE_KEY;
    const sender = await openThrough(base, key, asked, outside);
    return {
      sender:
        where.via === "batch" ? openBatched(sender, clientOf(base, key, outside), asked, outside) : sender,
      run,
    };
  }
  if (where.key !== undefined)
    throw new WrongUsage("--key: requires --url, the gateway that accepts the key.");
  if (where.via === "batch")
    throw new WrongUsage("--via batch: requires --url, a gateway that runs batches.");
  const config = await configured(where.config, { notes: false });
  if (!config) return undefined;
  makeRoomForFetches(config);
  const { path, postgres } = config.database;
  const isThere = postgres !== undefined || existsSync(path);
  console.error(`database: ${databaseName(config.database)}${isThere ? "" : " (new)"}`);
  const gateway = await createGateway(
    forJob(config),
    outside,
    { ...ALONE, process: run, begins: false },
    ASIDE,
  );
  try {
    const workspace = where.workspace ?? DEFAULT_WORKSPACE;
    if (workspace !== DEFAULT_WORKSPACE && !gateway.workspaces.exists(workspace))
      throw new GatewayError("invalid", `There is no workspace "${workspace}".`);
    for (const name of before) await gateway.ledger.settleInterrupted(name);
    const inside = {
      embed: gateway.embed,
      routes: gateway.routes,
      policies: config,
      caller: { workspace, keyId: null },
      close: () => gateway.close(),
    };
    return { sender: openInside(inside, asked, outside), run };
  } catch (thrown) {
    await gateway.close();
    if (!(thrown instanceof GatewayError && thrown.kind === "unknown_model")) throw thrown;
    throw new GatewayError(
      "unknown_model",
      `The routing file has no model ${asked.model}: 'embedgate models' lists its models.`,
    );
  }
}

/** Like OpenAI's SDKs, with /v1; for a host without a path /v1 is added. @throws WrongUsage */
function baseOf(text: string): URL {
  const url = URL.parse(text);
  if (!url || !/^https?:$/.test(url.protocol))
    throw new WrongUsage(`--url: "${text}" is not an http or https URL.`);
  if (url.username !== "" || url.password !== "")
    throw new WrongUsage("--url: it contains a user name or password; pass the key with --key.");
  if (/^\/*$/.test(url.pathname)) url.pathname = "/v1";
  url.pathname = url.pathname.replace(/\/embeddings\/*$/, "");
  return url;
}

/** A job opens no port, and each of its texts comes once: memory for a cache would be wasted. */
function forJob(config: GatewayConfig): GatewayConfig {
  const { server, cache } = config;
  return {
    ...config,
    server: { ...server, host: "127.0.0.1" },
    cache: cache === false ? false : { ...cache, memory_mb: 1 },
  };
}

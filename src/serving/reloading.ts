/**
 * Reloads a running gateway when its routing file changed or on SIGHUP. An invalid file changes nothing: the previous one stays in use.
 */
import type { Loaded } from "../config/gateway-config";
import { formatProblem, type Problem } from "../config/problem";
import { GatewayError } from "../domain/errors";
import type { Gateway } from "../gateway";
import { realOutside } from "../network/real-outside";
import { follow } from "./following";

interface Reloaded {
  readonly models: number;
  /** Notes about the file. */
  readonly notes: readonly Problem[];
  /** Keys that take effect only after a restart. */
  readonly afterRestart: readonly string[];
}

/** Signals often come several at a time: those within this time count as one. */
const SETTLE_MS = 100;

/**
 * Calls `reload` for each change of the files and each SIGHUP.
 * @param files absolute: the routing file and the files that it names, each with the state in which it was read; none without a routing file: SIGHUP only
 * @param reload can ask whether a later change has superseded this one
 * @returns a function that stops it
 */
export function reloadOnChange(
  files: () => ReadonlyMap<string, string>,
  reload: (isLatest: () => boolean) => Promise<void>,
): () => void {
  let pending = 0;

  async function settleAndReload(): Promise<void> {
    pending += 1;
    const mine = pending;
    const isLatest = () => mine === pending;
    await realOutside.sleep(SETTLE_MS);
    if (isLatest()) await reload(isLatest);
  }

  const start = () => {
    settleAndReload().catch((cause: unknown) =>
      realOutside.log(
        "error",
        "config reload failed for another reason: keeping the previous configuration",
        { cause: String(cause) },
      ),
    );
  };
  process.on("SIGHUP", start);
  const following = follow(files, start, realOutside);
  return () => {
    process.off("SIGHUP", start);
    following.stop();
  };
}

/**
 * @param load loads the current routing file
 * @returns whether it is valid; a superseded change counts as valid
 */
export async function reloadGateway(
  gateway: Gateway,
  load: () => Promise<Loaded>,
  isLatest: () => boolean,
): Promise<boolean> {
  const next = await load();
  if (!isLatest()) return true;
  if (!next.ok) {
    tellWrong(next);
    return false;
  }
  let afterRestart: readonly string[];
  try {
    afterRestart = gateway.reload(next.config);
  } catch (thrown) {
    if (!(thrown instanceof GatewayError)) throw thrown;
    tellWrong({ reason: thrown.message });
    return false;
  }
  tellReloaded({ models: gateway.routes().list().length, notes: next.notes, afterRestart });
  return true;
}

interface Wrong {
  /** What is wrong with the file. */
  readonly problems?: readonly Problem[];
  /** Why a valid file was refused. */
  readonly reason?: string;
}

export function tellWrong({ problems, reason }: Wrong): void {
  realOutside.log("error", "config reload failed: keeping the previous configuration", {
    ...(problems && { problems: problems.map(formatProblem) }),
    ...(reason !== undefined && { reason }),
  });
}

export function tellReloaded({ models, notes, afterRestart }: Reloaded): void {
  const noted = notes.length > 0 ? { notes: notes.map(formatProblem) } : {};
  realOutside.log("info", "config reloaded", { models, ...noted });
  if (afterRestart.length === 0) return;
  realOutside.log("warn", "config reloaded, but some changes need a restart", { keys: afterRestart });
}

/**
 * The checks of `embedgate check` on what machines share: whether the servers of `shared` answer and have a suitable eviction policy, and whether
 * a gateway has used the folder of files. They are notes, not problems: a gateway starts without them, and the machine that checks a file may not
 * reach them.
 */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { MARKER } from "../batches/folder";
import type { GatewayConfig } from "../config/gateway-config";
import type { Problem } from "../config/problem";
import { realOutside } from "../network/real-outside";
import type { Use } from "../valkey/link";
import { addressOf } from "../valkey/open";
import { policyWarning } from "../valkey/policy";

/** For all checks of one server together. */
const ANSWER_MS = 2_000;

export async function sharedNotes(config: GatewayConfig): Promise<readonly Problem[]> {
  return [...folderNotes(config), ...(await serverNotes(config))];
}

/** Only for a shared database: with a database of its own the gateway creates the folder beside it. */
function folderNotes({ file, database, batchFiles }: GatewayConfig): readonly Problem[] {
  if (database.postgres === undefined || batchFiles === undefined) return [];
  if (existsSync(join(batchFiles.folder, MARKER))) return [];
  const message = `no gateway has stored a file in ${batchFiles.folder} yet, or it is not mounted here: all machines need the same folder`;
  return [{ file: file ?? "", line: 0, column: 0, path: "files.folder", message }];
}

async function serverNotes({ file, shared }: GatewayConfig): Promise<readonly Problem[]> {
  if (shared === undefined) return [];
  const uses: readonly (readonly [Use, string | undefined])[] = [
    ["limits", shared.limits],
    ["cache", shared.cache],
  ];
  const notes = await Promise.all(
    uses.map(async ([use, url]) => {
      const message = url === undefined ? undefined : await warningOf(use, url);
      return message === undefined
        ? []
        : [{ file: file ?? "", line: 0, column: 0, path: `shared (${use})`, message }];
    }),
  );
  return notes.flat();
}

async function warningOf(use: Use, url: string): Promise<string | undefined> {
  const client = await realOutside.valkey?.(url);
  if (client === undefined) return undefined;
  const { promise: late, reject } = Promise.withResolvers<never>();
  const callOff = realOutside.alarm(ANSWER_MS, () => reject(new Error(`no answer within ${ANSWER_MS} ms`)));
  try {
    await Promise.race([client.begun, late]);
    const info = await Promise.race([client.call("INFO", ["memory"]), late]);
    return info instanceof Uint8Array ? policyWarning(use, Buffer.from(info).toString()) : undefined;
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    return `${addressOf(url)} does not answer: ${reason}. The gateway starts without it, and each machine works on its own`;
  } finally {
    callOff();
    client.close();
  }
}

/**
 * The checks of `embedgate check` on the servers of `shared`: whether they answer, and whether their eviction policy suits their use.
 * They are notes, not problems: a gateway starts without these servers, and they may be unreachable from where a file is checked.
 */
import type { GatewayConfig } from "../config/gateway-config";
import type { Problem } from "../config/problem";
import { realOutside } from "../network/real-outside";
import type { Use } from "../valkey/link";
import { addressOf } from "../valkey/open";
import { policyWarning } from "../valkey/policy";

/** For all checks of one server together. */
const ANSWER_MS = 2_000;

export async function sharedNotes({ file, shared }: GatewayConfig): Promise<readonly Problem[]> {
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
    return `${addressOf(url)} does not answer: ${reason}. The gateway starts without it, and each machine goes on by itself`;
  } finally {
    callOff();
    client.close();
  }
}

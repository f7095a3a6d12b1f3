/**
 * A script that the server runs atomically: named by its hash, and sent in full to a server that does not know it (yet, or after a restart).
 * A new script is a constant in the file that runs it, made by `script`.
 */
import { type Argument, RefusedByServer, type Reply, type ValkeyClient } from "../domain/valkey";

export interface Script {
  readonly lua: string;
  /** The hash of its text, by which the server names it. */
  readonly sha1: string;
}

export const script = (lua: string): Script => ({
  lua,
  sha1: new Bun.CryptoHasher("sha1").update(lua).digest("hex"),
});

/** @param keys of one hash slot, as a cluster requires @throws like ValkeyClient.call */
export async function runScript(
  client: Pick<ValkeyClient, "call">,
  { lua, sha1 }: Script,
  keys: readonly string[],
  args: readonly Argument[],
): Promise<Reply> {
  const rest = [keys.length, ...keys, ...args];
  try {
    return await client.call("EVALSHA", [sha1, ...rest]);
  } catch (error) {
    if (!(error instanceof RefusedByServer) || !error.message.startsWith("NOSCRIPT")) throw error;
    return client.call("EVAL", [lua, ...rest]);
  }
}

/**
 * Marks on a shared server: a machine marks a vector that it is fetching, and the others may wait for it. A mark lives for two seconds and is renewed
 * as long as its request lives, so the mark of a dead machine does not block others for longer. Without the server nobody waits.
 * A mark is only a hint: it must never decide who pays.
 */
import type { Outside } from "../domain/outside";
import type { Reply } from "../domain/valkey";
import type { Link } from "../valkey/link";
import { script } from "../valkey/script";
import type { CacheKey } from "./entry";
import { inCommands, listOf, type Placed } from "./shared-places";

export interface SharedMarks {
  /** @returns the keys that another process has marked, or whose vectors have arrived meanwhile */
  claim(places: readonly Placed[]): Promise<ReadonlySet<CacheKey>>;
  /** Removes this process's own marks on these keys. */
  release(keys: Iterable<CacheKey>): Promise<void>;
  close(): void;
}

const LIVES_MS = 2_000;
const RENEWED_EVERY_MS = 600;
const KEYS_A_COMMAND = 256;

/** KEYS: the marks, then their vectors. Our own mark is no reason to wait: an abandoned request of this process may have left it. */
const CLAIM = script(`
local own = {}
local count = #KEYS / 2
for i = 1, count do
  local holder = redis.call('GET', KEYS[i])
  if (not holder or holder == ARGV[1]) and redis.call('EXISTS', KEYS[count + i]) == 0 then
    redis.call('SET', KEYS[i], ARGV[1], 'PX', ARGV[2])
    own[i] = 1
  else
    own[i] = 0
  end
end
return own
`);

const RENEW = script(`
for _, key in ipairs(KEYS) do
  if redis.call('GET', key) == ARGV[1] then redis.call('PEXPIRE', key, ARGV[2]) end
end
return 1
`);

const RELEASE = script(`
for _, key in ipairs(KEYS) do
  if redis.call('GET', key) == ARGV[1] then redis.call('DEL', key) end
end
return 1
`);

export function openSharedMarks(
  link: Link,
  { alarm, randomBytes }: Pick<Outside, "alarm" | "randomBytes">,
): SharedMarks {
  const holder = randomBytes(16).toHex();
  const held = new Map<CacheKey, Placed>();
  let callOff: (() => void) | undefined;

  const run = (of: typeof RENEW, places: readonly Placed[]) =>
    Promise.all(
      inCommands(places, KEYS_A_COMMAND).map((some) =>
        link.run(
          of,
          some.map(({ mark }) => mark),
          [holder, LIVES_MS],
          readDone,
        ),
      ),
    );

  function renewLater(): void {
    callOff ??= alarm(RENEWED_EVERY_MS, async () => {
      callOff = undefined;
      if (held.size === 0) return;
      // Before the answer arrives: a mark that was removed meanwhile must not be set again.
      renewLater();
      await run(RENEW, [...held.values()]);
    });
  }

  return {
    async claim(places) {
      const others = new Set<CacheKey>();
      await Promise.all(
        inCommands(places, KEYS_A_COMMAND).map(async (some) => {
          const keys = [...some.map(({ mark }) => mark), ...some.map(({ value }) => value)];
          const own = await link.run(CLAIM, keys, [holder, LIVES_MS], listOf(some.length));
          if (own === undefined) return;
          for (const [i, placed] of some.entries()) {
            if (own[i] === 1) held.set(placed.key, placed);
            else others.add(placed.key);
          }
        }),
      );
      if (held.size > 0) renewLater();
      return others;
    },
    async release(keys) {
      const own: Placed[] = [];
      for (const key of keys) {
        const placed = held.get(key);
        if (placed && held.delete(key)) own.push(placed);
      }
      if (own.length > 0) await run(RELEASE, own);
    },
    close() {
      held.clear();
      callOff?.();
    },
  };
}

const readDone = (reply: Reply) => (reply === 1 ? true : undefined);

/**
 * Marks on a shared server: this machine is having that vector embedded, the others may wait for it. A mark lives for two seconds and is renewed
 * for as long as its request is; so one whose machine has ended is in nobody's way for longer. Without the server nobody is waited for.
 * A mark is only ever a hint: what it must not decide is who pays.
 */
import type { Outside } from "../domain/outside";
import type { Reply } from "../domain/valkey";
import type { Link } from "../valkey/link";
import { script } from "../valkey/script";
import type { CacheKey } from "./entry";
import { inCommands, listOf, type Placed } from "./shared-places";

export interface SharedMarks {
  /** @returns those that another process has marked, or that have come meanwhile */
  claim(places: readonly Placed[]): Promise<ReadonlySet<CacheKey>>;
  /** Takes those of them away that are this process's own. */
  release(keys: Iterable<CacheKey>): Promise<void>;
  close(): void;
}

const LIVES_MS = 2_000;
const RENEWED_EVERY_MS = 600;
const KEYS_A_COMMAND = 256;

/** KEYS: the marks, and then their vectors. One's own is no reason to wait: a request of this process that was given up may have left it. */
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
      // Before the answer: a mark that has ended meanwhile must not be set again.
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

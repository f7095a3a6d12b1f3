/**
 * What the machines share four times a second: that they are alive, and which routes have a pause after a 429, and until when. The
 * server's clock decides, because the machines' clocks may differ. Without an answer, the last known state applies.
 * A further thing to share is a key of the script's.
 */
import type { Outside } from "../domain/outside";
import type { Reply } from "../domain/valkey";
import type { Link } from "./link";
import type { Names } from "./names";
import { script } from "./script";

const EVERY_MS = 250;
/** A machine that is silent for this long has ended. */
const SILENT_MS = 15_000;
/** A pause that would end before the others learn of it is not published. */
const TOLD_MS_MIN = 100;

const PULSE = script(`
local time = redis.call('TIME')
local at = time[1] * 1000 + math.floor(time[2] / 1000)
redis.call('ZADD', KEYS[1], at, ARGV[1])
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', at - ARGV[2])
local answer = {redis.call('ZCARD', KEYS[1])}
local rests = redis.call('HGETALL', KEYS[2])
for i = 1, #rests, 2 do
  local left = tonumber(rests[i + 1]) - at
  if left > 0 then
    answer[#answer + 1] = rests[i]
    answer[#answer + 1] = left
  else
    redis.call('HDEL', KEYS[2], rests[i])
  end
end
return answer
`);

const REST = script(`
local time = redis.call('TIME')
local till = time[1] * 1000 + math.floor(time[2] / 1000) + ARGV[2]
local before = tonumber(redis.call('HGET', KEYS[1], ARGV[1]) or '0')
if till > before then redis.call('HSET', KEYS[1], ARGV[1], string.format('%.0f', till)) end
return 1
`);

export interface Pulse {
  /** The living machines; undefined until the first answer. */
  machines(): number | undefined;
  /** Until when a route has a pause, as reported by any machine, on the monotonic clock; 0: it has none. @param account of src/upstream/rests.ts */
  restsUntil(account: string): number;
  /** Publishes a pause. @param until on the monotonic clock too */
  rest(account: string, until: number): void;
  close(): Promise<void>;
}

/** @param machine the same for all processes of one machine */
export function openPulse(
  link: Link,
  names: Names,
  machine: string,
  { alarm, monotonic }: Pick<Outside, "alarm" | "monotonic">,
): Pulse {
  let machines: number | undefined;
  let rests = new Map<string, number>();
  let callOff = () => {};
  let isOver = false;
  /** Names are keyed hashes: computed once for each route. */
  const known = new Map<string, string>();

  function nameOf(account: string): string {
    let name = known.get(account);
    if (name === undefined) {
      name = names.route(account);
      if (known.size >= NAMES_MAX) known.clear();
      known.set(account, name);
    }
    return name;
  }

  async function beat(): Promise<void> {
    const answer = await link.run(PULSE, [names.machines, names.rests], [machine, SILENT_MS], readPulse);
    if (isOver) return;
    if (answer) {
      machines = answer.machines;
      rests = new Map(answer.rests.map(([name, left]) => [name, monotonic() + left]));
    }
    callOff = alarm(EVERY_MS, () => void beat());
  }

  void link.begun.then(() => (isOver ? undefined : beat()));
  return {
    machines: () => machines,
    restsUntil: (account) => rests.get(nameOf(account)) ?? 0,
    rest(account, until) {
      const left = Math.ceil(until - monotonic());
      if (left >= TOLD_MS_MIN) void link.run(REST, [names.rests], [nameOf(account), left], readDone);
    },
    async close() {
      isOver = true;
      callOff();
      // A machine that shuts down releases its share to the others at once.
      await link.call("ZREM", [names.machines, machine], readDone);
    },
  };
}

const NAMES_MAX = 10_000;

const readDone = (reply: Reply) => (typeof reply === "number" ? reply : undefined);

function readPulse(
  reply: Reply,
): { readonly machines: number; readonly rests: readonly (readonly [string, number])[] } | undefined {
  if (!Array.isArray(reply)) return undefined;
  const [machines, ...pairs]: readonly Reply[] = reply;
  if (typeof machines !== "number" || pairs.length % 2 !== 0) return undefined;
  const rests: (readonly [string, number])[] = [];
  for (let i = 0; i < pairs.length; i += 2) {
    const [name, left] = [pairs[i], pairs[i + 1]];
    if (!(name instanceof Uint8Array) || typeof left !== "number") return undefined;
    rests.push([Buffer.from(name).toString(), left]);
  }
  return { machines, rests };
}

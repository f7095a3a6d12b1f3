/**
 * What is known of each target in each space, and when it is to be looked at again.
 */

export type Named = { readonly provider: { readonly name: string }; readonly model: string };

export interface Standing {
  verdict: "unmeasured" | "agrees" | "differs";
  /** Since the start: what differs now was changed. */
  hasAgreed: boolean;
  /** Of the last attempt, successful or not; undefined before the first. */
  triedAt: number | undefined;
  failures: number;
  /** While it is being measured. */
  underWay: Promise<void> | undefined;
}

export interface Standings {
  of(space: string, target: Named): Readonly<Standing>;
  toChange(space: string, target: Named): Standing;
  /** All that was found by the space's fingerprint of before. */
  forget(space: string): void;
}

const UNMEASURED: Readonly<Standing> = {
  verdict: "unmeasured",
  hasAgreed: false,
  triedAt: undefined,
  failures: 0,
  underWay: undefined,
};

/** Under a pattern callers choose the ids: what was looked at long ago is forgotten, and looked at again. */
const REMEMBERED_MAX = 10_000;

export function remember<Value>(map: Map<string, Value>, key: string, value: Value): void {
  map.set(key, value);
  const [oldest] = map.keys();
  if (map.size > REMEMBERED_MAX && oldest !== undefined) map.delete(oldest);
}

export function createStandings(): Standings {
  const standings = new Map<string, Standing>();
  const keyOf = (space: string, { provider, model }: Named) => `${space}\n${provider.name}\n${model}`;
  return {
    of: (space, target) => standings.get(keyOf(space, target)) ?? UNMEASURED,
    toChange(space, target) {
      const standing = standings.get(keyOf(space, target)) ?? { ...UNMEASURED };
      remember(standings, keyOf(space, target), standing);
      return standing;
    },
    forget(space) {
      for (const [key, standing] of standings) {
        if (!key.startsWith(`${space}\n`)) continue;
        standing.verdict = "unmeasured";
        standing.hasAgreed = false;
        standing.triedAt = undefined;
      }
    },
  };
}

const AGAIN_AFTER_MS = 30_000;
const AGAIN_AFTER_MS_MAX = 600_000;

/** @param now on the monotonic clock */
export function isDue(
  { verdict, triedAt, failures }: Readonly<Standing>,
  everyMs: number,
  now: number,
): boolean {
  if (triedAt === undefined) return true;
  const again = Math.min(AGAIN_AFTER_MS * 2 ** Math.max(0, failures - 1), AGAIN_AFTER_MS_MAX);
  const wait = verdict === "agrees" && failures === 0 ? everyMs : Math.min(again, everyMs);
  return now - triedAt >= wait;
}

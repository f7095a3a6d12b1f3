/**
 * What is known about each target in each space, and when it must be checked again.
 */

export type Named = { readonly provider: { readonly name: string }; readonly model: string };

export interface Standing {
  verdict: "unmeasured" | "agrees" | "differs";
  /** Whether it has agreed since the start: a difference now means that it was changed. */
  hasAgreed: boolean;
  /** The time of the last attempt, successful or not; undefined before the first. */
  triedAt: number | undefined;
  failures: number;
  /** Answers since the last quick check, and when that was; undefined: none yet. */
  answers: number;
  checkedAt: number | undefined;
  /** When its vectors last agreed, in milliseconds since 1970; undefined: not since the start. */
  agreedAt: number | undefined;
  /** Set while the target is being measured. */
  underWay: Promise<void> | undefined;
}

export interface Standings {
  of(space: string, target: Named): Readonly<Standing>;
  toChange(space: string, target: Named): Standing;
  /** Only of a target that has been tried. */
  known(space: string, target: Named): Standing | undefined;
  /** Forgets all results for the space's old fingerprint. */
  forget(space: string): void;
}

const UNMEASURED: Readonly<Standing> = {
  verdict: "unmeasured",
  hasAgreed: false,
  triedAt: undefined,
  failures: 0,
  answers: 0,
  checkedAt: undefined,
  agreedAt: undefined,
  underWay: undefined,
};

/** Callers choose the ids under a pattern, so the oldest results are forgotten, and those targets are checked again. */
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
    known: (space, target) => standings.get(keyOf(space, target)),
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

/**
 * The time of the database, for what several machines must agree on: days, months, and until when a rotated secret works. In SQL it is
 * `now()`; where this process needs it, it is derived from the database's last reply.
 */

export interface DatabaseClock {
  /** Milliseconds since 1970, by the database. */
  now(): number;
  /** What a statement is given as its `at`: null, so that the database takes its own time; a test's clock where there is one. */
  at(): number | null;
  /** The database has just reported its time. @param asked when it was asked, on the monotonic clock */
  heard(now: number, asked: number): void;
}

/** Of a statement's parameter: the time in milliseconds since 1970. */
export const timeOf = (parameter: string) =>
  `coalesce(${parameter}::bigint, (extract(epoch FROM now()) * 1000)::bigint)`;

/** @param fixed a test's clock */
export function createClock(
  { now, monotonic }: { readonly now: () => number; readonly monotonic: () => number },
  fixed?: () => number,
): DatabaseClock {
  let offset = now() - monotonic();
  return {
    now: fixed ?? (() => monotonic() + offset),
    at: fixed ?? (() => null),
    heard(said, asked) {
      // Accurate to a round trip, which is enough here.
      offset = said - (asked + monotonic()) / 2;
    },
  };
}

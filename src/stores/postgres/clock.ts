/**
 * The database's time, for what several machines must agree on: days, months, and when a rotated secret expires. SQL uses `now()`; this
 * process estimates it from the database's last reply.
 */

export interface DatabaseClock {
  /** The database's time in milliseconds since 1970. */
  now(): number;
  /** The value of a statement's `at`: null, so that the database uses its own time; in a test with a clock, that clock's time. */
  at(): number | null;
  /** Called with each time that the database reports. @param asked when it was asked, on the monotonic clock */
  heard(now: number, asked: number): void;
}

/** SQL for a parameter's time, or the database's own where it is null; in milliseconds since 1970. */
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
      // Accurate to half a round trip, which is enough here.
      offset = said - (asked + monotonic()) / 2;
    },
  };
}

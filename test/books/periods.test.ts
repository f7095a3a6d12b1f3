/** Days and months of spending caps: where they start and end, in UTC and in time zones whose clocks jump. */
import { expect, test } from "bun:test";
import { isTimeZone, periodAt } from "../../src/books/periods";

test.each([
  ["UTC", "2026-11-28T23:59:59.999Z", "2026-11-28", "2026-11-29T00:00:00Z", "2026-12-01T00:00:00Z"],
  ["UTC", "2026-12-31T12:00:00Z", "2026-12-31", "2027-01-01T00:00:00Z", "2027-01-01T00:00:00Z"],
  ["UTC", "2028-02-29T00:00:00Z", "2028-02-29", "2028-03-01T00:00:00Z", "2028-03-01T00:00:00Z"],
  ["Europe/Berlin", "2026-11-28T23:30:00Z", "2026-11-29", "2026-11-29T23:00:00Z", "2026-11-30T23:00:00Z"],
  // The clock goes forward one hour, and back: days of 23 and of 25 hours.
  ["Europe/Berlin", "2027-03-27T23:00:00Z", "2027-03-28", "2027-03-28T22:00:00Z", "2027-03-31T22:00:00Z"],
  ["Europe/Berlin", "2026-10-24T22:00:00Z", "2026-10-25", "2026-10-25T23:00:00Z", "2026-10-31T23:00:00Z"],
  ["Pacific/Auckland", "2026-11-30T12:00:00Z", "2026-12-01", "2026-12-01T11:00:00Z", "2026-12-31T11:00:00Z"],
  ["Asia/Kathmandu", "2026-11-28T18:15:00Z", "2026-11-29", "2026-11-29T18:15:00Z", "2026-11-30T18:15:00Z"],
  ["America/New_York", "2026-11-01T03:59:00Z", "2026-10-31", "2026-11-01T04:00:00Z", "2026-11-01T04:00:00Z"],
  // Midnight itself does not exist on the day on which the clock goes forward.
  ["Africa/Cairo", "2026-04-23T21:30:00Z", "2026-04-23", "2026-04-23T22:00:00Z", "2026-04-30T21:00:00Z"],
])("%s, %s", (zone, at, day, dayEnds, monthEnds) => {
  const period = periodAt(Date.parse(at), zone);
  expect(period.day).toBe(day);
  expect(period.monthBegins).toBe(`${day.slice(0, 8)}01`);
  expect([period.dayEndsAt, period.monthEndsAt()].map((moment) => new Date(moment).toISOString())).toEqual(
    [dayEnds, monthEnds].map((moment) => new Date(moment).toISOString()),
  );
  expect(periodAt(period.dayEndsAt - 1, zone).day).toBe(day);
  expect(periodAt(period.dayEndsAt, zone).day > day).toBe(true);
});

test("time zones are those of the IANA database", () => {
  expect(["UTC", "Europe/Berlin", "America/Argentina/Buenos_Aires"].map(isTimeZone)).toEqual([
    true,
    true,
    true,
  ]);
  expect(["", "Berlin", "Europe/Nowhere", "../etc"].map(isTimeZone)).toEqual([false, false, false, false]);
});

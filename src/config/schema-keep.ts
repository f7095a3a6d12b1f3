/**
 * The routing file's `keep`: how long the database keeps each kind of data. Daily sums are kept for ever, so that invoices stay.
 * A new key is a line here with its description, and one of `keepOf`.
 */
import { type Static, Type } from "@sinclair/typebox";
import type { Keep } from "../books/trimming";
import { closed } from "./schema-values";

const days = (description: string) =>
  Type.String({
    pattern: "^[1-9][0-9]{0,4}d$",
    expected: "a number of days, such as 90d",
    description,
  });

export const KeepSection = Type.Object(
  {
    requests: Type.Optional(
      days(
        "Single requests in the ledger. Afterwards they become sums by day: invoices, histories and usage stay as they are. Left out: for ever.",
      ),
    ),
    minutes: Type.Optional(days("Sums by minute, for charts. Left out: 30d.")),
    hours: Type.Optional(days("Sums by hour, for charts; then they become sums by day. Left out: 400d.")),
  },
  {
    ...closed,
    description: "For how long the database keeps requests and sums. Sums by day are kept for ever.",
  },
);

const MINUTES_DAYS = 30;
const HOURS_DAYS = 400;

export function keepOf({ requests, minutes, hours }: Static<typeof KeepSection> = {}): Keep {
  const of = (text: string | undefined) => (text === undefined ? undefined : Number.parseInt(text, 10));
  return {
    requestsDays: of(requests),
    minutesDays: of(minutes) ?? MINUTES_DAYS,
    hoursDays: of(hours) ?? HOURS_DAYS,
  };
}

/** Months of invoices and sums, in UTC as the ledger has them. */
import { now } from "./browser";

/** The first moment of the month that is so many before this one. */
export function monthStart(before: number): Date {
  const today = new Date(now());
  return new Date(Date.UTC(today.getUTCFullYear(), today.getUTCMonth() - before, 1));
}

export const monthName = (at: Date) => at.toISOString().slice(0, 7);

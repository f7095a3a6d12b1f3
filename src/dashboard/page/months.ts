/** Months of invoices and sums, in UTC like the ledger. */
import { now } from "./browser";

/** The first moment of the month this many months ago. */
export function monthStart(before: number): Date {
  const today = new Date(now());
  return new Date(Date.UTC(today.getUTCFullYear(), today.getUTCMonth() - before, 1));
}

export const monthName = (at: Date) => at.toISOString().slice(0, 7);

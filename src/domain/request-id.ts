/**
 * The id of a request: clients get it as x-request-id, the log and the ledger have it. Its time is in front, so that ids grow: the
 * ledger's index of them is written at its end, a few pages for many rows, rather than a page for each row somewhere.
 */
import type { Outside } from "./outside";

const TIME_DIGITS = 12;
const RANDOM_BYTES = 10;
const SHAPE = new RegExp(`^req_([0-9a-f]{${TIME_DIGITS}})[0-9a-f]{${2 * RANDOM_BYTES}}$`);

export function newRequestId({ now, randomBytes }: Pick<Outside, "now" | "randomBytes">): string {
  return `req_${now().toString(16).padStart(TIME_DIGITS, "0")}${randomBytes(RANDOM_BYTES).toHex()}`;
}

/** @returns milliseconds since 1970; undefined for a text that is no such id */
export function timeOf(requestId: string): number | undefined {
  const [, digits] = SHAPE.exec(requestId) ?? [];
  return digits === undefined ? undefined : Number.parseInt(digits, 16);
}

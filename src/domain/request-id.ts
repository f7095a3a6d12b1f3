/**
 * The id of a request: clients get it as x-request-id, and it is in the log and the ledger. It starts with the time, so that ids grow: new
 * entries of the ledger's index go to its end, a few pages for many rows, instead of a random page for each row.
 */
import type { Outside } from "./outside";

const TIME_DIGITS = 12;
const RANDOM_BYTES = 10;
const SHAPE = new RegExp(`^req_([0-9a-f]{${TIME_DIGITS}})[0-9a-f]{${2 * RANDOM_BYTES}}$`);

export function newRequestId({ now, randomBytes }: Pick<Outside, "now" | "randomBytes">): string {
  return `req_${now().toString(16).padStart(TIME_DIGITS, "0")}${randomBytes(RANDOM_BYTES).toHex()}`;
}

/** @returns milliseconds since 1970; undefined if the text is not such an id */
export function timeOf(requestId: string): number | undefined {
  const [, digits] = SHAPE.exec(requestId) ?? [];
  return digits === undefined ? undefined : Number.parseInt(digits, 16);
}

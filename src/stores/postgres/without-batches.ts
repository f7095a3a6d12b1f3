/** The ledger's part for lines of batches, which PostgreSQL does not keep yet: nobody asks for them there, as no batch can be created. */
import type { LedgerLines } from "../../books/lines";
import { GatewayError } from "../../domain/errors";

const refused = (): Promise<never> =>
  Promise.reject(new GatewayError("invalid", "Batches are not available with a PostgreSQL database yet."));

export const WITHOUT_BATCHES: LedgerLines = {
  reserve: refused,
  release: refused,
  releaseLost: refused,
  interrupt: refused,
  setAside: refused,
  answered: refused,
  settleOnce: refused,
};

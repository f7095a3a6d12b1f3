/** Logs the rows that a crash left in flight. */
import type { Outside } from "../domain/outside";
import type { Ledger } from "./ledger";

export async function tellInterrupted(ledger: Ledger, { log }: Pick<Outside, "log">): Promise<void> {
  const count = await ledger.settleInterrupted();
  if (count > 0) log("warn", "requests were in flight when the gateway last stopped", { count });
}

/**
 * `embedgate audit`: who changed keys, workspaces, credits and spaces, as in the Admin API (src/books/audit.ts).
 */
import { csv } from "../terminal/csv";
import { printTable } from "../terminal/screen";
import { json } from "./json";
import { type StoreOptions, withStore } from "./with-store";

interface AuditOptions extends StoreOptions {
  readonly limit: number;
  readonly target?: string;
}

export function listAudit(options: AuditOptions): Promise<number> {
  return withStore(options, async (stores) => {
    const { limit: most, target } = options;
    const found = await stores.openAudit().list({ most, target });
    const entries = found.map(({ at, ...entry }) => ({ ...entry, at: new Date(at).toISOString() }));
    const cells = entries.map(({ before, after, ...entry }) => ({
      ...entry,
      before: before === null ? "" : JSON.stringify(before),
      after: after === null ? "" : JSON.stringify(after),
    }));
    if (options.json) console.log(json(entries));
    else if (options.csv)
      console.log(csv(["id", "at", "actor", "action", "target", "before", "after"], cells));
    else
      printTable([
        ["TIME (UTC)", "WHO", "WHAT", "OF", "BEFORE", "AFTER"],
        ...cells.map((entry) => [
          entry.at.slice(0, 19).replace("T", " "),
          entry.actor,
          entry.action,
          entry.target,
          entry.before,
          entry.after,
        ]),
      ]);
    return 0;
  });
}

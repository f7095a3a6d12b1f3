/** Forgets the measurements of a space: the next one becomes its reference. Vectors stored before may not be comparable with new ones. */
import type { Audit } from "../books/audit";
import type { Store } from "../db/open";

/** Also forgets the limits learned in the space. @returns whether the database had it @throws GatewayError database_unavailable */
export function forgetSpace(
  { database, write }: Store,
  audit: Pick<Audit, "note">,
  space: string,
  actor: string,
): Promise<boolean> {
  const find = database.query<{ readonly provider: string; readonly model: string }, [string]>(
    "SELECT provider, model FROM spaces WHERE name = ?1",
  );
  const drop = database.query<unknown, [string]>("DELETE FROM spaces WHERE name = ?1");
  const dropLimits = database.query<unknown, [string]>("DELETE FROM route_limits WHERE space = ?1");
  return write(() => {
    const before = find.get(space);
    dropLimits.run(space);
    if (drop.run(space).changes === 0) return false;
    audit.note({ actor, action: "spaces.forget", target: space, before, after: null });
    return true;
  });
}

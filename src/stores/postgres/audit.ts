/** The audit trail in PostgreSQL: each change writes its entry in the same transaction. Entries are defined in src/books/audit.ts. */
import { type Audit, type AuditRow, type Change, entryOf, written } from "../../books/audit";
import { storableJson } from "./base";
import { type DatabaseClock, timeOf } from "./clock";
import type { Connection } from "./connection";
import type { Pool } from "./pool";

const inJson = (state: object | null) => {
  const text = written(state);
  return text === null ? null : storableJson(text);
};

/** To be called within the caller's transaction. */
export async function noteChange(
  { query }: Connection,
  clock: DatabaseClock,
  { actor, action, target, before, after }: Change,
): Promise<void> {
  await query(
    `INSERT INTO @audit (at, actor, action, target, before, after) VALUES (${timeOf("$1")}, $2, $3, $4, $5, $6)`,
    [clock.at(), actor, action, target, inJson(before), inJson(after)],
  );
}

export function openPostgresAudit(pool: Pool): Pick<Audit, "list"> {
  return {
    async list({ most, before, target }) {
      const rows = await pool.run(({ query }) =>
        query<AuditRow>(
          `SELECT id, at, actor, action, target, before, after FROM @audit
           WHERE id < $1 AND ($3::text IS NULL OR target = $3) ORDER BY id DESC LIMIT $2`,
          [before ?? Number.MAX_SAFE_INTEGER, most, target ?? null],
        ),
      );
      return rows.map(entryOf);
    },
  };
}

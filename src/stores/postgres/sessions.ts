/** Sessions of the dashboard in PostgreSQL. The interface is in src/callers/sessions.ts. */
import type { KeptSession, KeptSessions } from "../../callers/sessions";
import { noteChange } from "./audit";
import type { Base } from "./base";
import type { Connection } from "./connection";

export function postgresSessions({ pool, clock }: Base): KeptSessions {
  const note = (connection: Connection, actor: string, action: string) =>
    noteChange(connection, clock, { actor, action, target: actor, before: null, after: null });
  return {
    begin: (hash, secret, at, until, actor) =>
      pool.transact(async (connection) => {
        await connection.query("DELETE FROM @admin_sessions WHERE expires_at <= $1", [at]);
        const made = await connection.query(
          `INSERT INTO @admin_sessions (hash, secret, created_at, expires_at) VALUES ($1, $2, $3, $4)
           ON CONFLICT DO NOTHING RETURNING 1`,
          [hash, secret, at, until],
        );
        if (made.length > 0) await note(connection, actor, "sessions.begin");
      }),
    async find(hash, at) {
      const [row] = await pool.run(({ query }) =>
        query<KeptSession>(
          `SELECT k.id AS key_id, k.workspace, a.expires_at FROM @admin_sessions a JOIN @key_secrets s ON s.hash = a.secret
             JOIN @keys k ON k.id = s.key_id
           WHERE a.hash = $1 AND a.expires_at > $2 AND k.revoked_at IS NULL AND k.admin AND (s.expires_at IS NULL OR s.expires_at > $2)`,
          [hash, at],
        ),
      );
      return row;
    },
    end: (hash, actor) =>
      pool.transact(async (connection) => {
        const gone = await connection.query("DELETE FROM @admin_sessions WHERE hash = $1 RETURNING 1", [
          hash,
        ]);
        if (gone.length === 0) return false;
        await note(connection, actor, "sessions.end");
        return true;
      }),
  };
}

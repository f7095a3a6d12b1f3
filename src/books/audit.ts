/**
 * The audit trail: who changed what and when, with the values before and after, written in the change's own transaction. It contains no secrets.
 * Code that changes keys, workspaces, credits, spaces or sessions calls `note` in that transaction; entries are never removed.
 */
import { Type } from "@sinclair/typebox";
import { Value } from "@sinclair/typebox/value";
import type { Store } from "../db/open";
import type { Outside } from "../domain/outside";

export interface Change {
  /** A key's id, or one of ACTORS. */
  readonly actor: string;
  /** What changed and how: keys.create, credits.grant. */
  readonly action: string;
  /** A key's id, or the name of a workspace or space. */
  readonly target: string;
  readonly before: object | null;
  readonly after: object | null;
}

export interface AuditEntry {
  readonly id: number;
  readonly at: number;
  readonly actor: string;
  readonly action: string;
  readonly target: string;
  readonly before: Record<string, unknown> | null;
  readonly after: Record<string, unknown> | null;
}

export interface Audit {
  /** Must be called inside a transaction. */
  note(change: Change): void;
  /** The latest entries first. @param asked.before only entries with a smaller id */
  list(asked: {
    readonly most: number;
    readonly before?: number | undefined;
    readonly target?: string | undefined;
  }): Promise<readonly AuditEntry[]>;
}

/** Actors that are not keys. */
export const ACTORS = {
  commandLine: "command line",
  open: "open mode",
  routingFile: "routing file",
} as const;

export interface AuditRow {
  readonly id: bigint;
  readonly at: bigint;
  readonly actor: string;
  readonly action: string;
  readonly target: string;
  readonly before: string | null;
  readonly after: string | null;
}

const State = Type.Union([Type.Null(), Type.Record(Type.String(), Type.Unknown())]);

export function openAudit(
  { database, read }: Pick<Store, "database" | "read">,
  { now }: Pick<Outside, "now">,
): Audit {
  const insert = database.query<unknown, [number, string, string, string, string | null, string | null]>(
    "INSERT INTO audit (at, actor, action, target, before, after) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
  );
  const select = database.query<AuditRow, [number, number, string | null]>(
    `SELECT id, at, actor, action, target, before, after FROM audit
     WHERE id < ?1 AND (?3 IS NULL OR target = ?3) ORDER BY id DESC LIMIT ?2`,
  );
  return {
    note: ({ actor, action, target, before, after }) => {
      insert.run(now(), actor, action, target, written(before), written(after));
    },
    async list({ most, before, target }) {
      return read(() => select.all(before ?? Number.MAX_SAFE_INTEGER, most, target ?? null)).map(entryOf);
    },
  };
}

export const entryOf = (row: AuditRow): AuditEntry => ({
  ...row,
  id: Number(row.id),
  at: Number(row.at),
  before: state(row.before),
  after: state(row.after),
});

export const written = (state: object | null) => (state === null ? null : JSON.stringify(state));
const state = (text: string | null) => Value.Parse(State, text === null ? null : JSON.parse(text));

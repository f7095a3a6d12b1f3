/**
 * Which statements write a group of entries: one for all entries of a workspace that can share it. A new kind of write is a member of Work, and
 * its statement is made here.
 */
import type { Charge } from "../../books/balances";
import type { LedgerRow } from "../../books/ledger-row";
import { ceilingOf, FEMTO_CREDITS_PER_MICRO_CREDIT } from "../../books/money";
import type { Charging } from "./charging";
import type { Entry, Outcome } from "./committing";
import type { Connection } from "./connection";
import type { Beginning, Held } from "./holding";
import { insertSettled } from "./settling";

export type Work =
  | ({ readonly kind: "begin" } & Beginning)
  | { readonly kind: "settle" | "insert" | "refuse"; readonly row: LedgerRow };

/** undefined: the row may have been begun, and what it holds is not known. */
export type Begun = Held | undefined;

export interface Statement {
  /** Empty where no workspace's row is locked. */
  readonly workspace: string;
  readonly run: (connection: Connection) => Promise<void>;
}

export interface Grouping {
  /** @param outcomes filled as the statements run @returns in the order in which every process locks workspaces */
  statementsOf(entries: readonly Entry<Work>[], outcomes: Map<Entry<Work>, Outcome>): readonly Statement[];
}

interface Parts {
  readonly charging: Charging;
  /** What is held, by the request's id. Filled as requests are begun. */
  readonly begun: Map<string, Begun>;
  readonly refuse: (connection: Connection, row: LedgerRow) => Promise<void>;
  /** The instance's id. */
  readonly process: string;
  /** See DatabaseClock. */
  readonly at: () => number | null;
}

type Outcomes = Map<Entry<Work>, Outcome>;
type Begins = readonly [Starting, ...Starting[]];
type Settles = readonly [Entry<Work>, ...Entry<Work>[]];

interface Starting {
  readonly entry: Entry<Work>;
  readonly beginning: Beginning;
}

/** At least one in each group. */
function groupsOf<T>(all: readonly T[], keyOf: (one: T) => string): Map<string, readonly [T, ...T[]]> {
  const groups = new Map<string, [T, ...T[]]>();
  for (const one of all) {
    const key = keyOf(one);
    const group = groups.get(key);
    if (group) group.push(one);
    else groups.set(key, [one]);
  }
  return groups;
}

export function createGrouping({ charging, begun, refuse, process, at }: Parts): Grouping {
  const beginningsOf = ([first, ...others]: Begins): readonly [Beginning, ...Beginning[]] => [
    first.beginning,
    ...others.map(({ beginning }) => beginning),
  ];
  const rowsOf = ([first, ...others]: Settles): readonly [LedgerRow, ...LedgerRow[]] => [
    first.work.row,
    ...others.map(({ work }) => work.row),
  ];

  function noteHeld(group: Begins, held: readonly Held[] | undefined, outcomes: Outcomes): void {
    for (const [i, { entry, beginning }] of group.entries()) {
      if (held) begun.set(beginning.row.request_id, held[i]);
      outcomes.set(entry, held ? { value: true } : "alone");
    }
  }

  function noteCharges(
    entries: readonly Entry<Work>[],
    charges: ReadonlyMap<string, Charge>,
    outcomes: Outcomes,
  ): void {
    for (const entry of entries) {
      const charge = charges.get(entry.work.row.request_id);
      outcomes.set(entry, charge ? { value: charge } : "alone");
    }
  }

  /** A row that costs more than its hold, or whose hold is unknown, is settled by itself. */
  function settleKey({ workspace, work }: Entry<Work>): string {
    const held = begun.get(work.row.request_id) ?? charging.heldFor(work.row);
    const owing = ceilingOf(work.row.cost_femto_credits, FEMTO_CREDITS_PER_MICRO_CREDIT);
    if (held === undefined || owing > held.microCredits) return `${workspace}\0${work.row.request_id}`;
    if (charging.isLeased(work.row)) return `${workspace}\0leased`;
    return isFree(work.row) ? `${workspace}\0free` : plainKey(workspace);
  }

  function isFree(row: LedgerRow): boolean {
    const held = begun.get(row.request_id);
    return held?.microCredits === 0n && held.picoUsd === 0n && costsNothing(row);
  }

  return {
    statementsOf(entries, outcomes) {
      const statements: Statement[] = [];
      const of = (kind: Work["kind"]) => entries.filter(({ work }) => work.kind === kind);
      const beginnings = entries.flatMap((entry) =>
        entry.work.kind === "begin" ? [{ entry, beginning: entry.work }] : [],
      );
      const settles = groupsOf(of("settle"), settleKey);
      for (const group of groupsOf(beginnings, ({ beginning }) => charging.beginKey(beginning)).values()) {
        const { workspace } = group[0].entry;
        const all = beginningsOf(group);
        const plain = charging.canShare(all) ? settles.get(plainKey(workspace)) : undefined;
        if (plain === undefined) {
          const run = async (connection: Connection) =>
            noteHeld(group, await charging.begin(connection, all), outcomes);
          statements.push({ workspace, run });
          continue;
        }
        settles.delete(plainKey(workspace));
        statements.push({
          workspace,
          async run(connection) {
            const { held, charges } = await charging.beginAndSettle(connection, all, rowsOf(plain));
            noteHeld(group, held, outcomes);
            noteCharges(plain, charges, outcomes);
          },
        });
      }
      for (const group of settles.values())
        statements.push({
          workspace: group[0].workspace,
          async run(connection) {
            const rows = rowsOf(group);
            const charges = await charging.settle(connection, rows, rows.every(isFree));
            noteCharges(group, charges, outcomes);
          },
        });
      const inserts = of("insert");
      if (inserts.length > 0)
        statements.push({
          workspace: "",
          async run(connection) {
            const rows = inserts.map(({ work }) => work.row).filter(costsNothing);
            noteCharges(inserts, await insertSettled(connection, rows, process, at()), outcomes);
          },
        });
      for (const entry of of("refuse"))
        statements.push({
          workspace: "",
          async run(connection) {
            await refuse(connection, entry.work.row);
            outcomes.set(entry, { value: FREE });
          },
        });
      return statements.toSorted((a, b) =>
        a.workspace < b.workspace ? -1 : a.workspace > b.workspace ? 1 : 0,
      );
    },
  };
}

const plainKey = (workspace: string) => `${workspace}\0`;

export const FREE: Charge = {
  microCredits: 0n,
  taken: 0n,
  short: 0n,
  remaining: null,
  femtoCreditsRounded: 0n,
};

export const costsNothing = ({ cost_femto_credits, cost_pico_usd }: LedgerRow) =>
  cost_femto_credits === 0n && cost_pico_usd === 0n;

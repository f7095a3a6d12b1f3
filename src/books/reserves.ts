/**
 * The reserve of a batch: what is held for its lines before any of them begins. Each line's hold is taken from the reserve when the line begins,
 * so that other requests always see the cost of the whole batch as held; what is left at the end is released.
 * The reserve is part of the workspace's holds (`micro_credits_held`, `pico_usd_held`). Every method must run inside a ledger transaction.
 */
import type { Database } from "bun:sqlite";
import type { Hold, Terms } from "./balances";
import type { Estimate } from "./fitting";
import { ceilingOf, FEMTO_CREDITS_PER_MICRO_CREDIT } from "./money";
import { periodAt } from "./periods";

export interface Reserves {
  put(id: string, workspace: string, held: Hold): void;
  /** Takes a line's most possible cost, or as much of it as is left. */
  take(id: string, estimate: Estimate, terms: Terms, at: number): Hold;
  /** Returns a line's hold to the reserve. @returns false if there is no reserve any more */
  giveBack(id: string, held: Hold): boolean;
  /** @returns what was left of the reserve, and its workspace; undefined if there is no reserve any more */
  end(id: string): { readonly workspace: string; readonly held: Hold } | undefined;
}

interface Row {
  readonly workspace: string;
  readonly micro_credits: bigint;
  readonly pico_usd: bigint;
}

export function openReserves(database: Database): Reserves {
  const insert = database.query<unknown, [string, string, bigint, bigint]>(
    "INSERT INTO reserves (id, workspace, micro_credits, pico_usd) VALUES (?1, ?2, ?3, ?4)",
  );
  const select = database.query<Row, [string]>(
    "SELECT workspace, micro_credits, pico_usd FROM reserves WHERE id = ?1",
  );
  const lessen = database.query<unknown, [string, bigint, bigint]>(
    "UPDATE reserves SET micro_credits = micro_credits - ?2, pico_usd = pico_usd - ?3 WHERE id = ?1",
  );
  const remove = database.query<unknown, [string]>("DELETE FROM reserves WHERE id = ?1");
  return {
    put: (id, workspace, { microCredits, picoUsd }) => {
      insert.run(id, workspace, microCredits, picoUsd);
    },
    take(id, { most }, { caps }, at) {
      const left = select.get(id);
      const wanted = ceilingOf(most.femtoCredits, FEMTO_CREDITS_PER_MICRO_CREDIT);
      const microCredits = least(wanted, left?.micro_credits ?? 0n);
      const picoUsd = least(most.picoUsd, left?.pico_usd ?? 0n);
      if (microCredits > 0n || picoUsd > 0n) lessen.run(id, microCredits, picoUsd);
      return { microCredits, picoUsd, day: periodAt(at, caps.timeZone).day };
    },
    giveBack: (id, { microCredits, picoUsd }) =>
      Number(lessen.run(id, -microCredits, -picoUsd).changes) === 1,
    end(id) {
      const left = select.get(id);
      if (!left) return undefined;
      remove.run(id);
      return {
        workspace: left.workspace,
        held: { microCredits: left.micro_credits, picoUsd: left.pico_usd },
      };
    },
  };
}

const least = (one: bigint, other: bigint) => (one < other ? one : other);

/** Lives (lives.ts) that happened to books on SQLite. */
import { openLedger } from "../../src/books/ledger";
import type { LedgerRow } from "../../src/books/ledger-row";
import { openWorkspaces } from "../../src/callers/workspaces";
import { openStore, type Store } from "../../src/db/open";
import { fakeOutside } from "../fake-outside";
import { lived as livedBy, rowOf, START, type Step } from "./lives";

export interface Books {
  readonly store: Store;
  readonly now: () => number;
  readonly turn: (ms: number) => void;
}

export function liveIn(steps: readonly Step[], books: Books): Promise<void> {
  const ledger = openLedger(books.store, null, (model) => model);
  return livedBy(steps, {
    ...books,
    ledger,
    workspaces: openWorkspaces(books.store, () => ({}), books),
    interrupt: () => ledger.settleInterrupted(),
    settleLate: (row) => ledger.settle(row),
  });
}

export async function opened(path = ":memory:"): Promise<Books> {
  let now = START;
  const { outside } = fakeOutside();
  return {
    store: await openStore(path, outside),
    now: () => now,
    turn(ms) {
      now += ms;
    },
  };
}

export interface Lived extends Books, AsyncDisposable {
  /** A row of an answered request of the workspace `acme`. */
  rowOf(id: string, metadata: string | null, startedAt: number): LedgerRow;
}

export async function lived(steps: readonly Step[]): Promise<Lived> {
  const books = await opened();
  await liveIn(steps, books);
  const answer = { kind: "request", workspace: "acme", model: "small", end: "answer", tokens: 9 } as const;
  return {
    ...books,
    rowOf: (id, metadata, startedAt) =>
      rowOf({ ...answer, others: 0, latency: 9, code: "", estimated: false, metadata }, id, startedAt),
    async [Symbol.asyncDispose]() {
      books.store.close();
    },
  };
}

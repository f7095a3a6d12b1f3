/**
 * What a gateway has in common with the others of its supervisor, as it is handed in. Tests, and a gateway that is one process, are alone.
 * A further thing that the copies share is a member here, with what it is for one alone.
 */

export interface Place {
  /** The name that its rows in the ledger have; null: nobody else writes there. */
  readonly process: string | null;
  /** Whether it is the first to open the database, so that every row under way there is a dead process's. */
  readonly begins: boolean;
}

export const ALONE: Place = { process: null, begins: true };

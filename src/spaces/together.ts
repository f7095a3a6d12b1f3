/**
 * If several processes need the same measurement, one of them makes it and shares the result. A single process makes its own.
 * The communication between processes is in src/processes/.
 */

/** The result of one measurement. */
export interface Outcome {
  /** Null if it failed. */
  readonly cosine: number | null;
  readonly failed: boolean;
  readonly agrees: boolean;
  readonly outOfService: boolean;
  /** The space that it was compared with: not the claimed one if two models were measured to differ. */
  readonly space: string;
  /** For operators: what probably differs and how to fix it, or why the measurement failed. */
  readonly message: string;
  /** How long the result is valid. */
  readonly forMs: number;
}

export interface Measured {
  /** The model, by its claim and its first route: several ids may be one model. */
  readonly claim: string;
  /** The claimed space. */
  readonly space: string;
  readonly provider: string;
  readonly model: string;
  /** A check just found other vectors: an earlier agreement does not count. */
  readonly isSuspected?: boolean;
}

export interface Together {
  /** Does `work` unless another process does it or has just done it. @returns undefined if it was abandoned */
  once(what: Measured, work: () => Promise<Outcome | undefined>): Promise<Outcome | undefined>;
  /** Calls back with other processes' results. @returns a function that unsubscribes */
  hear(listener: (what: Measured, outcome: Outcome) => void): () => void;
}

export const BY_ITSELF: Together = { once: (_, work) => work(), hear: () => () => undefined };

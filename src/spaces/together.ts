/**
 * A measurement that several processes need is made by one of them and shared. A single process makes its own.
 * How processes come to hear of one another is src/processes/'s.
 */

/** What came of one measurement. */
export interface Outcome {
  /** Null where it failed. */
  readonly cosine: number | null;
  readonly failed: boolean;
  readonly agrees: boolean;
  readonly outOfService: boolean;
  /** The space that it was compared with: not the one claimed, where two models were measured to differ. */
  readonly space: string;
  /** For operators: what probably differs and what to do, or why it failed. */
  readonly message: string;
  /** How long the result is valid. */
  readonly forMs: number;
}

export interface Measured {
  /** The model, by what it claims and its first way: several ids may be one. */
  readonly claim: string;
  /** The space that is claimed. */
  readonly space: string;
  readonly provider: string;
  readonly model: string;
}

export interface Together {
  /** Does `work` unless another process does it or has lately done it. @returns undefined where it was given up */
  once(what: Measured, work: () => Promise<Outcome | undefined>): Promise<Outcome | undefined>;
  /** Calls back with other processes' results. @returns unsubscribes */
  hear(listener: (what: Measured, outcome: Outcome) => void): () => void;
}

export const BY_ITSELF: Together = { once: (_, work) => work(), hear: () => () => undefined };

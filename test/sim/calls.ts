/**
 * What servers saw and did, call by call: what invariants are judged by.
 * A new thing to know of a call is a member of Call, set in server.ts.
 */
import type { FaultName } from "./faults";
import { nameOf, type SimInput, type SimModel } from "./truth";

/** What a server says no to by its own rules, whatever the seed's faults. */
export type Refused = "poison" | "bomb" | "input too long" | "too many tokens";

export interface Call {
  readonly number: number;
  readonly server: string;
  /** The id of the ask that it is for, as `user` or its text said it; PROBE for the gateway's own. */
  readonly ask: string;
  readonly model: SimModel;
  readonly inputs: readonly SimInput[];
  /** Equal for calls that are attempts at one part of one request. */
  readonly partKey: string;
  readonly startedMs: number;
  readonly trouble: FaultName | Refused | undefined;
  /** Statuses at the gateway's door that this call can be the reason of. */
  readonly excuses: readonly number[];
  /** Asking again would have helped nothing, or only after this time. */
  readonly isLasting: boolean;
  readonly waitMs: number;
  readonly tokensLeast: number;
  readonly tokensMost: number;
  endedMs: number | undefined;
  /** answered: the gateway had all of it. aborted: the gateway hung up. cut: the connection broke, or the gateway died. */
  end: "answered" | "aborted" | "cut" | undefined;
}

/** What the gateway's own calls have for `user`: it measures spaces. */
export const PROBE = "space_probe";

/** The reply was right: whoever got it needs no other. One that was only late is, where it was waited for: a first call, with nobody else to ask. */
export const isGood = (call: Call) =>
  call.end === "answered" && call.excuses.every((status) => status === 504);

/** Attempts at one part, in order. */
export function byPart(calls: readonly Call[]): ReadonlyMap<string, readonly Call[]> {
  return Map.groupBy(calls, ({ partKey }) => partKey);
}

const REFUSED: readonly unknown[] = [
  "poison",
  "bomb",
  "input too long",
  "too many tokens",
] satisfies Refused[];

/** Likewise, with those at a larger part among them that went on in smaller ones, since a server was too slow for it. */
export function withLarger(calls: readonly Call[]): readonly (readonly Call[])[] {
  const parts = [...byPart(calls).values()];
  const larger = parts.filter((attempts) => !attempts.some(({ trouble }) => REFUSED.includes(trouble)));
  return parts.map((attempts) => {
    const wholes = larger.filter(([first]) => isLargerThan(first, attempts[0]));
    return [...wholes.flat(), ...attempts].sort((a, b) => a.number - b.number);
  });
}

function isLargerThan(whole: Call | undefined, part: Call | undefined): boolean {
  if (!whole || !part || whole.ask !== part.ask || whole.model !== part.model) return false;
  if (whole.number > part.number || whole.inputs.length <= part.inputs.length) return false;
  const names = new Set(whole.inputs.map(nameOf));
  return part.inputs.every((input) => names.has(nameOf(input)));
}

/** A gateway broke a promise. `invariant` names it as the list in invariants.ts does. */
export class Breach extends Error {
  readonly invariant: string;

  constructor(invariant: string, what: string) {
    super(`${invariant}: ${what}`);
    this.invariant = invariant;
  }
}

/**
 * What servers saw and did, call by call: the basis of the checks.
 * A new thing to know about a call is a member of Call, set in server.ts.
 */
import type { FaultName } from "./faults";
import { nameOf, type SimInput, type SimModel } from "./truth";

/** Errors of a server by its own rules, whatever the seed's faults are. */
export type Refused = "poison" | "bomb" | "input too long" | "too many tokens";

export interface Call {
  readonly number: number;
  readonly server: string;
  /** The id of the ask that the call is for, from `user` or its text; PROBE for the gateway's own calls. */
  readonly ask: string;
  readonly model: SimModel;
  readonly inputs: readonly SimInput[];
  /** Equal for calls that are attempts at one part of one request. */
  readonly partKey: string;
  readonly startedMs: number;
  readonly trouble: FaultName | Refused | undefined;
  /** Status codes of the gateway that this call may explain. */
  readonly excuses: readonly number[];
  /** A retry would not have helped, or only after this time. */
  readonly isLasting: boolean;
  readonly waitMs: number;
  readonly tokensLeast: number;
  readonly tokensMost: number;
  endedMs: number | undefined;
  /** answered: the gateway had all of it. aborted: the gateway hung up. cut: the connection broke, or the gateway died. */
  end: "answered" | "aborted" | "cut" | undefined;
}

/** The `user` of the gateway's own calls, which measure spaces. */
export const PROBE = "space_probe";

/** The reply was right, so no other call is needed. Also if it was only late and the gateway waited: a first call, without another target. */
export const isGood = (call: Call) =>
  call.end === "answered" && call.excuses.every((status) => status === 504);

/** Whether a call is the gateway's own test for silent truncation (src/execute/cut-test.ts). */
export const isTrial = ({ inputs: [first, ...others] }: Pick<Call, "inputs">) =>
  others.length === 0 &&
  typeof first === "string" &&
  /^(?:rain wind snow storm|gold price market bank) /.test(first);

/**
 * Answers before a test that failed for good prove nothing: another server may be asked for the same. A test that a retry followed is not counted.
 */
export function hasFailedTrial(ask: string, calls: readonly Call[]): boolean {
  const trials = calls.filter((call) => call.ask === ask && isTrial(call));
  const byServer = Map.groupBy(trials, ({ server, partKey }) => `${server} ${partKey}`).values();
  return [...byServer].some((attempts) => !attempts.slice(-1).every(isGood));
}

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

/** The same, including attempts at a larger part that continued in smaller ones because a server was too slow. */
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

/** A broken promise of the gateway. `invariant` names it. */
export class Breach extends Error {
  readonly invariant: string;

  constructor(invariant: string, what: string) {
    super(`${invariant}: ${what}`);
    this.invariant = invariant;
  }
}

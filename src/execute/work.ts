/**
 * What all calls of one request share, and what they need from outside. Types only.
 * A new thing that every call needs is a member of `Work`, made in execute.ts.
 */

import type { EndSignal } from "../domain/ending";
import type { ErrorKind, GatewayError } from "../domain/errors";
import type { Outside } from "../domain/outside";
import type { Answered, CallMade, EmbedRequest, Lane, Plan, Route, Run, Target } from "../domain/request";
import type { Count } from "../tokens/count";
import type { Tokens } from "../tokens/tokens";
import type { Evidence } from "./evidence";

export type Needs = Pick<
  Outside,
  "sleep" | "alarm" | "turn" | "slice" | "random" | "log" | "monotonic" | "now"
> & {
  /** Called at the end of each call that was sent. */
  readonly observe?: (call: CallSeen) => void;
  /** Counts and cuts texts by a model's own vocabulary. Left out: no vocabulary is known. */
  readonly tokens?: Pick<Tokens, "count" | "cut">;
};

export interface CallSeen {
  /** The provider's name in the routing file. */
  readonly provider: string;
  /** The model's name there. */
  readonly model: string;
  /** `cancelled` and `deadline`: the call was cancelled. */
  readonly outcome: ErrorKind | "ok";
  readonly latencyMs: number;
}

export interface Work {
  readonly request: EmbedRequest;
  readonly route: Route;
  readonly plan: Plan;
  readonly run: Run;
  readonly lane: Lane;
  /** Fires when the request is over, for any reason. */
  readonly signal: EndSignal;
  readonly outside: Needs;
  /** Receives the count of each reply, usable or not: the provider has counted it. */
  readonly count: (count: Count, target: Target) => void;
  /**
   * Receives the estimated tokens of a call that was sent and then abandoned: the provider charges for it anyway.
   * @param before the earlier estimate that this replaces, if the answer came after all
   */
  readonly abandoned: (count: Count, target: Target, before?: Count) => void;
  /** Called at the end of each call. */
  readonly called: (call: Omit<CallMade, "beganMs"> & { readonly beganAt: number }) => void;
  /** Receives the checked answers. @returns what to wait for, if one is so large that it is taken in slices */
  readonly take: (answered: Answered, target: Target) => Promise<void> | undefined;
  /** Cancels the request's other calls; this error becomes the request's answer. */
  readonly fail: (error: GatewayError) => void;
  /** Which targets have answered something of this request. */
  readonly evidence: Evidence;
  /** The search for an input at fault is on: several refused inputs are not sent together again. */
  readonly isSearch: boolean;
  /** Searches for an input at fault run one after another; this is the end of the last one. */
  readonly searches: { last: Promise<void> };
  /** How long this request may wait for other requests' calls to providers that were down; undefined: it has not waited yet. */
  readonly patience: { endsAt: number | undefined };
  /** For hedged calls (hedge.ts): until when a target asked to be left alone in its answer to one call, before the other was sent. */
  readonly comeBackAt: Map<Target, number>;
  /** For single-input requests: whether coalescing is over for it, and how many shared calls were refused, perhaps because of another's input. */
  readonly joint: { isOver: boolean; callsInVain: number };
}
